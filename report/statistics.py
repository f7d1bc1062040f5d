"""Intervals and paired tests: pure functions on arrays and on the DataFrame of `results.collect`."""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

ALPHA = 0.01  # CIARP 2018, Table 3
RESAMPLES = 10_000
EXACT_PAIRS = 300  # beyond, the signed-rank sum is as good as normal
OPEN = "not decided"


class Summary(NamedTuple):
    """Mean, standard deviation (n - 1), number of scores, and the ends of the mean's 95 % interval."""

    mean: float
    sd: float
    n: int
    low: float
    high: float

    def in_words(self):
        """How many pairs, and the interval if there are two or more; of gains in percentage points."""
        if self.n == 1:
            return "1 pair"
        return f"{self.n} pairs, 95 % interval {self.low:+.1f} to {self.high:+.1f}"


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


def summary(scores):
    """Mean and spread of some scores, with a 95 % bootstrap interval of the mean.

    The interval is Hesterberg's expanded percentile one (The American Statistician 69(4), 2015): quantiles of resampled
    means, taken further out by what turns a normal quantile into Student's and n into n - 1. Tried on 1,500 samples of
    5 and of 10 normal scores, it covered the mean in 91 and 94 % of them, the plain percentile interval in 83 and 91 %,
    BCa (500 samples) in 83 and 92 %. It stays within the scores, so with two to four of them it is too narrow (53, 76,
    89 %). Resampling is seeded: the same scores give the same interval.

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
    exact, ties or not, up to 300 pairs; SciPy takes the normal law at a tie or a zero, which depends on its version.

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


def over_latents(gaps):
    """Differences indexed by (size, seed), those of several latent dimensions averaged."""
    return gaps.groupby(level=["size", "seed"]).mean()
