"""The rule that answers a comparison: each verdict, each edge, by hand."""

import math

import pytest

from experiments.own_data import verdict
from experiments.own_data.verdict import HARMS, HELPS, SAME, UNKNOWN, Gain


def gain(low, high, n=5):
    return Gain((low + high) / 2, low, high, 1.0, n)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.1, 4.0, HELPS),
        (-4.0, -0.1, HARMS),
        (-0.5, 0.5, SAME),
        (-1.0, 1.0, SAME),  # the ends belong to it
        (0.2, 0.9, SAME),  # surely above zero, and not worth having
        (-0.9, -0.2, SAME),
        (0.2, 1.01, HELPS),
        (-1.01, -0.2, HARMS),
        (0.0, 3.0, UNKNOWN),  # zero itself is not above zero
        (-3.0, 0.0, UNKNOWN),
        (-2.0, 3.0, UNKNOWN),
        (-1.01, 0.5, UNKNOWN),
    ],
)
def test_the_verdict_follows_from_the_interval(low, high, words):
    assert verdict.judge(gain(low, high)) == words


def test_one_split_tells_nothing():
    found = verdict.estimate([7.0], 0.25)
    assert (found.mean, found.n) == (7.0, 1)
    assert math.isnan(found.low)
    assert verdict.judge(found) == UNKNOWN
    assert "at least one more split" in verdict.sentence("VAE", "plain", found, 0.25)


def test_the_interval_is_students_with_the_correction_for_shared_images():
    # Gains 1, 2, 3: mean 2, deviation 1; t(0.975, 2) = 4.30265; sqrt(1/3 + 1/3) = 0.81650
    found = verdict.estimate([1.0, 2.0, 3.0], 1 / 3)
    assert (found.mean, found.sd, found.n) == (2.0, 1.0, 3)
    assert found.high - found.mean == pytest.approx(4.30265 * 0.81650, abs=1e-4)
    # Without anything in common it is Student's own: 4.30265 / sqrt(3)
    assert verdict.estimate([1.0, 2.0, 3.0], 0).high - 2 == pytest.approx(4.30265 / math.sqrt(3), abs=1e-4)


def test_equal_gains_are_their_own_interval():
    assert verdict.judge(verdict.estimate([0.0, 0.0], 0.25)) == SAME
    assert verdict.judge(verdict.estimate([2.0, 2.0], 0.25)) == HELPS
    assert verdict.judge(verdict.estimate([-2.0, -2.0], 0.25)) == HARMS


@pytest.mark.parametrize(
    ("gains", "images", "words"),
    [
        ([0.0, 0.0, 0.0], 6, UNKNOWN),
        ([0.0, 0.0, 0.0], 600, SAME),  # 4.303 * 0.167 * 0.816 = 0.59
        ([66.7, 66.7, 66.7], 2, UNKNOWN),
        ([5.0, 5.0, 5.0], 600, HELPS),
    ],
)
def test_gains_vary_by_one_test_image_at_least(gains, images, words):
    found = verdict.estimate(gains, 1 / 3, 100 / images)
    assert found.sd == 100 / images
    assert verdict.judge(found) == words


def test_a_larger_deviation_stays():
    assert verdict.estimate([1.0, 2.0, 3.0], 1 / 3, 0.5) == verdict.estimate([1.0, 2.0, 3.0], 1 / 3)


def test_how_many_more_splits_would_decide():
    # Mean 2, deviation 1, overlap 0: t(0.975, n-1) / sqrt(n) is 2.48 at n = 3 and 1.59 at n = 4
    found = verdict.estimate([1.0, 2.0, 3.0], 0)
    assert verdict.judge(found) == UNKNOWN
    assert verdict.more_splits(found, 0) == 1
    assert "about 1 more split would" in verdict.sentence("VAE", "plain", found, 0)


def test_what_splits_share_may_leave_no_number_of_splits_that_decides():
    found = verdict.estimate([-5.0, 0.5, 6.0], 1 / 3)
    assert verdict.more_splits(found, 1 / 3) is None
    words = verdict.sentence("VAE", "plain", found, 1 / 3)
    assert "no number of further splits would, nor 20 times as many images" in words
    # The half width is 4.303 * 5.5 * 0.8165 = 19.3, the mean 0.5: to come within 0.5 takes (19.3 / 0.5)^2 = 1,494
    assert verdict.more_images(found) == pytest.approx((19.32 / 0.5) ** 2, rel=0.01)
    few = verdict.Gain(2.0, -5.0, 9.0, 3.0, 3)  # (7 / 2)^2 = 12.25
    assert "about 13 times as many images" in verdict.sentence("VAE", "plain", few, 10)


@pytest.mark.parametrize(
    ("gains", "begins"),
    [
        ([4.0, 4.1, 4.2], "Generated images help. VAE against plain: +4.1 points"),
        ([-4.0, -4.1, -4.2], "Generated images harm."),
        ([0.1, 0.0, -0.1], "Generated images make no difference worth having."),
        ([-5.0, 0.5, 6.0], "Cannot tell from this many images and splits"),
    ],
)
def test_the_first_sentence_says_it_in_words(gains, begins):
    assert verdict.sentence("VAE", "plain", verdict.estimate(gains, 1 / 3), 1 / 3).startswith(begins)
