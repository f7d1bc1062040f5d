"""The rule by which a comparison is answered, stated once: it estimates, and tests nothing.

A gain is the difference of two arms' macro F1 on one split, in points (hundredths); splits share images, so their gains
are no independent numbers. The 95 % interval of the mean gain over n splits is Student's, with the variance corrected
for what the splits share (Nadeau and Bengio, Machine Learning 52, 2003, section 3):

    mean +- t(0.975, n - 1) * sd * sqrt(1 / n + left out / trained on)

where sd is the gains' standard deviation, but at least one test image's worth of score, 100 / test images of the
smallest test part: equal gains from a handful of test images come of a coarse scale. The
verdict on the interval is, in this order,

    no difference worth having    the interval lies within one point of zero, ends included
    helps, harms                  the interval lies above zero, below zero
    cannot tell                   otherwise, and always with one split

The two arms compared are the best of each kind by their mean over the same splits. Both are picked among several, so
that what picking the best one flatters is about the same on both sides.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

WORTH = 1.0  # points: a smaller difference is not worth having
HELPS, HARMS, SAME, UNKNOWN = "helps", "harms", "no difference worth having", "cannot tell"
MOST_SPLITS = 200  # beyond, nobody waits for more
MOST_TIMES = 20  # as many images: beyond, nobody takes more, and two or three splits say nothing of so many


class Gain(NamedTuple):
    """The mean of paired gains in points, its 95 % interval (NaN with one split), deviation and number of splits."""

    mean: float
    low: float
    high: float
    sd: float
    n: int

    def in_words(self):
        if self.n < 2:
            return f"{self.mean:+.1f} points of macro F1 on 1 split"
        return (
            f"{self.mean:+.1f} points of macro F1, 95 % interval {self.low:+.1f} to {self.high:+.1f}, {self.n} splits"
        )


def half_width(sd, n, overlap):
    """Half the width of the interval of a mean over n splits; `overlap` is left out over trained on."""
    return float(stats.t.ppf(0.975, n - 1) * sd * math.sqrt(1 / n + overlap))


def estimate(gains, overlap, image=0.0):
    """Estimates the mean gain.

    Args:
        gains: `(n,)`, points, one per split, at least one.
        overlap: images left out of a split's training part over those in it.
        image: points that one test image is worth, below which no deviation is taken.

    Returns:
        `Gain`.
    """
    gains = np.asarray(gains, float)
    mean, n = float(gains.mean()), len(gains)
    if n < 2:
        return Gain(mean, math.nan, math.nan, math.nan, n)
    sd = max(float(gains.std(ddof=1)), image)
    half = half_width(sd, n, overlap)
    return Gain(mean, mean - half, mean + half, sd, n)


def judge(gain):
    """The verdict on a `Gain`; see above."""
    if gain.n < 2:
        return UNKNOWN
    if gain.low >= -WORTH and gain.high <= WORTH:
        return SAME
    return HELPS if gain.low > 0 else HARMS if gain.high < 0 else UNKNOWN


def more_splits(gain, overlap):
    """How many more splits would decide, if their gains went on as so far; None if no number up to 200 would."""
    if gain.n < 2:
        return None
    for n in range(gain.n + 1, MOST_SPLITS + 1):
        half = half_width(gain.sd, n, overlap)
        if judge(gain._replace(low=gain.mean - half, high=gain.mean + half, n=n)) != UNKNOWN:
            return n - gain.n
    return None


def more_images(gain):
    """How many times as many images would decide, if the variance of gains falls as their number grows; or None."""
    if gain.n < 2 or not gain.sd:
        return None
    half = gain.high - gain.mean
    wanted = max(abs(gain.mean), WORTH - abs(gain.mean))
    return math.ceil((half / wanted) ** 2) if wanted else None


def sentence(one, other, gain, overlap):
    """The answer in words: what images of `one` do beside `other`, both titles of arms."""
    verdict, beside = judge(gain), f"{one} against {other}: {gain.in_words()}"
    words = {
        HELPS: "Generated images help",
        HARMS: "Generated images harm",
        SAME: "Generated images make no difference worth having",
    }
    if verdict != UNKNOWN:
        return f"{words[verdict]}. {beside}."
    need = "at least one more split is needed for an interval"
    if gain.n >= 2:
        splits, times = more_splits(gain, overlap), more_images(gain)
        need = (
            f"about {splits} more {'split' if splits == 1 else 'splits'} would"
            if splits
            else (
                "more images would"
                if not times
                else f"no number of further splits would, but about {times} times as many images"
                if times <= MOST_TIMES
                else f"no number of further splits would, nor {MOST_TIMES} times as many images"
            )
        )
    return f"Cannot tell from this many images and splits whether generated images help; {need}. {beside}."
