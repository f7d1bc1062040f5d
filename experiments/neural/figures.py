"""Figures 1 and 2 of Eduardo and Kazi (2018), from what a grid left behind. Nothing here loads Keras."""

from pathlib import Path

from matplotlib.figure import Figure as Canvas

from common.plots import COLORS, MARKERS
from experiments.neural.grid import ARMS, MODELS
from experiments.neural.tables import DATASETS, PAPER, dataset_of, numbers, of_grid
from report.figures import MOST_CLASSES, class_names, finished, first_images, save_all, tile
from report.style import OPEN, WIDTH, plain_ticks

COLUMNS = 10  # images of each class in fig. 1


def all_figures(root, frame, folder):
    """Draws every figure whose data is there, `<folder>/<name>.png` and `.pdf`.

    Args:
        root: the grid's folder.
        frame: `results.collect(root)`.
        folder: to write into.
    """
    root = Path(root)
    return save_all([*samples(root), *curves(of_grid(frame), dataset_of(root))], folder)


def samples(root):
    """Fig. 1: images of the two conditional models, of the first seed, by the number of images."""
    made = [cell for cell in finished(root, "gen") if cell["source"] in MODELS and (root / cell["key"]).is_dir()]
    made = [cell for cell in made if cell["seed"] == min(other["seed"] for other in made)]
    if not made:
        return
    alphas = sorted({cell["alpha"] for cell in made})
    canvas = Canvas(figsize=(WIDTH, WIDTH / 2 * len(alphas)), layout="constrained")
    panels = canvas.subplots(len(alphas), len(MODELS), squeeze=False)
    for line, alpha in zip(panels, alphas, strict=True):
        for axes, model in zip(line, MODELS, strict=True):
            cell = next((cell for cell in made if (cell["alpha"], cell["source"]) == (alpha, model)), None)
            if cell is None:
                axes.remove()
                continue
            names = class_names(root / cell["key"])[:MOST_CLASSES]
            tile(axes, first_images(root / cell["key"], names, COLUMNS))
            axes.set_title(f"{model}, {alpha} %")
    note = f"A row of a panel is a class, its first {COLUMNS} generated images. Seed {made[0]['seed']}."
    title = "Images of the conditional models, by the share of the training images that they learned from"
    yield canvas, "neural-samples", title, f"{PAPER}, Fig. 1", note, [cell["command"] for cell in made]


def curves(rows, data):
    """Fig. 2: test accuracy by the number of images, a panel per protocol."""
    protocols = list(rows["protocol"].unique())
    if not protocols:
        return
    canvas = Canvas(figsize=(WIDTH, 3.4 * len(protocols)), layout="constrained")
    printed = numbers("neural_2", data)
    printed = printed[printed["alpha"] <= rows["alpha"].max()]
    for axes, protocol in zip(canvas.subplots(len(protocols), 1, squeeze=False)[:, 0], protocols, strict=True):
        for arm, color, marker in zip(ARMS, COLORS, MARKERS, strict=False):
            published = printed[printed["arm"] == arm]
            axes.plot(published["alpha"], published["value"], color=color, marker=marker, **OPEN)
            of_arm = rows[(rows["source"] == arm) & (rows["protocol"] == protocol)]
            means = 100 * of_arm.groupby("alpha")["accuracy"].mean()
            axes.plot(means.index.astype(int), means.to_numpy(float), color=color, marker=marker, label=arm)
        axes.set(xscale="log", xlabel="alpha, % of the training images", ylabel="accuracy, %", title=protocol)
        axes.set_xticks(sorted(set(printed["alpha"]) | set(rows["alpha"].dropna().astype(int))))
        plain_ticks(axes)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    note = f"Filled, solid: obtained, means over the seeds. Open, dashed: published, {DATASETS[data]}, one run each."
    title = "Test accuracy by the number of training images"
    yield canvas, "neural-curves", title, f"{PAPER}, Fig. 2", note, list(rows["command"])
