"""Claims of Maronas, Paredes and Ramos (2018), and what the obtained errors say to each, by `report.claims`' rule.

Errors are fractions; sentences speak of points of error, a point being 0.01. A gain is how much lower an error is.
"""

import pandas as pd

from experiments.scarce.grid import MODELS, PUBLISHED
from experiments.scarce.tables import NAMES, NUMBERS, numbers, of_grid
from report import statistics
from report.claims import Gap, Statement, judge_family, judge_figure, judge_least, make_gain

KEYS = ["size", "seed", "model", "chain_length"]
UNIT = "points of error"
BASELINE, LADDER = "baseline", "ladder network"
SHORTEST = 100  # states of a chain
PAPER = "Maronas et al. 2018"


def lower(one, other, **where):
    """How much lower the error of `one` is than that of `other`, columns of `by_cell`."""
    return Gap(one, other, where, f" on {NAMES[where['model']]}" if "model" in where else "", sign=-1)


def way(generator, labels):
    """A column of `by_cell`, e.g. `"B-RBM y"`."""
    return f"{NAMES[generator]} {labels}"


B_Y, B_N, G_Y, G_N, V_Y, V_N = (way(generator, labels) for generator in PUBLISHED for labels in "yn")
TABLES = f"{PAPER}, section 3, Tables 1 to 3"
STATEMENTS = (
    Statement("Chains of the bad RBM beat chains of the VAE", TABLES, (lower(B_Y, V_Y), lower(B_N, V_N))),
    Statement("Chains of the bad RBM beat chains of the good RBM", TABLES, (lower(B_Y, G_Y), lower(B_N, G_N))),
    Statement("Chains of the bad RBM improve the baseline", TABLES, (lower(B_Y, BASELINE), lower(B_N, BASELINE))),
    Statement("Chains of the bad RBM beat the ladder network", f"{PAPER}, Table 4", (lower(B_Y, LADDER, model="fc2"),)),
    Statement(
        "With 10 labels, the bad RBM's chains do better where the classifier decides which states to use (y beats n)",
        f"{PAPER}, section 2.2, Table 1",
        (lower(B_Y, B_N, size=10),),
    ),
    Statement(
        "Chains of the good RBM and of the VAE do better with all their states (n beats y)",
        f"{PAPER}, section 4",
        (lower(G_N, G_Y), lower(V_N, V_Y)),
    ),
    Statement(
        "With 10 labels, chains of the VAE improve the baseline if all their states are used",
        f"{PAPER}, section 4, Table 1",
        (lower(V_N, BASELINE, size=10),),
    ),
    Statement(
        "With 10 labels, chains of 1,000 states from the bad RBM gain 17 points on CONV1",
        f"{PAPER}, section 3, Table 1",
        (lower(B_Y, BASELINE, size=10, model="conv1", chain_length=1000),),
        judge_figure,
    ),
    Statement(
        "With 10 labels, chains from the bad RBM gain more than 10 points on FC1 and on FC2",
        f"{PAPER}, section 3, Table 1",
        tuple(lower(B_Y, BASELINE, size=10, model=model) for model in ("fc1", "fc2")),
        judge_least(10),
    ),
    Statement(
        "With 100 labels and chains of the bad RBM, the deeper FC2 beats FC1",
        f"{PAPER}, section 3, Table 2",
        (lambda obtained, published: deeper(obtained, published),),
    ),
    Statement(
        "Chains of the bad RBM gain the more, the fewer labels there are",
        f"{PAPER}, section 4",
        (lambda obtained, published: fewer_labels(obtained, published),),
    ),
)


def judge(frame, alpha=statistics.ALPHA):
    """What the obtained errors say to each claim, protocol by protocol; the rule is that of `report.claims`.

    A pair is one scenario and seed, its gain the mean over classifiers and chain lengths that both sides have. Holm's
    correction is over the gains of a claim. The published gain that the rule compares with is that of the same cells,
    where the paper has them.

    Returns:
        List of `Claim`; where nothing was run, "not decided" with evidence "not run".
    """
    frame, reference, found = of_paper(frame), reference_cells(), []
    for protocol in frame["protocol"].unique():
        cells = by_cell(frame[frame["protocol"] == protocol])
        for statement in STATEMENTS:
            found += judge_family([statement], cells, reference, protocol, alpha, UNIT)
    return found


def of_paper(frame):
    """The rows of the paper's own classifiers, and of chains that are no shorter than its shortest."""
    frame = of_grid(frame)
    long_enough = (frame["generator"] == "") | (frame["chain_length"] >= SHORTEST)
    return frame[frame["model"].isin([*MODELS, "ladder"]) & long_enough]


def by_cell(frame):
    """Errors, a row a (size, seed, model, chain length), a column a generator and labeling, the baseline and the ladder
    network; these two, which have no chain length (and the latter no model), repeat over the others' rows."""
    chains = frame[frame["generator"] != ""].astype({"chain_length": int})
    ways = [
        f"{NAMES[generator]} {labels}" for generator, labels in zip(chains["generator"], chains["labels"], strict=True)
    ]
    wide = chains.assign(way=ways).groupby([*KEYS, "way"])["error"].mean().unstack("way")
    without = frame[frame["generator"] == ""]
    is_ladder = without["model"] == "ladder"
    for name, rows, keys in ((BASELINE, without[~is_ladder], KEYS[:3]), (LADDER, without[is_ladder], KEYS[:2])):
        means = rows.groupby(keys)["error"].mean().rename(name)
        wide = wide.join(means, on=keys) if len(means) else wide.assign(**{name: float("nan")})
    return wide.reindex(columns=[*(way(g, labels) for g in PUBLISHED for labels in "yn"), BASELINE, LADDER])


def reference_cells():
    """The published tables as `by_cell` gives obtained errors, with seed 0."""
    table = pd.concat([numbers(f"scarce_{number}") for number in NUMBERS.values()])
    ladder = numbers("scarce_4")
    table = pd.concat([table, ladder[ladder["model"] == "ladder"]])
    return by_cell(table.assign(size=table["labelled"], seed=0, error=table["value"] / 100))


def deeper(obtained, published):
    """FC2 over FC1 with 100 labels and chains of the bad RBM."""

    def lead(wide):
        table = wide.loc[wide.index.get_level_values("size") == 100, B_Y].unstack("model")
        table = table.reindex(columns=["fc1", "fc2"])
        return (table["fc1"] - table["fc2"]).dropna()

    return make_gain(f"FC2 over FC1 ({B_Y})", lead(obtained), lead(published))


def fewer_labels(obtained, published):
    """How much more the bad RBM's chains gain with the fewest labels that were run than with the most."""
    gap = lower(B_Y, BASELINE)
    sizes = sorted(gap.difference(obtained).index.unique("size"))
    if len(sizes) < 2:
        return make_gain("fewest labels over most", obtained[B_Y][:0], published[B_Y][:0])
    few, many = sizes[0], sizes[-1]

    def shrinkage(wide):
        table = statistics.over_latents(gap.difference(wide)).unstack("size").reindex(columns=[few, many])
        return pd.concat({few: (table[few] - table[many]).dropna()}, names=["size"])

    words = f"{B_Y} over {BASELINE} with {few} labels less that with {many}"
    return make_gain(words, shrinkage(obtained), shrinkage(published))


def lead(frame):
    """The page's first sentences: what chains did to the error, protocol by protocol."""
    frame, sentences = of_paper(frame), []
    for protocol in frame["protocol"].unique():
        cells, parts = by_cell(frame[frame["protocol"] == protocol]), []
        for one, other in ((B_Y, BASELINE), (G_Y, BASELINE), (V_N, BASELINE), (B_Y, LADDER)):
            gap = lower(one, other, **({"model": "fc2"} if other == LADDER else {}))
            gains = -100 * statistics.over_latents(gap.difference(cells))
            if len(gains):
                found = statistics.summary(gains)
                parts.append(f"{one} {found.mean:+.1f} points beside the {other} ({found.in_words()})")
        if parts:
            sentences.append(f"Error in the {protocol} protocol, lower being better: {'; '.join(parts)}.")
    if not len(frame):
        return ["No classifier is finished yet."]
    return sentences or ["No chains can be compared with anything yet."]
