"""Which images a step uses: nested subsets drawn from a seed, and saved lists of them."""

import json
import logging
import zlib
from pathlib import Path

import numpy as np

from images.folders import one_form

log = logging.getLogger(__name__)


def draw_subset(files, num_per_class, seed):
    """Draws `num_per_class` images of every class.

    The files of a class are shuffled by `seed` and the class name alone, and the first are taken: subsets of one seed
    nest (5 inside 10 inside 25), and a class draws the same images whichever other classes there are.

    Args:
        files: dict from class name to sorted paths.
        num_per_class: images a class; -1 takes all. A class with fewer gives what it has, and a log line says so.
        seed: integer.

    Returns:
        A dict from class name to the drawn paths, in drawn order.
    """
    # Deviation 1: the released code shuffled an unsorted directory listing.
    subset = {}
    for name, paths in files.items():
        order = np.random.default_rng([seed, zlib.crc32(name.encode("utf-8", "surrogateescape"))]).permutation(
            len(paths)
        )
        subset[name] = [paths[i] for i in (order if num_per_class < 0 else order[:num_per_class])]
    fewer = [name for name, paths in files.items() if len(paths) < num_per_class]
    if fewer:
        log.info("fewer than %d images, all are used, in class %s", num_per_class, ", ".join(fewer))
    return subset


def draw_at_most(files, most, seed):
    """Draws images of all classes alike until there are `most` in all; a class with fewer gives what it has.

    Args:
        files: dict from class name to paths.
        most: images in all; one of each class is always drawn.
        seed: integer, as for `draw_subset`.

    Returns:
        `files` itself if it holds no more, else a dict from class name to the drawn paths, in drawn order.
    """
    counts = sorted(map(len, files.values()))
    if sum(counts) <= most:
        return files
    left, each = most, 0
    for place, count in enumerate(counts):  # the smallest classes first: what they lack the others give
        each = left // (len(counts) - place)
        if count > each:
            break
        left -= count
    each = max(each, 1)
    return {name: draw_subset({name: paths}, min(each, len(paths)), seed)[name] for name, paths in files.items()}


def check_enough(files, num_per_class, fewest, root):
    """Refuses a listing `{class: paths}` in which a class has fewer than `num_per_class` images.

    Args:
        files: dict from class name to paths.
        num_per_class: images per class that are asked for; -1 for all.
        fewest: images per class that are needed in any case.
        root: folder of the classes, for the error.
    """
    needed = max(num_per_class, fewest)
    for name, paths in files.items():
        if len(paths) < needed:
            all_do = len(paths) >= fewest
            hint = f" (or --images -1: all that there are in each class, {len(paths)} here)" if all_do else ""
            found = f"{len(paths)} image{'s' * (len(paths) != 1)}"
            raise ValueError(f"{Path(root) / name}: {found}, at least {needed} are needed{hint}")


def choose(files, root, num_per_class, seed, saved=None):
    """Chooses what a generator learns from: the images that a saved list names, or so many of each class.

    Args:
        files: dict from class name to sorted paths.
        root: folder of the classes, for errors.
        num_per_class: images per class, -1 for all.
        seed: integer, as for `draw_subset`.
        saved: file of `save_list` with a part `subset`; it takes the place of number and seed.

    Returns:
        A dict from class name to paths.

    Raises:
        ValueError: as `load_list` and `check_enough` do; each class needs at least one image.
    """
    if saved and num_per_class >= 0:
        raise ValueError(f"--images {num_per_class}: --subset {saved} says which images")
    if saved:
        return load_list(saved, files, "subset")
    check_enough(files, num_per_class, 1, root)
    return draw_subset(files, num_per_class, seed)


def next_in_order(files, chosen, counts, seed):
    """The images of every class that `draw_subset` would draw next, without those that are chosen already.

    Args:
        files: dict from class name to sorted paths.
        chosen: dict from class name to paths in use.
        counts: dict from class name to how many are wanted; a class with fewer gives what it has left.
        seed: integer, as for `draw_subset`.

    Returns:
        A dict from class name to paths, in drawn order.
    """
    order = draw_subset(files, -1, seed)
    taken = {name: set(paths) for name, paths in chosen.items()}
    return {name: [p for p in order[name] if p not in taken[name]][: counts[name]] for name in chosen}


def save_list(path, **parts):
    """Saves named listings `{class: paths}` as JSON with bare file names, to be given back to `load_list`.

    A name that is not UTF-8 is kept: what is no character becomes a JSON escape.
    """
    lists = {part: {name: [p.name for p in paths] for name, paths in files.items()} for part, files in parts.items()}
    text = json.dumps(lists, indent=1, ensure_ascii=False) + "\n"
    Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")


def load_list(path, files, part):
    """Picks from a listing the files that a saved list names, in its order.

    Raises:
        ValueError: the list is not readable, has no such part, or names a class or file that is not there.
    """
    try:
        wanted = json.loads(Path(path).read_text(encoding="utf-8"))[part]
        chosen = {one_form(name): list(names) for name, names in wanted.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{path}: not a saved list with a part {part!r}") from None
    listing = {}
    for name in files:
        if name not in chosen:
            raise ValueError(f"{path}: class {name!r} is missing")
        if not chosen[name]:
            raise ValueError(f"{path}: class {name!r} lists no images")
        by_name = {one_form(p.name): p for p in files[name]}
        unknown = [n for n in chosen[name] if not isinstance(n, str) or one_form(n) not in by_name]
        if unknown:
            raise ValueError(f"{path}: names {name}/{unknown[0]}, which is not in the data")
        listing[name] = [by_name[one_form(n)] for n in chosen[name]]
    return listing
