"""The figures of a comparison: scores, the learning curve, generated images beside real ones, images always wrong."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Canvas

from common.plots import COLORS, plain
from experiments.own_data import answer, tables
from experiments.own_data.grid import ARMS
from report.figures import MOST_CLASSES, class_names, save_all, tile
from report.style import WIDTH

COLUMNS = 8  # images of each class, real and generated
HARD = 40  # images that every arm gets wrong, at most
OWN = "these images"
GROUPS = {"without": COLORS[0], "with": COLORS[4], "control": COLORS[8]}


def all_figures(root, frame, folder):
    """Draws every figure whose data is there; arguments and what it returns as of the other studies."""
    root = Path(root)
    return save_all([*folder_sheet(root), *arms(frame), *curve(frame), *sheets(root), *hard(root, frame)], folder)


def folder_sheet(root):
    """The first images of each class of what lies in the folder, at the size and colour of the training."""
    place = root / "data" / ("train" if tables.look(root)["is_split"] else "")
    every = class_names(place)
    names = every[:MOST_CLASSES]
    canvas = Canvas(figsize=(WIDTH, 0.3 + 0.7 * WIDTH * len(names) / COLUMNS), layout="constrained")
    axes = canvas.subplots()
    _, rows = tile(axes, [some(place / of) for of in names])
    axes.set_yticks(rows, [plain(of) for of in names])
    of = f" of the first {len(names)} of {len(every)} classes" if len(every) > len(names) else " of each class"
    note = f"The first {COLUMNS} images{of}, as they are trained on."
    yield canvas, "folder", "What lies in the folder", OWN, note, []


def arms(frame):
    """Macro F1 of every arm on every split."""
    wide = 100 * answer.scores(frame)
    if wide.empty:
        return
    names = list(wide.mean().sort_values().index)
    canvas = Canvas(figsize=(WIDTH, 0.6 + 0.3 * len(names)), layout="constrained")
    axes = canvas.subplots()
    for k, name in enumerate(names):
        color, values = GROUPS[ARMS[name].group], wide[name].dropna()
        axes.plot(values, np.full(len(values), k), "o", color=color, alpha=0.5, markeredgewidth=0)
        axes.plot(values.mean(), k, "|", color=color, markersize=14, markeredgewidth=2)
    axes.set_yticks(range(len(names)), [ARMS[name].title for name in names])
    axes.set(xlabel="macro F1, %")
    axes.grid(axis="x")
    note = "A dot per split, a bar at the mean. Blue: without generated images; red: with a generator; grey: controls."
    yield canvas, "arms", "Macro F1 of every arm", OWN, note, []


def curve(frame):
    """The learning curve of the plain classifier, and the best arm beside it."""
    found = 100 * answer.learning_curve(frame)
    if len(found) < 2:
        return
    canvas = Canvas(figsize=(WIDTH, 2.8), layout="constrained")
    axes = canvas.subplots()
    axes.plot(found.index.to_numpy(), found.to_numpy(), "o-", color=COLORS[0], label=ARMS["plain"].title)
    wide = 100 * answer.scores(frame)
    others = [name for name in (answer.best(wide, "without"), answer.best(wide, "with")) if name not in (None, "plain")]
    for name, marker in zip(others, "s^", strict=False):
        axes.plot(found.index.max(), wide[name].mean(), marker, color=GROUPS[ARMS[name].group], label=ARMS[name].title)
    axes.set(xlabel="training images", ylabel="macro F1, %", xscale="log", xticks=list(found.index))
    axes.set_xticklabels(map(str, found.index))
    axes.minorticks_off()
    axes.legend()
    yield canvas, "curve", "Is more data worth more than any trick?", OWN, "Means over the splits.", []


def sheets(root):
    """Generated images of the first split beside real ones, a figure per generator."""
    for name in dict.fromkeys(arm.images for arm in ARMS.values() if arm.images not in ("", "copies", "noise")):
        made = sorted(root.glob(f"gen/{name}-seed*"))
        split = root / "splits" / made[0].name.partition("-")[2] / "train" if made else None
        if not made or not split.is_dir():
            continue
        names = class_names(made[0])[:MOST_CLASSES]
        canvas = Canvas(figsize=(WIDTH, 0.4 + WIDTH * len(names) / (2 * COLUMNS + 1)), layout="constrained")
        left, right = canvas.subplots(1, 2)
        _, rows = tile(left, [some(split / of) for of in names])
        left.set_yticks(rows, [plain(of) for of in names])
        left.set_title("real")
        tile(right, [some(made[0] / of) for of in names])
        right.set_title("generated")
        note = f"The first {COLUMNS} of each class{' (the first 20 classes)' if len(names) == MOST_CLASSES else ''}."
        yield canvas, f"images-{name}", f"Generated images beside real ones: {name}", OWN, note, []


def some(folder):
    """The first images in a folder, at most `COLUMNS`."""
    paths = [path for path in folder.iterdir() if path.suffix == ".png"]
    return sorted(paths, key=lambda path: (len(path.name), path.name))[:COLUMNS]


def hard(root, frame):
    """The images that every arm gets wrong."""
    names, _ = answer.hard_images(root, frame)
    paths = [path for path in (find(root, name) for name in names[:HARD]) if path]
    if not paths:
        return
    rows = [paths[k : k + 10] for k in range(0, len(paths), 10)]
    canvas = Canvas(figsize=(WIDTH, 0.2 + 0.66 * len(rows)), layout="constrained")
    tile(canvas.subplots(), rows)
    note = f"{len(paths)} of {len(names)}: {', '.join(names[: len(paths)])}."
    yield canvas, "hard", "Test images that every arm gets wrong", OWN, note, []


def find(root, name):
    """An image of a test part by its `<class>/<name>`."""
    paths = (part / name for part in sorted(root.glob("splits/*/test")))
    return next(filter(Path.is_file, paths), None)
