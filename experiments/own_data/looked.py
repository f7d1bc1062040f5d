"""What a look at a folder found, as `look.json` tells it and as lines to print and to show."""

import os

from common.errors import some

NAMED = 5  # files or classes that a line names
MOST_CLASSES = 50  # whose images are counted in a line each
PLACES = {"class": "within a class", "classes": "in two classes", "split": "in train/ and in test/"}


def describe(found, root):
    """A `look.Findings` as a dict for JSON: numbers, names below the folder `root`, and lines to print."""

    def below(paths):
        return [os.path.relpath(path, root) for path in paths]

    usable = found.usable()
    counts = {part: {name: len(paths) for name, paths in of.items()} for part, of in found.parts.items()}
    pairs = [[*below(pair[:2]), *pair[2:]] for pair in found.pairs]
    proposed = f"{found.size[0]}x{found.size[1]} pixels, {found.color}"
    told = {
        "is_split": found.is_split,
        "counts": counts,
        "usable": {part: {name: below(paths) for name, paths in of.items()} for part, of in usable.items()},
        "unreadable": found.unreadable,
        "blank": below(found.blank),
        "pairs": pairs,
        "shared": [pair for pair in pairs if pair[2] and pair[3] == "split"],
        "problems": found.problems,
        "size": found.size,
        "color": found.color,
        "coloured": found.coloured,
        "note": f"Proposed with --size and --color, and used if none is given: {proposed}.",
    }
    return told | {"lines": list(words(found, told, proposed))}


def words(found, told, proposed):
    """Yields (what, text) for the lines that are printed and shown."""
    for part, classes in told["counts"].items():
        few, many = min(classes.values()), max(classes.values())
        text = f"{sum(classes.values())} readable, in {len(classes)} classes of {few} to {many}"
        yield (f"images in {part}/" if part else "images"), text
        if few and many >= 2 * few:
            fewest = [name for name, count in classes.items() if count == few]
            yield "imbalance", f"{many / few:.1f} times as many in the largest class as in {some(fewest, NAMED)}"
    shapes = found.shapes.most_common(3)
    more = f" and {len(found.shapes) - 3} more sizes" if len(found.shapes) > 3 else ""
    yield "sizes", ", ".join(f"{shape[0]}x{shape[1]} ({count})" for shape, count in shapes) + more
    yield "colours", f"{100 * found.coloured:.0f} % of the images are coloured"
    yield "formats", ", ".join(f"{name} ({count})" for name, count in found.formats.most_common())
    for part, text in found.passed.items():
        yield (f"passed over in {part}/" if part else "passed over"), text
    if found.unreadable:
        yield "unreadable", f"{len(found.unreadable)}, left out: {some(found.unreadable, NAMED)}"
    if found.blank:
        yield "without contrast", f"{len(found.blank)}: {some(told['blank'], NAMED)}"
    yield from doubles(told)
    if found.left_out:
        yield "left out as copies", f"{len(found.left_out)}, so that no split has an image on both sides"
    yield "proposed", proposed
    for problem in found.problems:
        yield "problem", problem


def of_classes(counts):
    """Yields a line on each class, at most 50: how many readable images it has, of `{part: {class: number}}`."""
    names = list(dict.fromkeys(name for classes in counts.values() for name in classes))
    for name in names[:MOST_CLASSES]:
        found = {part: classes.get(name, 0) for part, classes in counts.items()}
        yield f"  {name}: {', '.join(f'{count} in {part}/' if part else str(count) for part, count in found.items())}"
    if len(names) > MOST_CLASSES:
        yield f"  and {len(names) - MOST_CLASSES} more classes"


def doubles(told):
    """Yields lines on images that are there twice."""
    for exact, kind in ((True, "identical"), (False, "nearly identical")):
        for where, place in PLACES.items():
            pairs = [f"{a} = {b}" for a, b, is_exact, at in told["pairs"] if (is_exact, at) == (exact, where)]
            if pairs:
                yield f"{kind} {place}", f"{len(pairs)} pairs: {some(pairs, NAMED)}"
