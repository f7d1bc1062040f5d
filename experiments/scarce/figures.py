"""Figures 1 to 4 of Maronas, Paredes and Ramos (2018), from what a grid left behind. Nothing here loads Keras."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from common.plots import plain
from experiments.scarce.grid import GENERATORS, SHEET, STRIP, THIN
from experiments.scarce.tables import NAMES
from report.figures import MOST_CLASSES, class_names, finished, first_images, read_picture, save_all, tile
from report.style import LINE_LOOKS, WIDTH, plain_ticks

TERMS = {"loss": "\u2212ELBO", "reconstruction_loss": "\u2212log-likelihood", "kl_loss": "KL divergence"}
STYLES = (("-", "training"), (":", "validation"))
SOURCE = "Maronas et al. 2018, Fig."


def all_figures(root, folder):
    """Draws every figure whose data is there, `<folder>/<name>.png` and `.pdf`; arguments as `figures.all_figures`."""
    root = Path(root)
    return save_all((drawing for draw in (priors, strips, one_step, sheets) for drawing in draw(root)), folder)


def first_seed(made):
    """Of cells that differ in their seed alone the first; smallest number of images first."""
    kept = {}
    for cell in sorted(made, key=lambda cell: (cell["available"], cell["seed"])):
        kept.setdefault((cell["available"], cell["generator"], cell.get("expectation", False)), cell)
    return list(kept.values())


def picture(axes, path, title=""):
    axes.imshow(read_picture(path))
    axes.set(xticks=[], yticks=[], title=title)
    axes.spines[:].set_visible(False)


def images(cell):
    return f"{cell['available']:,} images"


def priors(root):
    """Fig. 1: what VAEs of few and of many images draw from the prior, and how their losses fell."""
    made = first_seed(finished(root, "vae"))
    if not made:
        return
    shown = [made[0], made[-1]] if len(made) > 1 else made
    canvas = Canvas(figsize=(WIDTH, 5), layout="constrained")
    above, below = canvas.subplots(2, len(shown), squeeze=False, height_ratios=(3, 2))
    for sheet, axes, cell in zip(above, below, shown, strict=True):
        folder = root / cell["key"] / class_names(root / cell["key"])[0]
        picture(sheet, folder / "samples.png", images(cell))
        curves = pd.read_csv(folder / "loss.csv", index_col="epoch")
        for k, name in enumerate(TERMS):
            axes.plot(curves[name], color=LINE_LOOKS[k][0])
            axes.plot(curves[f"val_{name}"], color=LINE_LOOKS[k][0], linestyle=":")
        top = 1.1 * curves[curves.index > 1].quantile(0.97).max()  # a peak may leave through the top
        axes.set(xlabel="epochs", ylabel="nats an image", ylim=(0, top))
        axes.set_xscale("log" if len(curves) >= 100 else "linear")
        plain_ticks(axes)
    handles = [Line2D([], [], color=LINE_LOOKS[k][0], label=label) for k, label in enumerate(TERMS.values())]
    handles += [Line2D([], [], color="#555555", linestyle=look, label=label) for look, label in STYLES]
    canvas.legend(handles=handles, loc="outside lower center", ncols=5)
    note = (
        "Above: what the decoder makes of latents drawn from the prior. Below: the loss and its two terms by epoch, "
        f"for the images it learned from and for validation. Seed {shown[0]['seed']}. The axes differ in range; "
        "that of 100 epochs or more is logarithmic."
    )
    title = "What a VAE of few and of many images draws, and how its loss fell"
    yield canvas, "vae-priors", title, f"{SOURCE} 1", note, [cell["command"] for cell in shown]


def strips(root):
    """Fig. 2: chains of the VAE that wander from class to class."""
    made = [cell for cell in first_seed(finished(root, "strips")) if (root / cell["key"] / "strips.png").exists()]
    if not made:
        return
    cell = made[-1]
    names = class_names(root / cell["key"])
    canvas = Canvas(figsize=(WIDTH, WIDTH * len(names) / 19 + 0.2), layout="constrained")
    axes = canvas.subplots()
    picture(axes, root / cell["key"] / "strips.png")
    if len(names) <= MOST_CLASSES:
        middles = [(k + 0.5) * axes.get_ylim()[0] / len(names) for k in range(len(names))]
        axes.set_yticks(middles, [plain(name) for name in names])
        axes.tick_params(length=0)
    note = (
        f"A row a class: a labelled training image, then states of the chain from it, E[x | h], ever further apart, up "
        f"to the {STRIP}th, by the VAE of {images(cell)}. Seed {cell['seed']}. The paper starts from test images."
    )
    yield canvas, "vae-chains", "Chains of the VAE change their class", f"{SOURCE} 2", note, [cell["command"]]


def one_step(root):
    """Fig. 3: a step of the bad and of the good RBM."""
    made = first_seed(finished(root, "rbm"))
    sizes = [size for size in {cell["available"] for cell in made} if len(of_size(made, size)) > 1]
    shown = of_size(made, max(sizes)) if sizes else made[-1:]
    if not shown:
        return
    canvas = Canvas(figsize=(WIDTH, 3.5), layout="constrained")
    for axes, cell in zip(canvas.subplots(1, 2, squeeze=False)[0], shown, strict=False):
        picture(axes, root / cell["key"] / "samples.png", NAMES[cell["generator"]])
    for axes in canvas.axes[len(shown) :]:
        axes.remove()
    note = (
        f"In each pair of rows: held-out images, and under each the state after one step of the chain from it. RBMs "
        f"of {images(shown[0])}, seed {shown[0]['seed']}."
    )
    title = "One step of the bad and of the good RBM"
    yield canvas, "rbm-steps", title, f"{SOURCE} 3", note, [cell["command"] for cell in shown]


def of_size(made, available):
    return [cell for cell in made if cell["available"] == available]


def sheets(root):
    """Fig. 4: chain states of every generator, by number of images."""
    made = first_seed(finished(root, "sheets"))
    names = [name for name in GENERATORS if any(cell["generator"] == name for cell in made)]
    if not made:
        return
    rows = [[cell for cell in made if cell["generator"] == name] for name in names]
    columns = max(map(len, rows))
    canvas = Canvas(figsize=(WIDTH, (WIDTH / columns + 0.25) * len(rows)), layout="constrained")
    for line, row in zip(canvas.subplots(len(rows), columns, squeeze=False), rows, strict=True):
        for axes in line[len(row) :]:
            axes.remove()
        for axes, cell in zip(line, sorted(row, key=lambda cell: cell["expectation"]), strict=False):
            classes = class_names(root / cell["key"])[:MOST_CLASSES]
            tile(axes, first_images(root / cell["key"], classes, SHEET))
            axes.set_title(
                f"{NAMES[cell['generator']]}, {images(cell)}{', E[x | h]' * cell['expectation']}", fontsize=7
            )
    note = (
        f"A row of a panel is a class: every {THIN}th state of a chain from one labelled image of it, {SHEET} states. "
        f"Seed {made[0]['seed']}."
    )
    title = "Chains of all generators, by the number of images that they learned from"
    yield canvas, "chains", title, f"{SOURCE} 4", note, [cell["command"] for cell in made]
