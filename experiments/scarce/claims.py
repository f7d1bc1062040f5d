"""Claims of Maronas, Paredes and Ramos (2018), and what the obtained errors say to each, by the rule of `claims.judge`.

Errors are fractions; sentences speak of points of error, a point being 0.01. A gain is how much lower an error is.
"""

from typing import NamedTuple

import pandas as pd

from experiments.scarce.grid import GENERATORS, MODELS
from experiments.scarce.tables import NAMES, NUMBERS, numbers, of_grid
from report import claims, statistics
from report.claims import all_of, judge_direction, judge_figure, make_gain, weigh
from report.parts import Claim

KEYS = ["size", "seed", "model", "chain_length"]
UNIT = "points of error"
BASELINE, LADDER = "baseline", "ladder network"


class Gap(NamedTuple):
    """How much lower `one` is than `other`, columns of `by_cell`, where the index is as `where` says."""

    one: str
    other: str
    where: dict = {}  # noqa: RUF012


class Statement(NamedTuple):
    """A claim: it holds if all its gaps do."""

    text: str
    source: str
    gaps: tuple
    judge: object = judge_direction


def way(generator, labels):
    """A column of `by_cell`, e.g. `"B-RBM y"`."""
    return f"{NAMES[generator]} {labels}"


B_Y, B_N, G_Y, G_N, V_Y, V_N = (way(generator, labels) for generator in GENERATORS for labels in "yn")
TABLES = "section 3, Tables 1 to 3"
STATEMENTS = (
    Statement("Chains of the bad RBM beat chains of the VAE", TABLES, (Gap(B_Y, V_Y), Gap(B_N, V_N))),
    Statement("Chains of the bad RBM beat chains of the good RBM", TABLES, (Gap(B_Y, G_Y), Gap(B_N, G_N))),
    Statement("Chains of the bad RBM improve the baseline", TABLES, (Gap(B_Y, BASELINE), Gap(B_N, BASELINE))),
    Statement("Chains of the bad RBM beat the ladder network", "Table 4", (Gap(B_Y, LADDER, {"model": "fc2"}),)),
    Statement(
        "With 10 labels, the bad RBM's chains do better where the classifier decides which states to use (y beats n)",
        "section 2.2, Table 1",
        (Gap(B_Y, B_N, {"size": 10}),),
    ),
    Statement(
        "Chains of the good RBM and of the VAE do better with all their states (n beats y)",
        "section 4",
        (Gap(G_N, G_Y), Gap(V_N, V_Y)),
    ),
    Statement(
        "With 10 labels, chains of the VAE improve the baseline if all their states are used",
        "section 4, Table 1",
        (Gap(V_N, BASELINE, {"size": 10}),),
    ),
    Statement(
        "With 10 labels, chains of 1,000 states from the bad RBM gain 17 points on CONV1",
        "section 3, Table 1",
        (Gap(B_Y, BASELINE, {"size": 10, "model": "conv1", "chain_length": 1000}),),
        judge_figure,
    ),
    Statement(
        "With 10 labels, chains from the bad RBM gain more than 10 points on FC1 and on FC2",
        "section 3, Table 1",
        tuple(Gap(B_Y, BASELINE, {"size": 10, "model": model}) for model in ("fc1", "fc2")),
        lambda test, p, points, figure, alpha: judge_least(test, p, points, 10, alpha),
    ),
)


def judge(frame, alpha=statistics.ALPHA):
    """What the obtained errors say to each claim, protocol by protocol; the rule is `claims.judge`'s.

    A pair is one scenario and seed, its gain the mean over classifiers and chain lengths that both sides have. Holm's
    correction is over the gains of a claim. The published gain that the rule compares with is that of the same cells,
    where the paper has them.

    Returns:
        List of `results.Claim`; where nothing was run, "not decided" with evidence "not run".
    """
    frame, reference, found = of_paper(frame), reference_cells(), []
    for protocol in frame["protocol"].unique():
        cells = by_cell(frame[frame["protocol"] == protocol])
        for statement in STATEMENTS:
            gains = [gain(cells, reference, gap) for gap in statement.gaps]
            found.append(sentence(statement, gains, protocol, alpha))
        found += [sentence(*other, protocol, alpha) for other in (_models(cells, reference), _sizes(cells, reference))]
    return found


def of_paper(frame):
    """The rows of the paper's own classifiers."""
    frame = of_grid(frame)
    return frame[frame["model"].isin([*MODELS, "ladder"])]


def judge_least(test, p, points, least, alpha):
    """The verdict on whether the gain is at least so many points; arguments as `claims.judge_direction`."""
    if points.high < least:
        return claims.FAILS
    return claims.HOLDS if p < alpha and points.low > least else statistics.OPEN


def sentence(statement, gains, protocol, alpha):
    """The `Claim` that a statement's gains amount to."""
    found = weigh(gains, alpha, statement.judge, UNIT)
    run = [(verdict, text) for verdict, text in found if text != "not run"]
    evidence = "not run"
    if run:
        missing = [gain.words for gain, (_, text) in zip(gains, found, strict=True) if text == "not run"]
        evidence = "; ".join([text for _, text in run] + [f"not run: {words}" for words in missing]) + "."
    verdict = all_of([verdict for verdict, _ in found])
    return Claim(statement.text, f"Maronas et al. 2018, {statement.source}", protocol, verdict, evidence)


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
    return wide.reindex(columns=[*(way(g, labels) for g in GENERATORS for labels in "yn"), BASELINE, LADDER])


def reference_cells():
    """The published tables as `by_cell` gives obtained errors, with seed 0."""
    table = pd.concat([numbers(f"scarce_{number}") for number in NUMBERS.values()])
    ladder = numbers("scarce_4")
    table = pd.concat([table, ladder[ladder["model"] == "ladder"]])
    return by_cell(table.assign(size=table["labelled"], seed=0, error=table["value"] / 100))


def difference(cells, gap):
    """`other` less `one`, a Series indexed as `by_cell`, without the cells that one of them lacks."""
    found = (cells[gap.other] - cells[gap.one]).dropna()
    for level, value in gap.where.items():
        found = found[found.index.get_level_values(level) == value]
    return found


def gain(cells, reference, gap):
    """The `claims.Gain` of a gap; the published one is of the same sizes, models and chain lengths."""
    obtained, theirs = difference(cells, gap), difference(reference, gap)
    shared = theirs.droplevel("seed").index.intersection(obtained.droplevel("seed").index)
    theirs = theirs[theirs.droplevel("seed").index.isin(shared)]
    model = f" on {NAMES[gap.where['model']]}" if "model" in gap.where else ""
    return make_gain(f"{gap.one} over {gap.other}{model}", obtained, theirs)


def _models(cells, reference):
    """With 100 labels FC2 beats FC1 once chains are added."""

    def lead(wide):
        table = wide.loc[wide.index.get_level_values("size") == 100, B_Y].unstack("model")
        table = table.reindex(columns=["fc1", "fc2"])
        return (table["fc1"] - table["fc2"]).dropna()

    obtained, theirs = lead(cells), lead(reference)
    text = "With 100 labels and chains of the bad RBM, the deeper FC2 beats FC1"
    return Statement(text, "section 3, Table 2", ()), [make_gain(f"FC2 over FC1 ({B_Y})", obtained, theirs)]


def _sizes(cells, reference):
    """Chains gain the more, the fewer labels there are."""
    statement = Statement("Chains of the bad RBM gain the more, the fewer labels there are", "section 4", ())
    gap = Gap(B_Y, BASELINE)
    sizes = sorted(difference(cells, gap).index.unique("size"))
    if len(sizes) < 2:
        return statement, [make_gain("fewest labels over most", cells[B_Y][:0], reference[B_Y][:0])]
    few, many = sizes[0], sizes[-1]

    def shrinkage(wide):
        table = statistics.over_latents(difference(wide, gap)).unstack("size").reindex(columns=[few, many])
        return pd.concat({few: (table[few] - table[many]).dropna()}, names=["size"])

    words = f"{B_Y} over {BASELINE} with {few} labels less that with {many}"
    return statement, [make_gain(words, shrinkage(cells), shrinkage(reference))]


def lead(frame):
    """The page's first sentences: what chains did to the error, protocol by protocol."""
    frame, sentences = of_paper(frame), []
    for protocol in frame["protocol"].unique():
        cells, parts = by_cell(frame[frame["protocol"] == protocol]), []
        for one, other in ((B_Y, BASELINE), (G_Y, BASELINE), (V_N, BASELINE), (B_Y, LADDER)):
            gap = Gap(one, other, {"model": "fc2"} if other == LADDER else {})
            gains = -100 * statistics.over_latents(difference(cells, gap))
            if len(gains):
                found = statistics.summary(gains)
                parts.append(f"{one} {found.mean:+.1f} points beside the {other} ({found.in_words()})")
        if parts:
            sentences.append(f"Error in the {protocol} protocol, lower being better: {'; '.join(parts)}.")
    if not len(frame):
        return ["No classifier is finished yet."]
    return sentences or ["No chains can be compared with anything yet."]
