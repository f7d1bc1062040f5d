"""Holds what the figures share: sizes, colours and markers, and seeds in words.

Filled markers are obtained numbers, open markers published ones. Every class and every arm has its own colour and
marker. Text is 8 points at a print width of 16 cm.
"""

from matplotlib.ticker import FormatStrFormatter, NullLocator

from common.plots import COLORS

WIDTH = 6.3  # inches: 16 cm
STYLE = {"font.size": 8, "axes.titlesize": 9, "axes.spines.top": False, "axes.spines.right": False}
STYLE |= {"lines.linewidth": 1.1, "lines.markersize": 5, "legend.frameon": False, "pdf.fonttype": 42}
STYLE |= {"axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6}
STYLE |= {"axes.axisbelow": True, "grid.linewidth": 0.5, "grid.color": "#DDDDDD"}
OPEN = {
    "linestyle": (0, (4, 2)),
    "linewidth": 0.8,
    "fillstyle": "none",
    "markersize": 7,
}  # a ring round a filled marker
LINE_LOOKS = tuple(zip([COLORS[k] for k in (0, 1, 2, 5, 9)], "o^v><", strict=True))  # latent sizes, numbers of images


def listed(values):
    """Writes numbers in words: `[42, 43, 45]` as "42, 43 and 45"."""
    *first, last = map(str, sorted(set(values)))
    return f"{', '.join(first)} and {last}" if first else last


def seeds(values):
    """Writes seeds in words: `[42, 43, 44]` as "seeds 42 to 44"."""
    low, high, count = min(values), max(values), len(set(values))
    if count == 1:
        return f"seed {low}"
    return f"seeds {low} to {high}" if high - low == count - 1 > 1 else f"seeds {listed(values)}"


def plain_ticks(axes):
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FormatStrFormatter("%g"))
