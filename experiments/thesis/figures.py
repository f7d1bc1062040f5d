"""The papers' figures, drawn from what a grid left behind, each as PNG and PDF. Nothing here loads Keras.

Those of scores are in `score_figures`.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator

from common import runs
from common.plots import COLORS, MARKERS, plain
from experiments.thesis import published
from experiments.thesis.score_figures import augmentation_steps, f1_aug_vae, f1_by_latent
from report.figures import MOST_CLASSES, class_names, finished, first_images, read_picture, save_all, tile
from report.style import LINE_LOOKS, OPEN, WIDTH, listed, plain_ticks, seeds
from vae_aug import sampling

SIDE = 15  # of the sweep that train_vae.py leaves
TERMS = {
    "reconstruction": ("2.3.3", "reconstruction term alone"),
    "kl": ("2.4.5", "KL term alone"),
    "thesis": ("2.4.6", "both terms"),
}
SAMPLES = {50: "6.3.1", 100: "6.3.2", 250: "6.3.3", 500: "6.3.4", 1000: "6.3.5"}  # the thesis' figures by size


def all_figures(root, frame, folder):
    """Draws every figure whose data is there, `<folder>/<name>.png` and `.pdf`.

    Args:
        root: the grid's folder; unfinished cells in it are passed over.
        frame: `results.collect(root)`.
        folder: where the pictures go; made if missing.

    Returns:
        List of `results.Figure`, in the order of the papers.
    """
    return save_all(drawings(Path(root), frame), folder)


def drawings(root, frame):
    """Each figure as `(canvas, name, title, source, note, commands)`."""
    for draw in (latent_spaces, latent_space, vae_loss, generated, latent_3d, generated_by_latent):
        yield from draw(root)
    for draw in (f1_by_latent, f1_aug_vae, augmentation_steps):
        yield from draw(frame)


def joint(root):
    """The finished VAEs of all classes together, by term of the loss, their arrays and class names added."""
    models = {}
    for cell in finished(root, "joint"):
        folder = root / cell["key"] / "joint"
        with np.load(folder / "latents.npz") as arrays:
            cell |= dict(arrays)
        settings = runs.read_json(folder / "config.json")["settings"]
        models[cell["term"]] = cell | {"names": settings["classes"], "seed": settings["seed"], "folder": folder}
    return models


def scatter(axes, z, cell, size):
    for k, name in enumerate(cell["names"]):
        look = {"color": COLORS[k % len(COLORS)], "marker": MARKERS[(k + k // len(COLORS)) % len(MARKERS)]}
        points = z[cell["labels"] == k].T
        axes.scatter(*points, s=size, linewidths=0.25, edgecolors="#333333", label=plain(name), **look)
    axes.set(xlabel="z1", ylabel="z2", box_aspect=1)
    axes.set_aspect("equal", adjustable="datalim")  # a distance means the same along both axes


def class_legend(canvas, axes, names, **place):
    if 1 < len(names) <= MOST_CLASSES:
        canvas.legend(*axes.get_legend_handles_labels(), markerscale=1.6, handletextpad=0.1, **place)


def latent_spaces(root):
    """Thesis figs 2.3.3, 2.4.5 and 2.4.6: where each of the losses puts the images."""
    models = joint(root)
    shown = [models[term] for term in TERMS if term in models]
    if not shown:
        return
    canvas = Canvas(figsize=(WIDTH, 2.7), layout="constrained")
    for axes, cell in zip(canvas.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        noise = np.random.default_rng(cell["seed"]).standard_normal(cell["z_mean"].shape)
        scatter(axes, cell["z_mean"] + cell["z_std"] * noise, cell, size=6)
        axes.set_title(TERMS[cell["term"]][1])
    names = shown[0]["names"]
    columns = max(1, min(len(names), 90 // (max(map(len, names)) + 5)))
    class_legend(canvas, axes, names, loc="outside lower center", ncols=columns, columnspacing=1)
    note = (
        f"One model of all classes a panel, trained on the same {len(shown[0]['labels'])} images with the terms of the "
        "loss that its title names. A point is what the decoder gets for one of them: the encoder's mean plus noise, "
        f"drawn once; without the KL term there is no noise. Seed {shown[0]['seed']}. The axes differ in range."
    )
    title = "Latent spaces by the terms of the loss"
    source = f"Thesis, {'Figs' if len(shown) > 1 else 'Fig.'} {listed(TERMS[cell['term']][0] for cell in shown)}"
    yield canvas, "latent-spaces", title, source, note, [cell["command"] for cell in shown]


def latent_space(root):
    """Thesis figs 6.2.1 and 6.2.2: the latent space of one VAE of all classes, and what it decodes from a grid."""
    cell = joint(root).get("thesis")
    if cell is None:
        return
    canvas = Canvas(figsize=(5, 4.3), layout="constrained")
    axes = canvas.subplots()
    scatter(axes, cell["z_mean"], cell, size=15)
    class_legend(canvas, axes, cell["names"], loc="outside right center")
    note = (
        f"Where the encoder of one VAE of all classes puts the {len(cell['labels'])} images it was trained on (its "
        f"means, without noise). Seed {cell['seed']}. The thesis trained on the whole data set."
    )
    yield canvas, "latent-space", "Latent space of all classes", "Thesis, Fig. 6.2.1", note, [cell["command"]]

    nodes = sampling.sweep(SIDE)  # row by row from the top left
    half = (nodes[1, 0] - nodes[0, 0]) / 2  # an image is centred on its latent
    extent = (nodes[0, 0] - half, nodes[-1, 0] + half, nodes[-1, 1] - half, nodes[0, 1] + half)
    canvas = Canvas(figsize=(4.5, 4.5), layout="constrained")
    axes = canvas.subplots()
    axes.imshow(read_picture(cell["folder"] / "sweep.png"), extent=extent)
    ticks = np.linspace(nodes[0, 0], nodes[-1, 0], 7)
    axes.set(xlabel="z1", ylabel="z2", xticks=ticks, yticks=ticks)
    note = f"What the decoder of the same VAE makes of {SIDE} x {SIDE} latents; the middle of an image is its latent."
    title = "Images decoded from a grid over the latent space"
    yield canvas, "sweep", title, "Thesis, Fig. 6.2.2", note, [cell["command"]]


def loss_curve(folder):
    """Validation loss by epoch of the only model in a folder, a Series."""
    return pd.read_csv(folder / class_names(folder)[0] / "loss.csv", index_col="epoch")["val_loss"]


def vae_loss(root):
    """Thesis fig. 6.2.3: validation loss of the VAE of one class by epoch, a line a number of images."""
    made, table, peaks, handles = finished(root, "vae-loss"), published.read("thesis_6.1"), [], []
    if not made:
        return
    canvas = Canvas(figsize=(WIDTH, 3.7), layout="constrained")
    axes = canvas.subplots()
    for k, number in enumerate(sorted({cell["images"] for cell in made})):
        curves = pd.concat([loss_curve(root / c["key"]) for c in made if c["images"] == number], axis=1)
        points, (color, marker) = table[table["images"] == number], LINE_LOOKS[k % len(LINE_LOOKS)]
        mean, low, high = curves.mean(axis=1), curves.min(axis=1), curves.max(axis=1)
        marked = np.flatnonzero(mean.index.isin(table["epochs"]))
        axes.plot(mean, color=color, linewidth=0.7)
        axes.fill_between(mean.index, low, high, color=color, alpha=0.2, linewidth=0)
        look = {"color": color, "marker": marker, "zorder": 3}
        axes.plot(mean.iloc[marked], linestyle="", **look)
        axes.plot(points["epochs"], points["val_loss"], **look | OPEN | {"linestyle": ""})
        handles.append(Line2D([], [], linewidth=0.7, label=f"{number} images", **look))
        peaks += [*points["val_loss"], *mean.iloc[5:], mean.iloc[-1]]
    axes.set(xlabel="epochs", ylabel="validation loss (nats an image)", xscale="log", yscale="log")
    axes.set_ylim(top=min(axes.get_ylim()[1], 1.5 * max(peaks)))
    axes.xaxis.set_major_locator(FixedLocator([1, 2, 5, 10, 20, 50, 100, 250, 500, 1000, 2500]))
    axes.yaxis.set_major_locator(MaxNLocator(12, steps=[1, 2, 5, 10]))
    plain_ticks(axes)
    handles.append(Line2D([], [], color="#555555", marker="o", label="published", **OPEN | {"linestyle": ""}))
    axes.legend(handles=handles)
    name = class_names(root / made[0]["key"])[0]
    note = (
        f"The VAE of class {name}, by the number of its images, of which 16 % validate. Line: mean over "
        f"{seeds([cell['seed'] for cell in made])}; band: lowest to highest; filled markers: the epochs of Table 6.1. "
        "Open markers: Table 6.1 (MNIST, digit 0). Both axes are logarithmic; a peak may leave through the top."
    )
    title = f"Validation loss of the VAE of class {name}"
    yield canvas, "vae-loss", title, "Thesis, Fig. 6.2.3", note, [cell["command"] for cell in made]


def sampled(cell, names, per_class):
    """What a note says of the VAEs that generated images, and of the classes that are shown."""
    text = f"VAEs given {per_class} images of their class each (16 % of them validate); seed {cell['seed']}."
    return text + (f" The first {MOST_CLASSES} of {len(names)} classes." if len(names) > MOST_CLASSES else "")


def generated(root):
    """Thesis figs 6.3.1 to 6.3.5: ten images of each class, a figure a size."""
    made = finished(root, "gen")
    for size in sorted({cell["size"] for cell in made}):
        of_size = [cell for cell in made if cell["size"] == size]
        cell = min(of_size, key=lambda cell: (cell["latent"] != 2, cell["latent"], cell["seed"]))  # the thesis has 2
        names = class_names(root / cell["key"])
        shown = names[:MOST_CLASSES]
        canvas = Canvas(figsize=(4.8, 0.46 * len(shown) + 0.1), layout="constrained")
        axes = canvas.subplots()
        _, middles = tile(axes, first_images(root / cell["key"], shown, 10))
        axes.set_yticks(middles, [plain(name) for name in shown])
        note = f"The first ten generated images of each class, latent dimension {cell['latent']}, from "
        note += sampled(cell, names, size // len(names))
        note += "" if cell["latent"] == 2 else " The thesis shows latent dimension 2, which was not run."
        source = f"Thesis, Fig. {SAMPLES[size]}" if size in SAMPLES else "As thesis, Figs 6.3.1 to 6.3.5"
        title = f"Generated images, {size} training images in all"
        yield canvas, f"generated-{size}", title, source, note, [cell["command"]]


def generated_by_latent(root):
    """CIARP fig. 2: images of each class, two rows a latent dimension."""
    made = finished(root, "gen")
    if not made:
        return
    names = class_names(root / made[0]["key"])
    shown, wanted = names[:MOST_CLASSES], 50 * len(names)  # the paper has 50 images a class
    size = max((cell["size"] for cell in made), key=lambda size: (size == wanted, size))
    made = [cell for cell in made if cell["size"] == size]
    first = {}  # the first seed's cell, by latent dimension
    for cell in sorted(made, key=lambda cell: (cell["latent"], cell["seed"])):
        first.setdefault(cell["latent"], cell)
    height = 2 * WIDTH / max(len(shown), 6) * len(first)
    canvas = Canvas(figsize=(WIDTH, height + 0.25), layout="constrained")
    panels = canvas.subplots(len(first), squeeze=False)[:, 0]
    for axes, (latent, cell) in zip(panels, first.items(), strict=True):
        middles, _ = tile(axes, list(zip(*first_images(root / cell["key"], shown, 2), strict=True)))
        axes.set_ylabel(f"{latent}D", rotation=0, ha="right", va="center")
        if axes is panels[0]:
            axes.xaxis.tick_top()
            axes.set_xticks(middles, [plain(name) for name in shown], rotation=90 * (max(map(len, shown)) > 7))
    note = f"The first two generated images of each class by latent dimension ({listed(first)}), from "
    note += sampled(cell, names, size // len(names))
    note += "" if size == wanted else " The paper's VAEs were given 50, which was not run."
    commands = [cell["command"] for cell in first.values()]
    yield canvas, "generated-by-latent", "Generated images by latent dimension", "CIARP 2018, Fig. 2", note, commands


def latent_3d(root):
    """Thesis fig. 6.5.1: the latent space of the VAE of one class, three dimensions."""
    made = [cell for cell in finished(root, "models") if cell["latent"] == 3]
    if not made:
        return
    cell = min(made, key=lambda cell: (-cell["size"], cell["seed"]))
    name = class_names(root / cell["key"])[0]
    with np.load(root / cell["key"] / name / "latents.npz") as arrays:
        z = arrays["z_mean"]
    canvas = Canvas(figsize=(4.5, 3.8), layout="constrained")
    axes = canvas.add_subplot(projection="3d")
    floor = z[:, 2].min() - 0.1 * np.ptp(z[:, 2])
    for x, y, height in z[:500]:  # a stem down to the floor shows where a point stands
        axes.plot([x, x], [y, y], [floor, height], color="#A0A0A0", linewidth=0.4)
    axes.scatter(*z.T, s=16, color=COLORS[0], edgecolors="black", linewidths=0.3, depthshade=False)
    axes.set(xlabel="z1", ylabel="z2", zlabel="z3")
    axes.set_zlim(bottom=floor)
    axes.set_box_aspect(None, zoom=0.9)  # room for the label of z3
    note = (
        f"Where the encoder of the VAE of class {name} puts the {len(z)} images it was trained on (its means, without "
        f"noise). {cell['size']} training images of all classes, seed {cell['seed']}. Stems lead down to z1 and z2."
    )
    title = f"Three-dimensional latent space of class {name}"
    yield canvas, "latent-3d", title, "Thesis, Fig. 6.5.1", note, [cell["command"]]
