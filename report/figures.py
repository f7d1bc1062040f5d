"""What the figures of all papers share: finished cells, tiles of images, files."""

from pathlib import Path

import matplotlib
import numpy as np

from images import albums, folders
from report import results
from report.parts import Figure
from report.style import STYLE

MOST_CLASSES = 20  # more rows or legend entries than this cannot be read


def save_all(drawn, folder):
    """Writes `drawings` as PNG and PDF; arguments and what it returns as `all_figures`."""
    folder, figures = Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        for canvas, name, title, source, note, commands in drawn:
            canvas.savefig(folder / f"{name}.png", dpi=150, facecolor="white", metadata={"Software": None})
            canvas.savefig(folder / f"{name}.pdf", dpi=300, facecolor="white", metadata={"CreationDate": None})
            inches = tuple(map(float, canvas.get_size_inches()))
            figures.append(Figure(name, title, source, folder, inches, note, list(dict.fromkeys(commands))))
    return figures


def finished(root, kind):
    """The finished cells of a kind, e.g. `"gen"`, smallest first: dicts of their facts, `key` and `command`."""
    found = sorted(results.records(root, kind), key=lambda pair: folders.natural_key(pair[0]))
    return [{**record["facts"], "key": key, "command": record["command"]} for key, record in found]


def class_names(folder):
    """The class folders in a folder, in natural order."""
    names = [entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    return sorted(names, key=folders.natural_key)


def read_picture(path):
    """A picture that a script left, uint8 `(height, width, 3)`."""
    return albums.read_images([path], color="rgb")[0]


def tile(axes, rows):
    """Lays images out, `rows` being lists of files; returns the middles of columns and of rows, pixels."""
    images = [albums.read_images(row, color="rgb") for row in rows]
    height, width = images[0].shape[1:3]
    gap = max(1, height // 14)
    down, right = height + gap, width + gap
    sheet = np.full((len(rows) * down - gap, max(map(len, rows)) * right - gap, 3), 255, np.uint8)
    for i, row in enumerate(images):
        for j, image in enumerate(row):
            sheet[i * down : i * down + height, j * right : j * right + width] = image
    axes.imshow(sheet)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set(xticks=[], yticks=[])
    return np.arange(max(map(len, rows))) * right + width / 2, np.arange(len(rows)) * down + height / 2


def first_images(folder, names, count):
    """For each class the first files that generate.py wrote, at most `count`: a list a class."""
    paths = [[folder / name / f"{k}.png" for k in range(1, count + 1)] for name in names]
    return [[path for path in row if path.is_file()] for row in paths]
