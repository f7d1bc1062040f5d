"""Intervals, paired tests, and what the obtained scores say to the papers' claims.

Pure functions on arrays and on the DataFrame of `results.collect`. Scores are macro F1 as fractions; sentences speak of
points of F1, a point being 0.01.
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from cnn.protocols import ARMS
from experiments.results import Claim, published

ALPHA = 0.01  # CIARP 2018, Table 3
RESAMPLES = 10_000
EXACT_PAIRS = 300  # beyond, the signed-rank sum is as good as normal
HOLDS, FAILS, OPEN = "holds", "does not hold", "not decided"
TABLE_3 = (
    ("VAE", "CNN", "Generated images improve the plain CNN (VAE above CNN)"),
    ("AUG", "CNN", "Classic augmentation improves the plain CNN (AUG above CNN)"),
    ("AUG", "VAE", "Classic augmentation gains more than generated images (AUG above VAE)"),
    ("AUG+VAE", "CNN", "Both together improve the plain CNN (AUG+VAE above CNN)"),
    ("AUG+VAE", "VAE", "Both together beat generated images alone (AUG+VAE above VAE)"),
    ("AUG+VAE", "AUG", "Both together beat classic augmentation alone (AUG+VAE above AUG)"),
)
ALL_OF_TABLE_3 = "Every difference of Table 3 is significant (p < 0.01)"
BLIND = (
    " As released, AUG+VAE is fed no generated image: where it differs from AUG, it is the rule for stopping and "
    "choosing weights that differs."
)


class Summary(NamedTuple):
    """Mean, standard deviation (n - 1), number of scores, and the ends of the mean's 95 % interval."""

    mean: float
    sd: float
    n: int
    low: float
    high: float


class PairedTest(NamedTuple):
    """What `paired_test` finds; NaN where nothing can be said.

    Attributes:
        n: pairs, those without a difference included.
        mean_difference, median_difference: in the scores' unit.
        statistic: the smaller of the two signed-rank sums, as in SciPy.
        p: two-sided.
        min_p: the smallest p that n pairs can give, 2 / 2**n.
        rank_biserial: matched-pairs rank-biserial correlation in [-1, 1]: the share of the rank sum in favour less that
            against.
        d_z: Cohen's d_z, the mean difference over the differences' standard deviation; infinite if that is 0.
    """

    n: int
    mean_difference: float
    median_difference: float
    statistic: float
    p: float
    min_p: float
    rank_biserial: float
    d_z: float


class Gain(NamedTuple):
    """Paired differences, a Series indexed by (size, seed), with their name and the published mean for these sizes."""

    words: str
    differences: pd.Series
    published: float


def summary(scores):
    """Mean and spread of some scores, with a 95 % bootstrap interval of the mean.

    The interval is Hesterberg's expanded percentile one (The American Statistician 69(4), 2015): quantiles of resampled
    means, taken further out by what turns a normal quantile into Student's and n into n - 1. Tried on 1,500 samples of
    5 and of 10 normal scores, it covered the mean in 91 and 94 % of them, the plain percentile interval in 83 and 91 %,
    BCa in 83 and 92 %. It stays within the scores, so with two to four of them it is too narrow (53, 76, 89 %).
    Resampling is seeded: the same scores give the same interval.

    Args:
        scores: `(n,)`, any unit.

    Returns:
        `Summary`. Without two scores `sd`, `low` and `high` are NaN; if all are equal, the interval is that point.
    """
    scores = np.asarray(scores, float)
    n = scores.size
    if n < 2:
        return Summary(float(scores.sum()) if n else math.nan, math.nan, n, math.nan, math.nan)
    if np.ptp(scores) == 0:
        return Summary(float(scores[0]), 0.0, n, float(scores[0]), float(scores[0]))
    means = np.random.default_rng(0).choice(scores, (RESAMPLES, n)).mean(axis=1)
    tail = stats.norm.cdf(math.sqrt(n / (n - 1)) * stats.t.ppf(0.025, n - 1))
    low, high = np.quantile(means, (tail, 1 - tail))
    return Summary(float(scores.mean()), float(scores.std(ddof=1)), n, float(low), float(high))


def paired_test(a, b=0.0):
    """Wilcoxon's signed-rank test of paired scores, two-sided, as in CIARP 2018, section 3.4.

    Pairs without a difference are dropped before ranking, as Wilcoxon did; equal sizes share their mean rank. p is
    exact, ties or not, up to 300 pairs: SciPy goes over to the normal law at the first tie, in some versions.

    Args:
        a: `(n,)` scores, or differences if `b` is left out.
        b: `(n,)` scores in the same order.

    Returns:
        `PairedTest` of a - b. No pair: all NaN. No difference in any pair: p 1 and effects 0.

    Raises:
        ValueError: the shapes differ, or a score is not finite.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.ndim != 1 or b.shape not in ((), a.shape):
        raise ValueError(f"paired scores must be two lists of one length. Received: shapes {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("paired scores must be finite. Received: NaN or infinity")
    n = a.size
    if not n:
        return PairedTest(0, *[math.nan] * 7)
    gaps = np.round(a - b, 12)  # 0.95 - 0.94 and 0.85 - 0.84 are a tie, whatever their last bits
    ranks = stats.rankdata(np.abs(gaps[gaps != 0]))
    up, total = ranks[gaps[gaps != 0] > 0].sum(), ranks.sum()
    effect = (2 * up - total) / total if total else 0.0
    d_z = math.nan if n == 1 else 0.0
    if np.ptp(gaps) > 0:
        d_z = gaps.mean() / gaps.std(ddof=1)
    elif n > 1 and gaps[0]:
        d_z = math.copysign(math.inf, gaps[0])
    facts = gaps.mean(), np.median(gaps), min(up, total - up), _p_value(ranks, up), 2 / 2**n, effect, d_z
    return PairedTest(n, *map(float, facts))


def _p_value(ranks, up):
    """Two-sided p of a positive rank sum `up`, each of `ranks` having had either sign with probability 1/2."""
    distance = abs(2 * up - ranks.sum())
    if ranks.size > EXACT_PAIRS:
        return 2 * stats.norm.sf(distance / math.sqrt((ranks**2).sum()))
    law = np.ones(1)  # probability of each sum so far, in halves: mean ranks of ties are whole or half
    for rank in np.rint(2 * ranks).astype(int):
        law = (np.pad(law, (0, rank)) + np.pad(law, (rank, 0))) / 2
    return min(1.0, law[np.abs(np.arange(law.size) - ranks.sum()) >= distance].sum())


def holm(p_values):
    """Adjusted p-values of a family of tests: Holm's step-down (Scandinavian Journal of Statistics 6, 1979).

    Args:
        p_values: `(n,)`; NaN stands for a test that was not made, stays NaN and does not count.
    """
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values)[: np.isfinite(p_values).sum()]  # NaN sorts last
    adjusted = np.full(p_values.shape, np.nan)
    steps = p_values[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def compare_arms(frame, alpha=ALPHA, pool="seeds"):
    """Every comparison of CIARP 2018, Table 3, on the obtained scores of one protocol.

    Scores pair up by size, seed and latent dimension. An arm without a latent dimension pairs with each of the other's,
    and so does AUG+VAE where it was fed no generated image. A cell that is missing takes its pair with it.

    Args:
        frame: rows of `results.collect`; only the grid's arms with pages count.
        alpha: level of significance.
        pool: `"seeds"`: a pair is one (size, seed), its difference the mean over latent dimensions. `"latents"`: a pair
            is one (size, seed, latent), as published; CNN and AUG then repeat, so pairs are not independent and p is
            too small. Published p < 0.01 for AUG above CNN is 20 such pairs, five of them distinct.

    Returns:
        DataFrame with columns `row`, `column`, `n`, `mean_difference`, `median_difference` (row - column, fractions),
        `p`, `p_holm` (over the six unordered pairs), `min_p`, `rank_biserial`, `d_z`, `outcome`, `outcome_holm` and
        `published`. Outcomes are `"better"`, `"worse"`, `"same"` (p >= alpha), `"not decided"` (with so few pairs no
        scores could have brought p, or p_holm, below alpha) and `"not run"`. Sizes of one seed share images (subsets
        nest), so even `"seeds"` takes its pairs for somewhat more independent than they are.

    Raises:
        ValueError: more than one protocol, or an unknown `pool`.
    """
    if frame["protocol"].nunique() > 1:
        raise ValueError(f"one protocol at a time. Received: {', '.join(frame['protocol'].unique())}")
    if pool not in ("seeds", "latents"):
        raise ValueError(f"pool must be 'seeds' or 'latents'. Received: {pool!r}")
    scores, table = by_pair(frame), published("ciarp_3")[["row", "column", "outcome"]]
    gaps = [(scores[row] - scores[column]).dropna() for row, column in zip(table["row"], table["column"], strict=True)]
    tests = pd.DataFrame([paired_test(gap if pool == "latents" else over_latents(gap)) for gap in gaps])
    table = pd.concat([table.rename(columns={"outcome": "published"}), tests], axis=1)
    pairs = table[["row", "column"]].apply(frozenset, axis=1)
    once = ~pairs.duplicated()  # VAE against AUG and AUG against VAE are one test
    for name in ("p", "min_p"):
        table[f"{name}_holm"] = pairs.map(dict(zip(pairs[once], holm(table[name][once]), strict=True)))
    table["outcome"] = _outcomes(table, "p", "min_p", alpha)
    # Adjusted values grow with each p, so no scores bring them below those of the smallest attainable p.
    table["outcome_holm"] = _outcomes(table, "p_holm", "min_p_holm", alpha)
    columns = "row column n mean_difference median_difference p p_holm min_p rank_biserial d_z".split()
    return table[[*columns, "outcome", "outcome_holm", "published"]]


def _outcomes(table, p, floor, alpha):
    cases = [table["n"] == 0, table[floor] >= alpha, table[p] >= alpha, table["rank_biserial"] > 0]
    return np.select(cases, ["not run", OPEN, "same", "better"], "worse")


def by_pair(frame):
    """Macro F1, one row a (size, seed, latent), one column an arm; what has no latent dimension repeats over them all."""
    rows = frame[(frame["variant"] == "") & (frame["injection"] != "all")]
    own = has_latent(rows)
    latents = sorted(map(int, rows.loc[own, "latent"].unique())) or [0]
    each = [[int(latent)] if mine else latents for latent, mine in zip(rows["latent"], own, strict=True)]
    rows = rows.assign(latent=pd.Series(each, rows.index, dtype=object), arm=rows["arm"].astype(str)).explode("latent")
    rows = rows.astype({"latent": "int64"})
    wide = rows.groupby(["size", "seed", "latent", "arm"])["f1"].mean().unstack("arm")
    return wide.reindex(columns=list(ARMS))


def has_latent(rows):
    """Whether a classifier depends on the latent dimension: the published AUG+VAE has one and is fed no image of it."""
    return (rows["generated"] > 0) & rows["latent"].notna()


def over_latents(gaps):
    """Differences indexed by (size, seed), those of several latent dimensions averaged."""
    return gaps.groupby(level=["size", "seed"]).mean()


def claims(frame, alpha=ALPHA):
    """What the obtained scores say to each claim of the papers, protocol by protocol.

    A claim names a gain: the difference between two arms, latent dimensions or ways of feeding, one a (size, seed),
    averaged over latent dimensions. Its test's p is corrected by Holm's method within its family: the six comparisons
    of CIARP's Table 3; latent dimension 3 against 2, 4 and 8; the two gains at 50 images; the others alone. A claim

    - "holds" if the gain is positive and corrected p < alpha;
    - "does not hold" if the gain is negative and corrected p < alpha, or if its 95 % interval ends below half of what
      was published for the same sizes: a gain that small is none worth the name of the published one;
    - is "not decided" otherwise, and always if there are too few pairs for any corrected p below alpha: what cannot
      confirm a claim is not let refute it. One test takes 8 pairs (p = 2 / 2**8 = 0.0078), six take 11.

    A claim of several gains holds if all hold, and does not if one does not. A published figure (14.56 points) holds if
    there is a gain and its interval contains the figure, and does not if the interval leaves it out. Published figures
    are of MNIST and of single runs. In the published protocol arms differ in steps and selection too, so a verdict is
    on the arms as released, not on the images that joined.

    Args:
        frame: `results.collect` of any protocols.
        alpha: level of significance.

    Returns:
        List of `results.Claim`; where nothing was run, "not decided" with evidence "not run".
    """
    found = []
    for protocol in frame["protocol"].unique():
        rows = frame[(frame["protocol"] == protocol) & (frame["variant"] == "")]
        scores, fed = by_pair(rows), rows.loc[has_latent(rows), "arm"].unique()
        blind = ((rows["arm"] == "AUG+VAE") & (rows["generated"] == 0)).any()
        arms = [arm for arm in ARMS if arm in fed] or ["VAE"]
        parts = [*_arms(scores, alpha), _latents(scores, arms, alpha), *_fifty(scores, blind, alpha)]
        for text, source, verdict, evidence in [*parts, _pages(rows, alpha), _sizes(scores, alpha)]:
            if evidence != "not run":
                evidence += "." + (BLIND if blind and "AUG+VAE" in text + evidence else "")
            found.append(Claim(text, source, protocol, verdict, evidence))
    return found


def weigh(gains, alpha, judge):
    """Tests a family of gains.

    Args:
        gains: list of `Gain`.
        alpha: level of significance.
        judge: `judge_direction` or `judge_figure`; it is asked where the pairs can decide.

    Returns:
        List of (verdict, evidence), the evidence without a full stop.
    """
    tests = [paired_test(gain.differences) for gain in gains]
    corrected, floors = holm([test.p for test in tests]), holm([test.min_p for test in tests])
    family = np.isfinite(corrected).sum()
    needed = math.floor(math.log2(2 * max(1, family) / alpha)) + 1  # the least n with family * 2 / 2**n < alpha
    found = []
    for gain, test, p, floor in zip(gains, tests, corrected, floors, strict=True):
        if not test.n:
            found.append((OPEN, "not run"))
            continue
        points, figure = summary(np.round(100 * gain.differences, 10)), 100 * gain.published
        facts = [f"95 % interval {points.low:.2f} to {points.high:.2f}" if test.n > 1 else "no interval"]
        facts += [] if math.isnan(figure) else [f"published {figure:.2f}"]
        facts += [f"n = {test.n}", f"p = {test.p:.2g}"] + ([f"by Holm {p:.2g}"] if family > 1 else [])
        text = f"{gain.words}: {points.mean:.2f} points of F1 ({', '.join(facts)})"
        if floor >= alpha:
            seeds = math.ceil(needed / gain.differences.index.unique("size").size)
            text += f"; so few pairs give no p below {floor:.2g}, at least {needed} are needed ({seeds} seeds)"
        found.append((OPEN if floor >= alpha else judge(test, p, points, figure, alpha), text))
    return found


def judge_direction(test, p, points, figure, alpha):
    """The verdict on whether there is a gain; see `claims`.

    Args:
        test: `PairedTest`.
        p: corrected.
        points: `Summary` of the differences in points of F1.
        figure: the published gain in points of F1, or NaN.
        alpha: level of significance.
    """
    if p < alpha:
        return HOLDS if test.rank_biserial > 0 else FAILS
    return FAILS if figure > 0 and points.high < figure / 2 else OPEN


def judge_figure(test, p, points, figure, alpha):
    """The verdict on whether the gain is the published one; see `claims`, arguments as `judge_direction`."""
    if not points.low <= figure <= points.high:
        return FAILS
    return HOLDS if p < alpha and test.rank_biserial > 0 else OPEN


def all_of(verdicts):
    """The verdict on a claim of several gains."""
    return FAILS if FAILS in verdicts else HOLDS if set(verdicts) == {HOLDS} else OPEN


def make_gain(words, gaps, reference):
    """A `Gain` from obtained and published differences; the mean of these weighs sizes as the obtained ones do."""
    differences = over_latents(gaps.dropna())
    by_size = reference.groupby(level="size").mean()
    figure = by_size.reindex(differences.index.get_level_values("size")).mean(skipna=False)
    return Gain(words, differences, float(figure))


def table_2(latents=()):
    """CIARP's Table 2 as `by_pair` gives obtained scores: of these latent dimensions, or of all if none is named."""
    wide = published("ciarp_2").assign(seed=0).astype({"latent": "int64"})
    wide = wide.pivot(index=["size", "seed", "latent"], columns="method", values="f1_percent") / 100
    return wide[wide.index.get_level_values("latent").isin(latents)] if any(latents) else wide


def _arms(scores, alpha):
    reference = table_2(scores.index.unique("latent"))
    gains = [
        make_gain(f"{row} over {column}", scores[row] - scores[column], reference[row] - reference[column])
        for row, column, _ in TABLE_3
    ]
    found = weigh(gains, alpha, judge_direction)
    source = "CIARP 2018, section 3.4, Tables 2 and 3"
    each = [(text, source, *verdict) for (_, _, text), verdict in zip(TABLE_3, found, strict=True)]
    groups = {verdict: [] for verdict in (HOLDS, FAILS, OPEN, "not run")}
    for gain, (verdict, text) in zip(gains, found, strict=True):
        groups["not run" if text == "not run" else verdict].append(gain.words)
    evidence = "; ".join(f"{verdict}: {', '.join(words)}" for verdict, words in groups.items() if words)
    if all(gain.differences.empty for gain in gains):
        evidence = "not run"
    return [*each, (ALL_OF_TABLE_3, source, all_of([verdict for verdict, _ in found]), evidence)]


def _latents(scores, arms, alpha):
    def lead(wide, other):
        tables = {arm: wide[arm].unstack("latent").reindex(columns=[3, other]) for arm in arms}
        return pd.DataFrame({arm: table[3] - table[other] for arm, table in tables.items()}).mean(axis=1)

    gains = [
        make_gain(f"3 over {other} ({', '.join(arms)})", lead(scores, other), lead(table_2(), other))
        for other in (2, 4, 8)
    ]
    found = weigh(gains, alpha, judge_direction)
    texts = [
        text if text != "not run" else f"{gain.words}: {text}" for gain, (_, text) in zip(gains, found, strict=True)
    ]
    evidence = "not run" if all(gain.differences.empty for gain in gains) else "; ".join(texts)
    text = "Latent dimension 3 is the best of 2, 3, 4 and 8 overall"
    return text, "CIARP 2018, section 3.4; thesis, section 6.5.3", all_of([verdict for verdict, _ in found]), evidence


def _fifty(scores, blind, alpha):
    def at_fifty(wide, other, any_latent=False):
        gaps = wide["AUG+VAE"] - wide[other]
        latents = gaps.index.get_level_values("latent")
        return gaps[(gaps.index.get_level_values("size") == 50) & ((latents == 3) | any_latent)]

    figures = {"CNN": "14.56", "AUG": "4.76"}
    gains = [make_gain(f"AUG+VAE over {o}", at_fifty(scores, o, blind), at_fifty(table_2(), o)) for o in figures]
    claimed = []
    for other, gain, (verdict, text) in zip(figures, gains, weigh(gains, alpha, judge_figure), strict=True):
        if len(gain.differences) > 1:
            text += f"; single seeds gain {100 * gain.differences.min():.2f} to {100 * gain.differences.max():.2f}"
        claim = f"With 50 images and latent dimension 3, AUG+VAE gains {figures[other]} points of F1 over {other}"
        claimed.append((claim, "CIARP 2018, section 3.4", verdict, text))
    return claimed


def _pages(rows, alpha):
    vae = rows[(rows["arm"] == "VAE") & has_latent(rows)]
    obtained = vae.groupby(["size", "seed", "latent", "injection"])["f1"].mean().unstack("injection")
    cells = published("thesis_methods")
    cells = cells[(cells["section"] == "6.4.2") & (cells["metric"] == "f1") & cells["injection"].notna()]
    reference = cells.pivot(index=["size", "latent"], columns="injection", values="value")  # latent dimension 2 alone
    gaps = [wide["pages"] - wide["all"] for wide in (obtained.reindex(columns=["pages", "all"]), reference)]
    [found] = weigh([make_gain("pages over all at once", *gaps)], alpha, judge_direction)
    text = "Generated images do better fed in pages than all at once (NEW VAE above OLD VAE)"
    return text, "Thesis, section 6.4, Tables 6.28 to 6.32", *found


def _sizes(scores, alpha):
    def shrinkage(wide):
        table = over_latents((wide["VAE"] - wide["CNN"]).dropna()).unstack("size").reindex(columns=ends)
        return pd.concat({ends[0]: table[ends[0]] - table[ends[-1]]}, names=["size"])

    found = OPEN, "not run"
    sizes = sorted((scores["VAE"] - scores["CNN"]).dropna().index.unique("size"))
    if len(sizes) > 1:
        ends, reference = [sizes[0], sizes[-1]], table_2(scores.index.unique("latent"))
        words = f"VAE over CNN with {ends[0]} images less that with {ends[1]}"
        [found] = weigh([make_gain(words, shrinkage(scores), shrinkage(reference))], alpha, judge_direction)
    text = "Generated images gain the more over the plain CNN, the smaller the training set"
    return text, "CIARP 2018, Table 2; thesis, section 6.4.2", *found
