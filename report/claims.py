"""Judges claims by paired gains: the rule, and the sentences that say what was found."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from report.statistics import OPEN, holm, over_latents, paired_test, summary

HOLDS, FAILS = "holds", "does not hold"


class Gain(NamedTuple):
    """Paired differences, a Series indexed by (size, seed), with their name and the published mean for these sizes."""

    words: str
    differences: pd.Series
    published: float


def weigh(gains, alpha, judge, unit="points of F1"):
    """Tests a family of gains.

    Args:
        gains: list of `Gain`.
        alpha: level of significance.
        judge: `judge_direction` or `judge_figure`; it is asked where the pairs can decide.
        unit: what a hundredth is called.

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
        text = f"{gain.words}: {points.mean:.2f} {unit} ({', '.join(facts)})"
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
