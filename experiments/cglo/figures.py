"""Figures 4 and 5 of Azuri and Weinshall (2020), and accuracies by number of images. Nothing here loads Keras."""

from pathlib import Path

from matplotlib.figure import Figure as Canvas

from common.plots import COLORS, MARKERS
from experiments.cglo.grid import ARMS
from experiments.cglo.tables import PAPER, of_grid
from report.figures import finished, read_picture, save_all
from report.style import WIDTH, plain_ticks

PICTURES = {
    "reconstructions": ("Fig. 4", "Training images (upper rows) and their reconstructions (lower rows)"),
    "interpolations": ("Fig. 5", "Images on the way from one training image of a class to another, its ends included"),
}


def all_figures(root, frame, folder):
    """Draws every figure whose data is there, `<folder>/<name>.png` and `.pdf`.

    Args:
        root: the grid's folder.
        frame: `results.collect(root)`.
        folder: to write into.
    """
    return save_all([*pictures(Path(root)), *curves(of_grid(frame))], folder)


def pictures(root):
    """Figs. 4 and 5: what the generator of the first seed left, a panel per number of images."""
    generators = [cell for cell in finished(root, "cglo") if cell["generator"] == "cglo"]
    for name, (number, title) in PICTURES.items():
        made = [
            cell for cell in generators if (root / cell["key"] / f"{name}.png").is_file()
        ]  # they may not be shipped
        made = sorted((cell for cell in made if cell["seed"] == made[0]["seed"]), key=lambda cell: cell["shots"])
        if not made:
            continue
        sheets = [read_picture(root / cell["key"] / f"{name}.png") for cell in made]
        share = max(sheet.shape[0] / sheet.shape[1] for sheet in sheets)
        size = (WIDTH, WIDTH / len(made) * share + 0.5)
        canvas = Canvas(figsize=size, layout="constrained")
        panels = canvas.subplots(1, len(made), squeeze=False)[0]
        for axes, cell, sheet in zip(panels, made, sheets, strict=True):
            axes.imshow(sheet)
            axes.set_axis_off()
            axes.set_title(f"{cell['shots']} per class")
        note = f"At most ten classes. Seed {made[0]['seed']}."
        yield canvas, f"cglo-{name}", title, f"{PAPER}, {number}", note, [cell["command"] for cell in made]


def curves(rows):
    """Accuracy by number of training images per class, a line per arm, a panel per protocol."""
    protocols = list(rows["protocol"].unique())
    if not protocols:
        return
    canvas = Canvas(figsize=(WIDTH, 3.4 * len(protocols)), layout="constrained")
    for axes, protocol in zip(canvas.subplots(len(protocols), 1, squeeze=False)[:, 0], protocols, strict=True):
        part = rows[rows["protocol"] == protocol]
        for place, arm in enumerate(arm for arm in ARMS if arm in set(part["source"])):
            means = 100 * part[part["source"] == arm].groupby("shots")["accuracy"].mean()
            style = {"color": COLORS[place % len(COLORS)], "marker": MARKERS[place % len(MARKERS)]}
            axes.plot(means.index.astype(int), means.to_numpy(float), label=arm, **style)
        axes.set(xscale="log", xlabel="training images per class", ylabel="accuracy, %", title=protocol)
        axes.set_xticks(sorted(set(part["shots"].dropna().astype(int))))
        plain_ticks(axes)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    note = "Means over the seeds."
    title = "Accuracy by number of training images"
    yield canvas, "cglo-curves", title, "Our own", note, list(rows["command"])
