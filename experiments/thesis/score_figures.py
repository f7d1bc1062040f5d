"""Figures of macro F1: by size and latent dimension, and by how much the augmentation was told."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator

from cnn.presets import LESSONS
from common.plots import COLORS
from experiments.thesis import published
from report import statistics
from report.style import LINE_LOOKS, OPEN, WIDTH, listed, plain_ticks, seeds

ARM_LOOKS = {"CNN": (COLORS[6], "s"), "AUG": (COLORS[4], "D"), "AUG+VAE": (COLORS[3], "P")}
F1_TICKS = (1, 10, 30, 50, 60, 70, 80, 85, 90, 93, 95, 97, 98, 99, 99.5, 99.9)


class Series(NamedTuple):
    """A line of a figure of F1: colour and marker, rows of `results.collect`, published percentages by size."""

    label: str
    look: tuple
    rows: pd.DataFrame
    expected: dict


def chosen(frame, arm):
    """The grid's rows of one arm."""
    return frame[(frame["variant"] == "") & (frame["arm"] == arm) & (frame["injection"] != "all")]


def line(frame, arm, latent=None, look=None):
    """The `Series` of an arm, for arms with generated images at one latent dimension."""
    rows, table = chosen(frame, arm), published.read("ciarp_2")
    if latent:  # the published AUG+VAE, fed no generated image, belongs to every latent dimension
        blind = (arm == "AUG+VAE") & (rows["protocol"] == "published")
        rows = rows[(rows["latent"] == latent).fillna(False) | blind]
    table = table[(table["method"] == arm) & (table["latent"] == (latent or 2))]  # CNN and AUG are the same at each
    expected = dict(zip(table["size"], table["f1_percent"], strict=True))
    return Series(f"{arm}, {latent}D" if latent else arm, look or ARM_LOOKS[arm], rows, expected)


def latents_of(rows):
    return sorted(map(int, rows["latent"].dropna().unique()))


def draw_f1(axes, series, sizes, protocol):
    """One panel: lines of F1 by size, side by side where they share a size. The axis is logarithmic in the error."""
    axes.set_xscale("log")
    axes.set_yscale("function", functions=(lambda f1: -np.log10(np.maximum(100 - f1, 0.05)), lambda y: 100 - 10**-y))
    step = min(0.12 * np.diff(np.log10(sizes)).min(initial=0.3), 0.6 * 0.3 / len(series))  # in powers of ten
    for k, (_, (color, marker), rows, expected) in enumerate(series):
        offset = step * (k - (len(series) - 1) / 2)
        scores = rows[rows["protocol"] == protocol].groupby("size")["f1"].apply(list)
        found = pd.DataFrame([statistics.summary(100 * np.array(s)) for s in scores], scores.index)
        look = {"color": color, "marker": marker, "zorder": 3}
        if len(found):
            bars = np.stack([found["mean"] - found["low"], found["high"] - found["mean"]]).clip(0)
            bars = np.nan_to_num(bars)  # one seed has no interval
            axes.errorbar(found.index * 10**offset, found["mean"], bars, capsize=2, elinewidth=0.8, **look)
        known = [size for size in sizes if size in expected]
        x = np.array(known) * 10**offset
        axes.plot(x, [expected[size] for size in known], **look | OPEN | {"zorder": 2})
    axes.set_xlim(sizes[0] / 1.5, sizes[-1] * 1.5)
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    low, high = axes.get_ylim()
    ticks = [tick for tick in F1_TICKS if low <= tick <= high]
    axes.yaxis.set_major_locator(FixedLocator(ticks if len(ticks) > 2 else MaxNLocator(5).tick_values(low, high)))
    plain_ticks(axes)
    axes.grid(axis="y")
    axes.set(xlabel="training images in all", ylabel="macro F1 (%)", title=f"protocol: {protocol}")


def f1_figure(series):
    """Canvas, words about what it shows, and commands of a figure of F1 by size, a panel a protocol."""
    rows = pd.concat([one.rows for one in series])
    protocols, sizes = sorted(set(rows["protocol"])), sorted(set(rows["size"]))
    canvas = Canvas(figsize=(WIDTH if len(sizes) > 1 else 4.5, 3 * len(protocols)), layout="constrained")
    panels = canvas.subplots(len(protocols), sharey=True, squeeze=False)[:, 0]
    for axes, protocol in zip(panels, protocols, strict=True):
        draw_f1(axes, series, sizes, protocol)
    handles = [Line2D([], [], label=one.label, color=one.look[0], marker=one.look[1]) for one in series]
    for label, style in (("obtained", {}), ("published", OPEN)):
        handles.append(Line2D([], [], label=label, color="#555555", marker="o", **style))
    canvas.legend(handles=handles, loc="outside right center", handlelength=3)
    words = (
        f"Filled: obtained, mean over {seeds(rows['seed'])} and, from two seeds on, its 95 % bootstrap interval. Open, "
        "dashed: published, CIARP 2018, Table 2 (MNIST), at the sizes that were run. What belongs to one size stands "
        "side by side. The vertical axis is logarithmic in the error, 100 - F1."
    )
    return canvas, words, list(rows["command"])


def f1_by_latent(frame):
    """Thesis fig. 6.5.3: VAE by size, a line a latent dimension, with CNN and AUG beside it."""
    latents = latents_of(chosen(frame, "VAE"))
    if not latents:
        return
    vae = [line(frame, "VAE", latent, LINE_LOOKS[k % len(LINE_LOOKS)]) for k, latent in enumerate(latents)]
    canvas, words, commands = f1_figure([line(frame, "CNN"), *vae, line(frame, "AUG")])
    note = f"The arm VAE with latent dimension {listed(latents)}, beside CNN and AUG. {words}"
    title = "Macro F1 with generated images, by latent dimension"
    yield canvas, "f1-by-latent", title, "Thesis, Fig. 6.5.3", note, commands


def f1_aug_vae(frame):
    """Thesis fig. 6.6.1: AUG and AUG+VAE by size."""
    rows = chosen(frame, "AUG+VAE")
    if rows.empty:
        return
    latents = latents_of(rows[rows["protocol"] != "published"])
    latent = 3 if 3 in latents or not latents else latents[0]  # the thesis has 3
    both = line(frame, "AUG+VAE", latent)
    canvas, words, commands = f1_figure([line(frame, "AUG"), both])
    note = f"Classic augmentation alone and with generated images of latent dimension {latent}. {words}"
    if "published" in set(both.rows["protocol"]):
        note += " In the published protocol AUG+VAE is fed no generated image."
    title = "Macro F1 of classic augmentation, alone and with generated images"
    yield canvas, "f1-aug-vae", title, "Thesis, Fig. 6.6.1", note, commands


def augmentation_steps(frame):
    """CIARP fig. 3: from inexpert to suitable classic augmentation."""
    bad = frame[frame["variant"].str.startswith("bad")]
    if bad.empty:
        return
    protocol, size = min(zip(bad["protocol"], bad["size"], strict=True))
    here = frame[(frame["protocol"] == protocol) & (frame["size"] == size)]
    names = [name for name, _ in LESSONS]
    steps = [here[here["variant"] == f"bad{step}"] for step in range(len(names) - 1)] + [chosen(here, "AUG")]
    means = [100 * rows["f1"].mean() for rows in steps]  # NaN leaves a gap
    without = chosen(here, "CNN")
    canvas = Canvas(figsize=(WIDTH, 3), layout="constrained")
    axes = canvas.subplots()
    if max(map(len, steps)) > 1:
        for step, rows in enumerate(steps):
            x = step + 0.03 * (np.arange(len(rows)) - (len(rows) - 1) / 2)  # equal scores stay apart
            axes.plot(x, 100 * rows["f1"], "o", color="#8C8C8C", markersize=3, markeredgewidth=0)
        axes.lines[0].set_label("AUG, one seed")
    axes.plot(means, color=COLORS[0], marker="D", label="AUG, mean")
    if len(without):
        found = statistics.summary(100 * without["f1"])
        axes.axhline(found.mean, color=COLORS[4], linestyle="--", label="CNN without augmentation, mean")
        if found.n > 1:
            axes.axhspan(found.low, found.high, color=COLORS[4], alpha=0.15, linewidth=0)
    axes.set_xticks(range(len(names)), [*names[:-1], f"{names[-1]}\n(suitable)"])
    axes.set(xlabel="transformations, one lesson after the other", ylabel="macro F1 (%)")
    axes.grid(axis="y")
    axes.legend()
    rows = pd.concat([without, *steps])
    note = (
        f"Macro F1 of AUG, protocol {protocol}, {size} training images, {seeds(rows['seed'])}. From left to right the "
        "inexpert settings change by what a tick says, and stay so; at the right they are those of the arm AUG. The "
        "paper names no steps, these are ours. Dashed: the arm CNN, with the 95 % bootstrap interval of its mean."
    )
    title = "What classic augmentation gains from expert knowledge"
    yield canvas, "augmentation-steps", title, "CIARP 2018, Fig. 3", note, list(rows["command"])
