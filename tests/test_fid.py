"""Distances of image sets against Gaussians and cases worked out by hand."""

import numpy as np
import pytest

from cnn import fid


def with_moments(n, mean, covariance, seed=0):
    """n points with exactly this sample mean and (unbiased) covariance."""
    x = np.random.default_rng(seed).standard_normal((n, len(mean)))
    x -= x.mean(0)
    whiten = np.linalg.inv(np.linalg.cholesky(np.cov(x.T).reshape(len(mean), -1)))
    return x @ whiten.T @ np.linalg.cholesky(covariance).T + mean


def test_frechet_of_one_feature_by_hand():
    # means 1 and 5, unbiased variances 2 and 8: 4^2 + 2 + 8 - 2 sqrt(16) = 18
    assert fid.frechet(np.array([[0.0], [2.0]]), np.array([[3.0], [7.0]])) == pytest.approx(18)


@pytest.mark.parametrize("sizes", [(40, 60), (4, 60), (4, 5)], ids=["n > d", "one n < d", "both n < d"])
def test_frechet_of_commuting_gaussians(sizes):
    d = 6 if max(sizes) > 6 else 8
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.standard_normal((d, d)))[0]
    sets, roots = [], []
    for n, seed in zip(sizes, (2, 3), strict=True):
        rank = min(n - 1, d)
        sd = np.zeros(d)
        sd[:rank] = rng.uniform(0.5, 3, rank)
        flat = with_moments(n, np.zeros(rank), np.diag(sd[:rank] ** 2), seed) @ basis[:, :rank].T
        sets.append(flat + seed)
        roots.append(sd)
    # (2 - 3)^2 in each of d features; covariances of one basis: the sum of (s1 - s2)^2
    assert fid.frechet(*sets) == pytest.approx(d + np.sum((roots[0] - roots[1]) ** 2), rel=1e-9)


def test_frechet_of_gaussians_that_do_not_commute():
    first, second = np.array([[2.0, 1.0], [1.0, 2.0]]), np.diag([4.0, 1.0])
    # tr sqrt(M) of a 2x2 M is sqrt(tr M + 2 sqrt(det M)); M = S1 S2 has trace 8 + 2 = 10 and determinant 3 * 4 = 12
    expected = 3**2 + 4**2 + 4 + 5 - 2 * np.sqrt(10 + 2 * np.sqrt(12))
    a, b = with_moments(30, [0, 0], first), with_moments(50, [3, 4], second)
    assert fid.frechet(a, b) == pytest.approx(expected, rel=1e-9)
    assert fid.frechet(b, a) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "d"), [(5, 30), (60, 12), (30, 30)])
def test_frechet_of_equal_sets_is_exactly_0(n, d):
    x = np.random.default_rng(n).random((n, d)).astype(np.float32)
    x[:, 0] = 0.25  # a feature without variance, as the border of a digit
    assert fid.frechet(x, x) == 0.0
    assert fid.frechet(x, x[::-1]) == 0.0
    assert fid.frechet(x, x + np.float32(1e-3)) > 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_no_numbers_have_no_distance(value):
    a, b = np.random.default_rng(0).random((2, 5, 3))
    b[1] = value
    words = "should be finite numbers; those of 0 of 5 images of the one set and of 1 of 5 of the other are not"
    for distance in (fid.frechet, fid.kernel_distance):
        with pytest.raises(ValueError, match=words):
            distance(a, b)


def test_frechet_shrinks_with_the_number_of_images():
    rng = np.random.default_rng(0)
    few, many = (fid.frechet(*rng.standard_normal((2, n, 16))) for n in (20, 2000))
    assert few > 3 * many > 0  # the bias is upward


def test_kernel_distance_by_hand():
    # one feature, kernel (xy + 1)^3. Within {0, 1}: k(0, 1) = 1. Within {1, 2}: k(1, 2) = 27.
    # Between: k(0, 1) = k(0, 2) = 1, k(1, 1) = 8, k(1, 2) = 27, mean 37/4. 1 + 27 - 2 * 37/4 = 9.5
    assert fid.kernel_distance(np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])) == pytest.approx(9.5)
    # two features of the same value: x.y / 2 is the product again
    assert fid.kernel_distance(np.array([[0.0] * 2, [1.0] * 2]), np.array([[1.0] * 2, [2.0] * 2])) == pytest.approx(9.5)


def test_kernel_distance_is_unbiased():
    rng = np.random.default_rng(0)
    values = [fid.kernel_distance(*rng.standard_normal((2, 12, 3))) for _ in range(300)]
    assert min(values) < 0 < max(values)
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(300)


def test_kernel_distance_averages_blocks_of_all_images(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((9, 3)), rng.standard_normal((6, 3)) + 1
    monkeypatch.setattr(fid, "BLOCK", 3)
    seen = []
    monkeypatch.setattr(fid, "_discrepancy", lambda x, y: seen.append((x, y)) or len(seen))
    assert fid.kernel_distance(a, b) == 2  # the mean of 1, 2, 3
    for whole, parts in zip((a, b), zip(*seen, strict=True), strict=True):
        assert sorted(map(tuple, np.concatenate(parts))) == sorted(map(tuple, whole))
    assert [len(x) for x, _ in seen] == [3, 3, 3]


def test_kernel_distance_of_many_against_few_keeps_two_in_a_block(monkeypatch):
    monkeypatch.setattr(fid, "BLOCK", 2)
    rng = np.random.default_rng(0)
    assert np.isfinite(fid.kernel_distance(rng.standard_normal((50, 2)), rng.standard_normal((3, 2))))


@pytest.mark.parametrize("distance", [fid.frechet, fid.kernel_distance])
def test_sets_that_have_no_distance(distance):
    with pytest.raises(ValueError, match=r"at least 2 images in each\. Received: 1 and 3"):
        distance(np.zeros((1, 4)), np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"Received: \(3, 4\), \(3, 5\)"):
        distance(np.zeros((3, 4)), np.zeros((3, 5)))


def test_nearest_by_hand(monkeypatch):
    monkeypatch.setattr(fid, "BLOCK", 2)  # three queries are two blocks
    references = np.array([[0, 0], [3, 4], [0, 1]], np.float32)
    rows, distances = fid.nearest(np.array([[0, 0.4], [3, 0], [3, 4]], np.float32), references)
    assert rows.tolist() == [0, 0, 1]
    assert distances == pytest.approx([0.4, 3, 0], abs=1e-7)
    rows, distances = fid.nearest(references, references, leave_one_out=True)
    assert rows.tolist() == [2, 2, 0]
    assert distances == pytest.approx([1, np.sqrt(18), 1])


def test_a_copy_is_at_distance_0_exactly():
    images = np.random.default_rng(0).random((20, 784)).astype(np.float32)
    rows, distances = fid.nearest(images[::-1], images)
    assert rows.tolist() == list(range(20))[::-1]
    assert (distances == 0).all()


def test_nearest_of_nothing():
    with pytest.raises(ValueError, match="among 0 images"):
        fid.nearest(np.zeros((2, 3), np.float32), np.zeros((0, 3), np.float32))
    with pytest.raises(ValueError, match="among 1 images"):
        fid.nearest(np.zeros((1, 3), np.float32), np.zeros((1, 3), np.float32), leave_one_out=True)


def test_copies_by_hand():
    real, unseen = np.array([[0.0], [10.0]], np.float32), np.array([[2.0], [14.0]], np.float32)
    generated = np.array([[0.0], [11.0], [13.0]], np.float32)
    found, rows, distances = fid.copies(generated, real, unseen)
    assert rows.tolist() == [0, 1, 1]
    assert distances.tolist() == [0, 1, 3]
    # unseen images lie 2 and 4 away, their median is 3, their 5 % quantile 2.1
    assert found == {
        "generated": 1,
        "real": 3,
        "ratio": pytest.approx(1 / 3),
        "exact": 1,
        "nearer_than_95_percent_of_real": pytest.approx(2 / 3),
    }


def test_without_unseen_images_real_ones_are_compared_to_one_another():
    real = np.array([[0.0], [1.0], [5.0]], np.float32)
    assert fid.copies(real + 0.5, real)[0]["real"] == 1  # of 1, 1 and 4
    assert fid.copies(real, np.zeros((2, 1), np.float32))[0]["ratio"] is None
