"""Intervals, tests and verdicts against numbers worked out by hand, SciPy, and the published scores themselves."""

import itertools
import math
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.thesis import published
from experiments.thesis.claims import judge as claims
from experiments.thesis.comparison import compare_arms
from report import statistics
from report.statistics import holm, paired_test, summary

pytestmark = pytest.mark.filterwarnings("error")
HOLDS, FAILS, OPEN = "holds", "does not hold", "not decided"
SEEDS = range(42, 54)
SIZES, LATENTS = (50, 100, 250, 500, 1000), (2, 3, 4, 8)


def grid(rows, protocol="fair"):
    """Rows (arm, size, latent or None, seed, f1) as `results.collect` gives them; injection "all" is the arm "all"."""
    frame = pd.DataFrame(rows, columns=["arm", "size", "latent", "seed", "f1"])
    fed = frame["latent"].notna()
    frame["injection"] = np.where(frame["arm"] == "all", "all", np.where(fed, "pages", ""))
    frame["generated"] = np.where(fed, 3000, 0)
    if protocol == "published":
        frame.loc[frame["arm"] == "AUG+VAE", "generated"] = 0
    arms = pd.Categorical(frame["arm"].replace("all", "VAE"), ["CNN", "VAE", "AUG", "AUG+VAE"])
    frame["latent"] = frame["latent"].astype("Int64")
    return frame.assign(arm=arms, protocol=protocol, variant="")


def as_published():
    """CIARP's Table 2 as if it were a grid of one seed, AUG+VAE fed; CNN and AUG once a size."""
    table = published.read("ciarp_2")
    rows = [
        (row.method, row.size, row.latent if "VAE" in row.method else None, 42, row.f1_percent / 100)
        for row in table.itertuples(index=False, name="Row")
        if "VAE" in row.method or row.latent == 2
    ]
    return grid(rows)


def repeated(frame, spread=0.001, seeds=SEEDS):
    """The same scores with every seed, seeds shifting generated arms by an even fan of -spread to spread."""
    seeds = list(seeds)
    shifts = np.linspace(-spread, spread, len(seeds))
    fed = frame["arm"].isin(["VAE", "AUG+VAE"])
    return pd.concat(
        [frame.assign(seed=seed, f1=frame["f1"] + fed * shift) for seed, shift in zip(seeds, shifts, strict=True)],
        ignore_index=True,
    )


def two_arms(differences, row="VAE", column="CNN", size=50, latent=3, base=0.5):
    """One score of either arm a seed, `row` ahead of `column` by each of the differences."""
    latents = {arm: latent if "VAE" in arm else None for arm in (row, column)}
    rows = [(row, size, latents[row], 42 + k, base + gap) for k, gap in enumerate(differences)]
    return grid(rows + [(column, size, latents[column], 42 + k, base) for k in range(len(differences))])


def comparison(frame, row="VAE", column="CNN", **options):
    table = compare_arms(frame, **options).set_index(["row", "column"])
    return table.loc[(row, column)]


def find(found, words, protocol="fair"):
    (claim,) = [claim for claim in found if words in claim.text and claim.protocol == protocol]
    return claim


# Summaries


def test_mean_and_standard_deviation_by_hand():
    found = summary([1, 2, 3, 4])
    assert (found.mean, found.n) == (2.5, 4)
    assert found.sd == pytest.approx(math.sqrt(5 / 3))


def test_interval_lies_in_the_scores_around_the_mean_and_is_the_same_again():
    scores = np.random.default_rng(1).beta(9, 2, 10)
    found = summary(scores)
    assert scores.min() <= found.low < found.mean < found.high <= scores.max()
    assert summary(scores) == found == summary(list(scores))


def test_interval_moves_and_stretches_with_the_scores():
    scores = np.random.default_rng(2).normal(size=9)
    found, moved = summary(scores), summary(3 + 100 * scores)
    assert moved.low == pytest.approx(3 + 100 * found.low)
    assert moved.high == pytest.approx(3 + 100 * found.high)


def test_interval_is_scipys_percentile_interval_at_the_expanded_level():
    scores = np.random.default_rng(3).normal(size=8)
    tail = stats.norm.cdf(math.sqrt(8 / 7) * stats.t.ppf(0.025, 7))
    assert tail == pytest.approx(0.0057, abs=1e-4)  # phi(-1.069 * 2.365 = -2.528), where plain is 0.025
    expected = stats.bootstrap(
        (scores,), np.mean, confidence_level=1 - 2 * tail, method="percentile", n_resamples=20_000
    ).confidence_interval
    error = scores.std(ddof=1) / math.sqrt(8)
    assert summary(scores)[3:] == pytest.approx(expected, abs=0.3 * error)  # 5 standard errors of the two resamplings


def test_interval_of_many_scores_is_the_normal_one():
    scores = np.random.default_rng(4).normal(size=400)
    found = summary(scores)
    half = 1.96 * scores.std(ddof=1) / 20
    assert (found.low, found.high) == pytest.approx((scores.mean() - half, scores.mean() + half), abs=0.1 * half)


def test_interval_of_five_scores_covers_their_mean_more_often_than_the_plain_one():
    rng = np.random.default_rng(5)
    found = [summary(scores) for scores in rng.normal(size=(400, 5))]
    assert np.mean([one.low <= 0 <= one.high for one in found]) > 0.87  # plain: 0.84


def test_two_scores_give_their_range():
    assert summary([0.9, 0.8])[3:] == (0.8, 0.9)


def test_one_score_has_no_spread_and_none_no_mean():
    one, none = summary([0.9]), summary([])
    assert (one.mean, one.n) == (0.9, 1)
    assert none.n == 0
    assert np.isnan([one.sd, one.low, one.high, none.mean, none.sd, none.low, none.high]).all()


def test_equal_scores_give_a_point():
    assert summary([0.1] * 7) == (0.1, 0.0, 7, 0.1, 0.1)  # the mean of seven 0.1 is not 0.1 in floating point


# Paired tests


def test_six_gains_are_one_of_64_sign_patterns_on_either_side():
    found = paired_test([2, 4, 6, 8, 10, 12], [1, 2, 3, 4, 5, 6])
    assert found.p == found.min_p == 2 / 64
    assert (found.n, found.statistic, found.rank_biserial) == (6, 0, 1)
    assert (found.mean_difference, found.median_difference) == (3.5, 3.5)


def test_mixed_signs_by_hand():
    # Ranks 1 to 5, the negative sum is 2; of the 32 sets of ranks {}, {1} and {2} sum to no more.
    found = paired_test([1, -2, 3, 4, 5])
    assert found.p == pytest.approx(2 * 3 / 32)
    assert found.statistic == 2
    assert found.rank_biserial == pytest.approx((13 - 2) / 15)
    assert found.d_z == pytest.approx(2.2 / math.sqrt(30.8 / 4))  # squares 1.44 + 17.64 + 0.64 + 3.24 + 7.84 = 30.8
    assert found.min_p == 2 / 32


def test_ties_share_their_mean_rank():
    # Ranks 2, 2, 2, 4, the negative sum is 2; of the 16 sets {} and the three of one 2 sum to no more.
    found = paired_test([1, 1, -1, 2])
    assert (found.p, found.statistic, found.rank_biserial) == (2 * 4 / 16, 2, 0.6)


def test_pairs_without_a_difference_are_dropped_but_counted():
    found = paired_test([1, 1, 1, 2, 3], [1, 1, 0, 0, 0])
    assert (found.p, found.rank_biserial) == (2 / 8, 1)  # of three
    assert (found.n, found.min_p, found.mean_difference, found.median_difference) == (5, 2 / 32, 1.2, 1)


def test_no_difference_in_any_pair():
    found = paired_test([0.5, 0.6, 0.7], [0.5, 0.6, 0.7])
    assert found == (3, 0, 0, 0, 1, 2 / 8, 0, 0)


def test_one_pair_and_none():
    one, none = paired_test([0.6], [0.5]), paired_test([], [])
    assert (one.n, one.p, one.min_p, one.rank_biserial) == (1, 1, 1, 1)
    assert math.isnan(one.d_z)
    assert none.n == 0
    assert np.isnan(none[1:]).all()


def test_differences_of_one_size_have_an_infinite_standardised_mean():
    assert paired_test([1, 1, 1]).d_z == math.inf
    assert paired_test([-0.1, -0.1, -0.1]).d_z == -math.inf


def test_ties_and_zeros_are_found_beneath_rounding():
    a, b = [0.3, 0.7, 0.5, 0.1 + 0.2], [0.2, 0.8, 0.3, 0.3]  # no two sizes equal and none 0, in their last bits
    assert len(set(np.abs(np.subtract(a, b))) - {0}) == 4
    found, whole = paired_test(a, b), paired_test([1, -1, 2, 0])
    assert (found.p, found.statistic, found.rank_biserial) == (whole.p, 1.5, whole.rank_biserial)
    assert found.rank_biserial == (1.5 + 3 - 1.5) / 6


def test_turned_round_only_signs_change():
    a, b = np.random.default_rng(6).normal(size=(2, 15))
    one, other = paired_test(a, b), paired_test(b, a)
    assert one.p == pytest.approx(other.p)
    assert one.statistic == pytest.approx(other.statistic)
    for name in ("mean_difference", "median_difference", "rank_biserial", "d_z"):
        assert getattr(one, name) == pytest.approx(-getattr(other, name))


@pytest.mark.parametrize("n", [3, 8, 20, 45])
def test_exact_p_is_scipys(n):
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    found, expected = paired_test(differences), stats.wilcoxon(differences, method="exact")
    assert found.p == pytest.approx(expected.pvalue)
    assert found.statistic == expected.statistic


def test_p_with_ties_counts_every_sign_pattern():
    differences = np.array([1, 1, 2, -2, 3, 3, -3, 5, 8])
    ranks = stats.rankdata(abs(differences))
    sums = [ranks[np.array(signs)].sum() for signs in itertools.product([False, True], repeat=9)]
    distance = abs(ranks[differences > 0].sum() - ranks.sum() / 2)
    expected = np.mean([abs(found - ranks.sum() / 2) >= distance for found in sums])
    assert paired_test(differences).p == pytest.approx(expected)


def test_p_of_many_pairs_is_the_normal_one(monkeypatch):
    differences = np.round(np.random.default_rng(7).normal(0.1, 1, 400), 2)  # with ties
    differences = differences[differences != 0]
    assert paired_test(differences).p == pytest.approx(stats.wilcoxon(differences).pvalue)
    exact = paired_test(differences[:300]).p
    monkeypatch.setattr(statistics, "EXACT_PAIRS", 299)
    assert paired_test(differences[:300]).p == pytest.approx(exact, rel=0.01)
    assert paired_test(np.arange(1, 2001)).min_p == 0  # 2 / 2**2000 is below the least float


@pytest.mark.parametrize(
    ("a", "b", "words"), [([1, 2], [1], "shapes"), ([[1]], [[1]], "shapes"), ([1, math.nan], [1, 2], "finite")]
)
def test_scores_that_do_not_pair_are_refused(a, b, words):
    with pytest.raises(ValueError, match=words):
        paired_test(a, b)


# Holm


def test_holm_by_hand():
    # sorted 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1 = 0.02, 0.03, 0.06, 0.04; the last may not fall below 0.06
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_holm_passes_over_what_was_not_tested():
    np.testing.assert_allclose(holm([math.nan, 0.02, math.nan, 0.01]), [math.nan, 0.02, math.nan, 0.02])


def test_holm_stays_at_one_and_takes_an_empty_family():
    np.testing.assert_allclose(holm([0.5, 0.6, 0.9]), [1, 1, 1])
    assert holm([]).shape == (0,)
    np.testing.assert_allclose(holm([0.03]), [0.03])


# Comparisons of arms


def test_published_scores_give_the_published_table():
    table = compare_arms(as_published(), pool="latents")
    assert (table["n"] == 20).all()
    assert (table["outcome"] == table["published"]).all()
    assert (table["outcome_holm"] == table["published"]).all()
    last = table.iloc[-1]
    assert (last["row"], last["column"]) == ("AUG+VAE", "AUG")
    assert last["p"] == pytest.approx(2.4e-4, rel=0.02)
    # Ranked by size the three losses, all of 100 images (0.12, 0.29, 0.35), come 2nd, 5th and 8th: 15 of 210
    assert last["rank_biserial"] == pytest.approx(1 - 2 * 15 / 210)
    assert (table["p"][:-1] == 2 / 2**20).all()  # everything else is of one sign
    assert table["p_holm"][0] == pytest.approx(6 * 2 / 2**20)


def test_published_scores_decide_nothing_when_no_pair_counts_twice():
    table = compare_arms(as_published())
    assert (table["n"] == 5).all()
    assert (table["min_p"] == 2 / 32).all()
    assert (table["outcome"] == OPEN).all()
    np.testing.assert_allclose(table["mean_difference"], compare_arms(as_published(), pool="latents").mean_difference)


def test_rows_stand_as_in_the_paper():
    table = compare_arms(as_published())
    expected = ["VAE CNN", "VAE AUG", "AUG CNN", "AUG VAE", "AUG+VAE CNN", "AUG+VAE VAE", "AUG+VAE AUG"]
    assert list(table["row"] + " " + table["column"]) == expected
    turned = table.set_index(["row", "column"]).loc[[("VAE", "AUG"), ("AUG", "VAE")]]
    assert turned["p_holm"].nunique() == 1
    assert turned["mean_difference"].sum() == pytest.approx(0)


def test_six_pairs_are_corrected_for_and_not_seven():
    frame = repeated(as_published())
    assert comparison(frame)["p_holm"] == pytest.approx(6 * comparison(frame)["p"])


def test_pairs_by_hand_with_missing_cells():
    rows = [("CNN", 50, None, 1, 0.50), ("CNN", 50, None, 2, 0.60), ("CNN", 100, None, 1, 0.70)]
    rows += [("VAE", 50, 2, 1, 0.54), ("VAE", 50, 3, 1, 0.56), ("VAE", 50, 3, 2, 0.61), ("VAE", 250, 3, 1, 0.9)]
    rows += [("AUG+VAE", 50, 2, 1, 0.60), ("AUG+VAE", 50, 3, 2, 0.65), ("AUG+VAE", 50, 8, 2, 0.99)]
    found = comparison(grid(rows))
    assert found["n"] == 2  # seeds 1 and 2 of 50: 0.04 and 0.06 make 0.05, and 0.01
    assert found["mean_difference"] == pytest.approx(0.03)
    pooled = comparison(grid(rows), pool="latents")
    assert (pooled["n"], pooled["median_difference"]) == (3, pytest.approx(0.04))
    both = comparison(grid(rows), "AUG+VAE", "VAE")  # by latent: 0.60 - 0.54 and 0.65 - 0.61
    assert (both["n"], both["mean_difference"]) == (2, pytest.approx(0.05))
    assert comparison(grid(rows), "AUG", "CNN")["n"] == 0


def test_rows_may_come_in_any_order():
    frame = repeated(as_published())
    shuffled = frame.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(compare_arms(shuffled), compare_arms(frame))


def test_arms_without_latents_repeat_only_when_latents_are_pooled():
    rows = [(arm, 50, None, seed, f1) for arm, f1 in (("CNN", 0.5), ("AUG", 0.7)) for seed in (1, 2, 3)]
    assert comparison(grid(rows), "AUG", "CNN", pool="latents")["n"] == 3  # no latent dimension anywhere
    rows += [("VAE", 50, latent, 1, 0.6) for latent in LATENTS]
    assert comparison(grid(rows), "AUG", "CNN", pool="latents")["n"] == 12
    assert comparison(grid(rows), "AUG", "CNN")["n"] == 3


def test_the_published_both_arm_stands_for_every_latent():
    rows = [("VAE", 50, latent, seed, 0.6 + latent / 100) for latent in LATENTS for seed in (1, 2)]
    rows += [("AUG+VAE", 50, 2, seed, 0.9) for seed in (1, 2)]  # trained once, with the first latent's folder
    found = comparison(grid(rows, "published"), "AUG+VAE", "VAE", pool="latents")
    assert (found["n"], found["mean_difference"]) == (8, pytest.approx(0.3 - 0.0425))
    assert comparison(grid(rows, "fair"), "AUG+VAE", "VAE", pool="latents")["n"] == 2


def test_variants_and_images_all_at_once_do_not_count():
    frame = two_arms([0.1] * 8)
    other = frame.assign(variant="by-accuracy", f1=0.0, seed=frame["seed"] + 100)
    everything = grid([("all", 50, 3, seed, 0.0) for seed in range(42, 60)])
    found = compare_arms(pd.concat([frame, other, everything], ignore_index=True))
    pd.testing.assert_frame_equal(found, compare_arms(frame))


def test_generated_images_without_a_latent_dimension_make_an_arm_too():
    frame = two_arms([0.1] * 8).assign(latent=pd.array([pd.NA] * 16, "Int64"))
    assert comparison(frame)["n"] == 8


@pytest.mark.parametrize(
    ("differences", "alpha", "outcome"),
    [
        ([0.01 * k for k in range(1, 9)], 0.01, "better"),  # p = 2/256
        ([-0.01 * k for k in range(1, 9)], 0.01, "worse"),
        ([-0.01] + [0.01 * k for k in range(2, 9)], 0.01, "same"),  # p = 4/256
        ([0.0] * 8, 0.01, "same"),
        ([0.01 * k for k in range(1, 8)], 0.01, OPEN),  # p = 2/128, the least that seven pairs give
        ([0.01 * k for k in range(1, 8)], 0.05, "better"),
        ([], 0.01, "not run"),
    ],
)
def test_outcomes(differences, alpha, outcome):
    found = comparison(two_arms(differences), alpha=alpha)
    assert found["outcome"] == found["outcome_holm"] == outcome  # a family of one: nothing to correct
    assert comparison(two_arms(differences), "AUG", "CNN")["outcome"] == "not run"


def test_eight_pairs_decide_one_comparison_and_not_six():
    table = compare_arms(
        repeated(as_published().query("size == 50 and (latent == 3 or latent.isna())"), seeds=range(8))
    )
    assert (table["min_p"] == 2 / 256).all()
    assert (table["outcome"] == table["published"]).all()
    assert (table["outcome_holm"] == OPEN).all()


def test_one_seed_decides_nothing():
    table = compare_arms(as_published().query("size == 50"))
    assert (table["n"] == 1).all()
    assert set(table["outcome"]) == {OPEN}


def test_empty_frame():
    empty = as_published().iloc[:0]
    table = compare_arms(empty)
    assert len(table) == 7
    assert (table["n"] == 0).all()
    assert set(table["outcome"]) | set(table["outcome_holm"]) == {"not run"}
    assert claims(empty) == []


def test_two_protocols_and_unknown_pools_are_refused():
    frame = as_published()
    with pytest.raises(ValueError, match="one protocol"):
        compare_arms(pd.concat([frame, frame.assign(protocol="published")]))
    with pytest.raises(ValueError, match="pool"):
        compare_arms(frame, pool="sizes")


# Claims


def with_feeding(frame):
    """Adds VAE arms with all images at once, behind the paged ones by what the thesis found, to every (size, seed)."""
    table = published.read("thesis_methods").query("section == '6.4.2' and metric == 'f1' and injection == injection")
    behind = table.groupby("size")["value"].agg(lambda values: abs(values.diff().iloc[-1]))
    paged = frame[(frame["arm"] == "VAE") & (frame["latent"] == 2)]
    at_once = paged.assign(injection="all", f1=paged["f1"] - paged["size"].map(behind))
    return pd.concat([frame, at_once], ignore_index=True)


def test_every_claim_holds_on_the_published_scores_over_twelve_seeds():
    found = claims(with_feeding(repeated(as_published())))
    assert [claim.verdict for claim in found] == [HOLDS] * len(found)
    assert len(found) == len({claim.text for claim in found}) == 12
    assert all(claim.protocol == "fair" and claim.source and claim.evidence.endswith(".") for claim in found)
    assert not any("no generated image" in claim.evidence for claim in found)


def test_published_figures_are_read_from_the_published_tables():
    found = claims(with_feeding(repeated(as_published())))
    figures = {
        "(VAE above CNN)": "4.08",  # means of Table 2
        "(AUG above VAE)": "1.92",
        "(AUG+VAE above AUG)": "1.00",
        "14.56": "14.56",
        "4.76": "4.76",
        "pages": "2.96",  # (4.52 + 3.14 + 4.72 + 1.41 + 1.03) / 5
        "smaller": "7.41",  # (8.59 + 9.10 + 7.47 + 8.16 - 0.70 - 1.20 - 0.84 - 0.96) / 4 = 7.405
    }
    for words, figure in figures.items():
        assert f"published {figure}" in find(found, words).evidence


def test_published_gain_is_that_of_the_sizes_and_latents_that_were_run():
    frame = repeated(as_published().query("size == 50 and (latent == 3 or latent.isna())"))
    assert "published 9.10," in find(claims(frame), "(VAE above CNN)").evidence
    mixed = pd.concat(
        [frame, repeated(as_published().query("size == 1000 and (latent == 3 or latent.isna())"), seeds=[1])]
    )
    # 12 pairs of 9.10 and one of 1.20
    assert "published 8.49," in find(claims(mixed), "(VAE above CNN)").evidence
    strange = find(claims(frame.assign(size=40)), "(VAE above CNN)")
    assert "published" not in strange.evidence
    assert strange.verdict == HOLDS


def test_evidence_speaks_in_points_of_f1():
    claim = find(claims(two_arms([0.01 * k for k in range(1, 13)])), "(VAE above CNN)")
    assert claim.evidence.startswith("VAE over CNN: 6.50 points of F1 (95 % interval ")
    assert "n = 12, p = 0.00049)" in claim.evidence  # 2 / 4096, alone in its family
    both = find(claims(repeated(as_published())), "(VAE above CNN)")
    assert "by Holm" in both.evidence


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([0.08 + 0.001 * k for k in range(12)], HOLDS),
        ([-0.08 - 0.001 * k for k in range(12)], FAILS),  # against it
        ([0.001 * k for k in range(1, 13)], HOLDS),  # a small gain is one, however much more was published
        ([0.001 * (-1) ** k * k for k in range(12)], FAILS),  # none, and the interval ends below 4.55 of 9.10 points
        ([0.1 * (-1) ** k * k for k in range(12)], OPEN),  # none, but more than half of 9.10 is within the interval
        ([0.08 + 0.001 * k for k in range(7)], OPEN),  # seven pairs
        ([-0.08 - 0.001 * k for k in range(7)], OPEN),
        ([0.08 + 0.001 * k for k in range(8)], HOLDS),
        ([0.08], OPEN),
    ],
)
def test_verdict_on_a_direction(differences, verdict):
    assert find(claims(two_arms(differences)), "(VAE above CNN)").verdict == verdict


def test_too_few_pairs_say_how_many_would_do():
    claim = find(claims(two_arms([0.08] * 5)), "(VAE above CNN)")
    assert "no p below 0.062, at least 8 are needed (8 seeds)." in claim.evidence
    five = repeated(as_published(), seeds=range(2))  # 10 pairs of five sizes; six tests take 11
    claim = find(claims(five), "(AUG above CNN)")
    assert claim.verdict == OPEN
    assert "no p below 0.012, at least 11 are needed (3 seeds)." in claim.evidence  # 6 x 2 / 1024
    single = find(claims(two_arms([0.08])), "(VAE above CNN)")
    assert "8.00 points of F1 (no interval" in single.evidence


@pytest.mark.parametrize(("alpha", "verdict"), [(0.01, OPEN), (0.07, HOLDS)])
def test_level_of_significance_is_the_callers(alpha, verdict):
    assert find(claims(two_arms([0.08] * 5), alpha=alpha), "(VAE above CNN)").verdict == verdict


def test_an_open_claim_says_how_many_pairs_would_decide_it():
    gains = [0.25, -0.15] * 6 + [0.3, -0.1]
    claim = find(claims(two_arms(gains)), "(VAE above CNN)")
    assert claim.verdict == OPEN
    d_z = np.mean(gains) / np.std(gains, ddof=1)
    wanted = ((2.5758 + 0.8416) / d_z) ** 2  # of the normal distribution: 1 - 0.01 / 2, and 0.8
    found = int(re.search(r"would be decided by about (\d+) pairs", claim.evidence)[1])
    assert found == pytest.approx(wanted, abs=1.5)
    assert "would be decided" not in find(claims(two_arms([0.08] * 12)), "(VAE above CNN)").evidence  # it holds
    assert "would be decided" not in find(claims(two_arms([0.01] * 5)), "(VAE above CNN)").evidence  # too few


def test_not_run_is_said():
    found = claims(two_arms([0.1] * 12, "AUG", "CNN"))
    decided = [claim.text for claim in found if not claim.evidence.startswith("not run")]
    assert len(decided) == 2  # its own and the one of all comparisons
    assert all(claim.verdict == OPEN for claim in found if claim.evidence.startswith("not run"))
    everything = find(found, "Every difference")
    assert everything.verdict == OPEN
    assert everything.evidence.startswith("holds: AUG over CNN; not run: VAE over CNN, ")
    assert everything.evidence.endswith("; all six need at least 11 pairs.")  # 6 * 2 / 2**11 < 0.01 < 6 * 2 / 2**10


def test_a_claim_of_all_comparisons_falls_with_one():
    frame = repeated(as_published())
    frame.loc[frame["arm"] == "AUG+VAE", "f1"] -= 0.02  # now behind AUG, at 50 images alone ahead
    found = claims(frame)
    assert find(found, "(AUG+VAE above AUG)").verdict == FAILS
    assert find(found, "(VAE above CNN)").verdict == HOLDS
    assert find(found, "Every difference").verdict == FAILS
    assert "does not hold: AUG+VAE over AUG" in find(found, "Every difference").evidence


@pytest.mark.parametrize(
    ("gain", "spread", "verdict"),
    [
        (0.1456, 0.01, HOLDS),
        (0.25, 0.01, FAILS),  # more than published
        (0.08, 0.01, FAILS),
        (0.1, 0.5, OPEN),  # the figure is within, but so is nothing
    ],
)
def test_verdict_on_a_figure(gain, spread, verdict):
    frame = two_arms(gain + spread * np.linspace(-1, 1, 12), "AUG+VAE", "CNN")
    claim = find(claims(frame), "14.56")
    assert claim.verdict == verdict
    assert f"single seeds gain {100 * (gain - spread):.2f} to {100 * (gain + spread):.2f}." in claim.evidence


def test_figures_are_of_fifty_images_and_three_latent_dimensions():
    for other in ({"size": 100}, {"latent": 2}):
        frame = two_arms([0.1456] * 12, "AUG+VAE", "CNN", **other)
        assert find(claims(frame), "14.56").evidence.startswith("not run; at least 9 pairs")


def test_published_protocol_says_that_its_both_arm_saw_no_generated_image():
    frame = repeated(as_published().query("arm != 'AUG+VAE' or latent == 2"))
    frame.loc[frame["arm"] == "AUG+VAE", "generated"] = 0
    found = claims(frame.assign(protocol="published"))
    blind = [claim for claim in found if "fed no generated image" in claim.evidence]
    assert len(blind) == 6  # three arms' comparisons, the one of all, two figures
    assert all("AUG+VAE" in claim.text or "Every" in claim.text for claim in blind)
    # trained once, whatever the latent: so the figure for 3 is its too
    assert "AUG+VAE over CNN: 12.75 points" in find(found, "14.56", "published").evidence
    assert "3 over 2 (VAE): " in find(found, "Latent", "published").evidence
    only = claims(two_arms([0.1] * 12, "AUG+VAE", "AUG").assign(generated=0, protocol="published"))
    assert "AUG+VAE over AUG: 10.00" in find(only, "4.76", "published").evidence


def test_each_protocol_has_its_own_claims():
    fair = two_arms([0.08] * 12)
    other = two_arms([-0.08] * 12).assign(protocol="published")
    found = claims(pd.concat([fair, other], ignore_index=True))
    verdicts = {claim.protocol: claim.verdict for claim in found if "(VAE above CNN)" in claim.text}
    assert verdicts == {"fair": HOLDS, "published": FAILS}


def latent_rows(f1, arm="VAE", seeds=12):
    """One score a latent dimension and seed, seeds apart by more than latents are."""
    return [(arm, 50, latent, seed, value + seed / 100) for latent, value in f1.items() for seed in range(seeds)]


@pytest.mark.parametrize(
    ("f1", "verdict"),
    [
        ({2: 0.70, 3: 0.72, 4: 0.71, 8: 0.70}, HOLDS),
        ({2: 0.70, 3: 0.72, 4: 0.73, 8: 0.70}, FAILS),
        ({2: 0.70, 3: 0.72}, OPEN),  # the best of those that were run
        ({2: 0.73, 3: 0.72}, FAILS),
    ],
)
def test_verdict_on_the_latent_dimension(f1, verdict):
    claim = find(claims(grid(latent_rows(f1))), "Latent dimension 3")
    assert claim.verdict == verdict
    assert ("not run: 3 over 8 (VAE)" in claim.evidence) == (8 not in f1)


def test_latent_dimensions_are_compared_within_each_arm_that_is_fed():
    rows = latent_rows({2: 0.70, 3: 0.72}) + latent_rows({2: 0.90, 3: 0.96}, "AUG+VAE")
    assert "3 over 2 (VAE, AUG+VAE): 4.00 points" in find(claims(grid(rows)), "Latent").evidence
    rows = latent_rows({2: 0.70, 3: 0.72}) + latent_rows({3: 0.96}, "AUG+VAE")  # which has nothing to be compared with
    assert "3 over 2 (VAE, AUG+VAE): 2.00 points" in find(claims(grid(rows)), "Latent").evidence
    assert find(claims(grid(latent_rows({2: 0.7, 4: 0.7}))), "Latent").evidence.startswith("not run; at least 10 pairs")


@pytest.mark.parametrize(("ahead", "verdict"), [(0.04, HOLDS), (-0.04, FAILS)])
def test_verdict_on_pages(ahead, verdict):
    rows = [("VAE", 50, 2, seed, 0.8 + ahead) for seed in range(8)] + [("all", 50, 2, seed, 0.8) for seed in range(8)]
    claim = find(claims(grid(rows)), "pages")
    assert claim.verdict == verdict
    assert f"pages over all at once: {100 * ahead:.2f} points" in claim.evidence
    assert "published 4.52" in claim.evidence  # thesis Table 6.28: 0.8489 - 0.8037
    assert find(claims(grid(rows[:8])), "pages").evidence == "not run; at least 8 pairs are needed."


def sized(gains, seeds=8):
    """VAE ahead of CNN by `gains[size]` with every seed."""
    return pd.concat([two_arms([gain] * seeds, size=size) for size, gain in gains.items()], ignore_index=True)


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ({50: 0.09, 100: 0.2, 250: 0.01}, HOLDS),  # smallest against largest
        ({50: 0.01, 250: 0.09}, FAILS),
        ({50: 0.05, 250: 0.05}, FAILS),  # 0 is below half of 9.10 - 2.90
    ],
)
def test_verdict_on_sizes(gains, verdict):
    claim = find(claims(sized(gains)), "smaller")
    assert claim.verdict == verdict
    assert claim.evidence.startswith("VAE over CNN with 50 images less that with 250: ")
    assert "published 6.20" in claim.evidence


def test_sizes_need_two_sizes_of_one_seed():
    assert find(claims(sized({50: 0.1})), "smaller").evidence.startswith("not run")
    apart = pd.concat([two_arms([0.1] * 8), two_arms([0.1] * 8, size=250).assign(seed=range(100, 116))])
    assert find(claims(apart), "smaller").evidence.startswith("not run")
