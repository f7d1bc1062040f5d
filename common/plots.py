"""Draws the pictures that the steps write: contact sheets, latent spaces, curves, confusion matrices.

The first eight colours are Okabe and Ito's, which colour-blind readers can tell apart. No function opens a window.
"""

import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from images.codec import write_image

COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#F0E442", "#7F7F7F", "#8C510A")
MARKERS = "osD^vP*X<>"


def contact_sheet(path, images, columns, gap=2):
    """Writes uint8 images `(num_images, height, width, channels)` as one PNG, in rows on white, small ones enlarged."""
    scale = max(1, 56 // images.shape[1])
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    count, height, width, channels = images.shape
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, np.uint8)
    for k, image in enumerate(images):
        top, left = gap + k // columns * (height + gap), gap + k % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    write_image(path, sheet)


def plain(name):
    """Escapes a name so that Matplotlib draws it literally: `$` starts mathematics, a leading `_` hides a label.

    What is no character, in a name that is not UTF-8, becomes a question mark.
    """
    name = name.encode("utf-8", "replace").decode("utf-8")
    return ("\u200a" if name.startswith("_") else "") + name.replace("$", r"\$")


def save(figure, path):
    figure.savefig(path, dpi=150, bbox_inches="tight")
    figure.clear()  # its parts refer to each other and would stay in memory until the garbage collector runs


def latent_space(path, z_mean, labels, class_names, title):
    """Scatters 2-D or 3-D latents `(num_images, latent_dim)`, one colour and marker per class (thesis 6.2.1, 6.5.1)."""
    latent_dim = z_mean.shape[1]
    figure = Figure(figsize=(6, 5))
    axes = figure.add_subplot(projection="3d" if latent_dim == 3 else None)
    for label, name in enumerate(class_names):
        style = {"color": COLORS[label % len(COLORS)], "marker": MARKERS[label // len(COLORS) % len(MARKERS)]}
        axes.scatter(*z_mean[labels == label].T, s=14 if len(z_mean) < 2000 else 3, label=plain(name), **style)
    for axis, k in zip("xyz", range(latent_dim), strict=False):
        getattr(axes, f"set_{axis}label")(f"z{k + 1}")
    axes.set_title(plain(title))
    if 1 < len(class_names) <= 40:
        axes.legend(
            loc="center left", bbox_to_anchor=(1.1 if latent_dim == 3 else 1.0, 0.5), frameon=False, markerscale=2
        )
    save(figure, path)


def curves(path, history, pairs, x="epoch"):
    """Draws columns of a table against the epoch.

    Args:
        path: PNG to write.
        history: pandas DataFrame with a column `x`. Where a column has no number in an epoch, its line goes on to
            the next one, with dots at the numbers; a single number is a dot too.
        pairs: (title, [column names]), one pair per panel. Columns that `history` lacks are left out.
        x: what a row is, in place of an epoch.
    """
    figure = Figure(figsize=(5 * len(pairs), 3.5))
    for axes, (title, columns) in zip(np.ravel(figure.subplots(1, len(pairs))), pairs, strict=True):
        for color, column in zip(COLORS, columns, strict=False):
            if column in history:
                seen = history[[x, column]].dropna()
                marker = "." if len(seen) < len(history) or len(seen) == 1 else None
                axes.plot(seen[x], seen[column], color=color, label=plain(column), linewidth=1, marker=marker)
        axes.set_xlabel(x)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(title)
        axes.legend(frameon=False)
    save(figure, path)


def confusion(path, matrix, class_names, title):
    """Draws a confusion matrix of counts, rows true classes, columns predicted ones."""
    side = min(max(4, 0.5 * len(class_names)), 20)
    figure = Figure(figsize=(side + 1, side))
    axes = figure.add_subplot()
    axes.imshow(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    if len(class_names) <= 20:
        for i, j in np.ndindex(*matrix.shape):
            dark = matrix[i, j] > 0.5 * matrix[i].sum()
            axes.text(j, i, matrix[i, j], ha="center", va="center", fontsize=8, color="white" if dark else "black")
    step = -(-len(class_names) // 100)  # more names than this cannot be read
    names = [plain(name) for name in class_names][::step]
    ticks = range(0, len(class_names), step)
    axes.set_xticks(ticks, names, rotation=90 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(ticks, names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title)
    save(figure, path)
