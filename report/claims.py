"""Judges claims by paired gains: statements, the gaps that they name, the tests, the sentences that say what was found.

A claim names gains: differences of paired scores, one per (size, seed). Each is tested, its p corrected by Holm's
method within its family, the gains of statements that are judged together. A claim

- "holds" if the gain is positive and corrected p < alpha;
- "does not hold" if the gain is negative and corrected p < alpha, or if its 95 % interval ends below half of what was
  published for the same sizes: a gain that small is none worth the name of the published one;
- is "not decided" otherwise, and always if there are too few pairs for any corrected p below alpha: what cannot confirm
  a claim is not let refute it. At alpha 0.01 one test takes 8 pairs (p = 2 / 2**8 = 0.0078), six take 11.

A claim of several gains holds if all hold, and does not if one does not. A published figure (`judge_figure`) holds if
there is a gain and its interval contains the figure, and does not if the interval leaves it out.
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd

from report.parts import Claim
from report.statistics import OPEN, holm, over_latents, paired_test, summary

HOLDS, FAILS = "holds", "does not hold"
NOT_RUN = "not run"
POWER = 0.8  # chance that so many pairs as an evidence names decide a claim


class Gain(NamedTuple):
    """Paired differences, a Series indexed by (size, seed), with their name and the published mean for these sizes."""

    words: str
    differences: pd.Series
    published: float


class Gap(NamedTuple):
    """How far `one` is ahead of `other`: called with obtained and published scores it gives a `Gain`.

    Attributes:
        one, other: columns of the tables of scores, whose index has the levels `size` and `seed` and any others.
        where: {level of the index: value} of the rows that count.
        suffix: what the gain's name says after "one over other".
        sign: -1 where lower scores are better, as of errors.
    """

    one: str
    other: str
    where: dict = {}  # noqa: RUF012
    suffix: str = ""
    sign: int = 1

    def difference(self, scores):
        """The differences, a Series indexed as `scores`, without the rows that one of the two lacks."""
        found = (self.sign * scores[self.one] - self.sign * scores[self.other]).dropna()
        for level, value in self.where.items():
            found = found[found.index.get_level_values(level) == value]
        return found

    def __call__(self, obtained, published):
        """The `Gain`; the published one is of the same rows, seeds apart."""
        ours, theirs = self.difference(obtained), self.difference(published)
        shared = theirs.droplevel("seed").index.intersection(ours.droplevel("seed").index)
        theirs = theirs[theirs.droplevel("seed").index.isin(shared)]
        return make_gain(f"{self.one} over {self.other}{self.suffix}", ours, theirs)


def make_gain(words, gaps, reference):
    """A `Gain` from obtained and published differences; the mean of these weighs sizes as the obtained ones do."""
    differences = over_latents(gaps.dropna())
    by_size = reference.groupby(level="size").mean()
    figure = by_size.reindex(differences.index.get_level_values("size")).mean(skipna=False)
    return Gain(words, differences, float(figure))


def judge_direction(test, p, points, figure, alpha):
    """The verdict on whether there is a gain; see above.

    Args:
        test: `PairedTest`.
        p: corrected.
        points: `Summary` of the differences in points, a point being 0.01.
        figure: the published gain in points, or NaN.
        alpha: level of significance.
    """
    if p < alpha:
        return HOLDS if test.rank_biserial > 0 else FAILS
    return FAILS if figure > 0 and points.high < figure / 2 else OPEN


def judge_figure(test, p, points, figure, alpha):
    """The verdict on whether the gain is the published one; see above, arguments as `judge_direction`."""
    if not points.low <= figure <= points.high:
        return FAILS
    return HOLDS if p < alpha and test.rank_biserial > 0 else OPEN


def judge_least(least):
    """A judge of whether the gain is at least so many points; arguments as `judge_direction`."""

    def judge(test, p, points, figure, alpha):
        if points.high < least:
            return FAILS
        return HOLDS if p < alpha and points.low > least else OPEN

    return judge


class Statement(NamedTuple):
    """A claim: it holds if all its gaps do.

    Attributes:
        text, source: the claim in our words; where it stands.
        gaps: tuple of functions from obtained and published scores to a `Gain`, e.g. `Gap`s.
        judge: what decides on a gain where the pairs can, e.g. `judge_direction`.
        remark: a gain to what its evidence says beyond the test, or None.
    """

    text: str
    source: str
    gaps: tuple
    judge: Callable = judge_direction
    remark: Callable | None = None


def judge_family(statements, obtained, published, protocol, alpha, unit="points of F1"):
    """Judges statements whose gains are one family.

    Args:
        statements: list of `Statement`.
        obtained, published: scores, DataFrames indexed by size, seed and other levels, a column per thing compared.
        protocol: `"fair"` or `"published"`.
        alpha: level of significance.
        unit: what a hundredth is called.

    Returns:
        List of `Claim`; where nothing was run, "not decided" with evidence "not run" and the pairs that it takes.
    """
    gains = [[gap(obtained, published) for gap in statement.gaps] for statement in statements]
    judges = [statement.judge for statement in statements for _ in statement.gaps]
    found = iter(test_gains([gain for part in gains for gain in part], judges, alpha, unit))
    claims = []
    for statement, part in zip(statements, gains, strict=True):
        verdicts, run, missing = [], [], []
        for gain, (verdict, text) in zip(part, found, strict=False):
            verdicts.append(verdict)
            if text == NOT_RUN:
                missing.append(f"not run: {gain.words}")
            else:
                run.append(text + (statement.remark(gain) if statement.remark else ""))
        lacking = f"{NOT_RUN}; at least {fewest_pairs(len(judges), alpha)} pairs are needed."
        evidence = f"{'; '.join([*run, *missing])}." if run else lacking
        claims.append(Claim(statement.text, statement.source, protocol, all_of(verdicts), evidence))
    return claims


def fewest_pairs(family, alpha):
    """The least n with family * 2 / 2**n < alpha: fewer pairs give no corrected p below alpha."""
    return math.floor(math.log2(2 * max(1, family) / alpha)) + 1


def likely_pairs(test, family, alpha):
    """About how many pairs would decide a gain whose mean and spread are as found, by the normal approximation.

    Args:
        test: `PairedTest` that found p >= alpha.
        family: number of tests that Holm's method corrects for.
        alpha: level of significance.

    Returns:
        int above the pairs that there are, or None where the gain is 0 or its spread unknown.
    """
    if not (math.isfinite(test.d_z) and test.d_z):
        return None
    normal = NormalDist()
    wanted = (normal.inv_cdf(1 - alpha / (2 * family)) + normal.inv_cdf(POWER)) / abs(test.d_z)
    return max(test.n + 1, math.ceil(wanted**2))


def test_gains(gains, judges, alpha, unit):
    """Tests a family of gains.

    Args:
        gains: list of `Gain`.
        judges: for each gain what decides on it where the pairs can, e.g. `judge_direction`.
        alpha: level of significance.
        unit: what a hundredth is called.

    Returns:
        List of (verdict, evidence), the evidence without a full stop.
    """
    tests = [paired_test(gain.differences) for gain in gains]
    corrected, floors = holm([test.p for test in tests]), holm([test.min_p for test in tests])
    family = int(np.isfinite(corrected).sum())
    needed = fewest_pairs(family, alpha)
    found = []
    for gain, judge, test, p, floor in zip(gains, judges, tests, corrected, floors, strict=True):
        if not test.n:
            found.append((OPEN, NOT_RUN))
            continue
        points, figure = summary(np.round(100 * gain.differences, 10)), 100 * gain.published
        facts = [f"95 % interval {points.low:.2f} to {points.high:.2f}" if test.n > 1 else "no interval"]
        facts += [] if math.isnan(figure) else [f"published {figure:.2f}"]
        facts += [f"n = {test.n}", f"p = {test.p:.2g}"] + ([f"by Holm {p:.2g}"] if family > 1 else [])
        text = f"{gain.words}: {points.mean:.2f} {unit} ({', '.join(facts)})"
        if floor >= alpha:
            seeds = math.ceil(needed / gain.differences.index.unique("size").size)
            text += f"; so few pairs give no p below {floor:.2g}, at least {needed} are needed ({seeds} seeds)"
            found.append((OPEN, text))
            continue
        verdict = judge(test, p, points, figure, alpha)
        if verdict == OPEN and (likely := likely_pairs(test, family, alpha)):
            text += f"; a gain of this mean and spread would be decided by about {likely} pairs"
        found.append((verdict, text))
    return found


def all_of(verdicts):
    """The verdict on a claim of several gains."""
    return FAILS if FAILS in verdicts else HOLDS if set(verdicts) == {HOLDS} else OPEN
