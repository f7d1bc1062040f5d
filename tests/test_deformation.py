"""Velocity fields, their exponentials, the registration of pairs, and the Gaussian of what was found."""

import tracemalloc

import numpy as np
import pytest
from scipy import linalg, ndimage, stats

from images import codec, sources
from vae_aug import deformation, registration, residuals, velocity

SHAPE, GRID = (12, 10, 1), (5, 4)


def whole(velocities):
    """The displacements of one velocity field `(height, width, 2)`."""
    return np.asarray(velocity.exponential(np.asarray(velocities, np.float32)[None]))[0]


def places(height, width):
    return np.stack(np.mgrid[:height, :width], axis=-1).astype(float)


def smooth(side, size, seed=0):
    """Random images `(4, side, side, 1)` without small detail."""
    noise = np.random.default_rng(seed).random((4, side, side, 1))
    images = ndimage.gaussian_filter(noise, (0, size, size, 0), mode="nearest")
    return ((images - images.min()) / np.ptp(images)).astype(np.float32)


def digits(per_class, classes=(2, 4, 7), side=16):
    data = sources.digits(seed=0, side=side)
    rows = np.concatenate([np.flatnonzero(data.y_train == k)[:per_class] for k in classes])
    return codec.to_float(data.x_train[rows][..., None]), np.repeat(np.arange(len(classes)), per_class)


# Splines


def test_splines_sum_to_one_and_carry_a_linear_field_exactly():
    basis = velocity.spline_basis(12, 6)
    assert (basis.shape, basis.dtype) == ((12, 6), np.float32)
    assert (basis >= 0).all()
    np.testing.assert_allclose(basis.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(basis[0, :4], [1 / 6, 4 / 6, 1 / 6, 0], atol=1e-6)  # the cubic B-spline at whole numbers
    control = np.arange(-1, 5) * 11 / 3  # where the splines are centred, in pixels
    np.testing.assert_allclose(basis @ control, np.arange(12), atol=1e-5)


@pytest.mark.parametrize(("pixels", "control"), [(12, 3), (1, 4)])
def test_a_side_too_small_for_splines_is_refused(pixels, control):
    with pytest.raises(ValueError, match=r"at least 4 control points and 2 pixels"):
        velocity.spline_basis(pixels, control)


def test_control_points_move_along_their_own_axis():
    control = np.zeros((1, *GRID, 2), np.float32)
    control[..., 0], control[..., 1] = np.arange(5)[:, None], 7
    field = np.asarray(velocity.dense(control, [velocity.spline_basis(12, 5), velocity.spline_basis(10, 4)]))[0]
    np.testing.assert_allclose(field[..., 0], np.linspace(1, 3, 12)[:, None] * np.ones(10), atol=1e-5)
    np.testing.assert_allclose(field[..., 1], 7, atol=1e-5)


# Exponentials


def test_the_exponential_of_a_constant_field_is_a_shift():
    np.testing.assert_allclose(
        whole(np.broadcast_to([2.5, -1.25], (9, 7, 2))), np.broadcast_to([2.5, -1.25], (9, 7, 2))
    )


@pytest.mark.parametrize(
    "matrix", [[[0.2, 0.0], [0.0, -0.3]], [[0.0, -0.4], [0.4, 0.0]], [[0.1, 0.3], [-0.2, 0.05]]], ids=str
)
def test_the_exponential_of_a_linear_field_is_its_matrix_exponential(matrix):
    # v(x) = A (x - c), so the flow is c + exp(A) (x - c). Near the border its way leads out of the image.
    from_middle = places(41, 41) - 20
    found = whole(from_middle @ np.transpose(matrix))
    wanted = from_middle @ (linalg.expm(np.array(matrix)) - np.eye(2)).T
    np.testing.assert_allclose(found[10:-10, 10:-10], wanted[10:-10, 10:-10], atol=0.02 * np.abs(wanted).max())


def test_a_field_and_its_negative_undo_each_other():
    rng = np.random.default_rng(1)
    control = rng.normal(0, 1.5, (1, 5, 5, 2)).astype(np.float32)
    field = np.asarray(velocity.dense(control, [velocity.spline_basis(32, 5)] * 2))
    there, back = (np.asarray(velocity.exponential(part)) for part in (field, -field))
    both = there + np.asarray(velocity.pull(back, there))
    assert np.abs(there[:, 6:-6, 6:-6]).max() > 1
    assert np.abs(both[:, 6:-6, 6:-6]).max() < 0.1


def test_pull_takes_values_bilinearly_and_repeats_the_border():
    values = np.array([[0, 10, 20], [30, 40, 50]], np.float32)[None, :, :, None]
    move = np.zeros((1, 2, 3, 2), np.float32)
    move[0, 0, 0], move[0, 0, 2], move[0, 1, 1] = (0.5, 0.25), (-3, 9), (4, 1)
    found = np.asarray(velocity.pull(values, move))[0, :, :, 0]
    np.testing.assert_allclose(found, [[0.5 * 30 + 0.25 * 10, 10, 20], [30, 50, 50]])


def test_the_jacobian_says_how_much_areas_grow_and_where_a_map_folds():
    grown = places(5, 4)[None] * [0.5, -0.25]  # 1.5 along the rows, 0.75 along the columns
    np.testing.assert_allclose(velocity.jacobian(grown), np.full((1, 4, 3), 1.5 * 0.75))
    turned = places(5, 4)[None] * [-2, 0]  # x to -x along the rows: the whole map folds
    assert (velocity.folding(turned), velocity.folding(grown)) == (1, 0)


# Registration


def test_pairs_are_of_one_class_and_ordered():
    labels = np.array([0, 0, 1, 1, 1, 2])
    pairs = registration.ordered_pairs(labels, 100, np.random.default_rng(0))
    assert [tuple(pair) for pair in pairs] == [(0, 1), (1, 0), (2, 3), (2, 4), (3, 2), (3, 4), (4, 2), (4, 3)]
    few = registration.ordered_pairs(labels, 3, np.random.default_rng(0))
    assert len(few) == 2 + 3
    assert {tuple(pair) for pair in few} <= {tuple(pair) for pair in pairs}


def listed_pairs(rows, most, rng):
    """What `ordered_pairs` was before it drew numbers of pairs: all pairs of a class, put into an order."""
    first, second = np.nonzero(~np.eye(len(rows), dtype=bool))
    kept = np.sort(rng.permutation(len(first))[:most])
    return np.stack([rows[first[kept]], rows[second[kept]]], axis=1)


@pytest.mark.parametrize("count", [2, 5, 10, 11, 100])
def test_the_pairs_of_small_classes_are_what_they_were(count):
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [count, count, 1]))
    found, rng = registration.ordered_pairs(labels, 100, np.random.default_rng(1)), np.random.default_rng(1)
    wanted = [listed_pairs(np.flatnonzero(labels == label), 100, rng) for label in range(3)]
    np.testing.assert_array_equal(found, np.concatenate(wanted))


def test_pairs_of_large_classes_are_drawn_without_a_list_of_all():
    labels = np.tile([0, 1], 6000)
    tracemalloc.start()
    found = registration.ordered_pairs(labels, 1000, np.random.default_rng(0))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2e6  # bytes; the list took over 500 million
    assert (labels[found] == np.repeat([0, 1], 1000)[:, None]).all()
    assert (found[:, 0] != found[:, 1]).all()
    assert len({tuple(pair) for pair in found}) == 2000
    for side in found[:1000].T:
        assert stats.kstest(side / len(labels), "uniform").pvalue > 0.01
    assert (found[:1000] == found[np.lexsort((found[:1000, 1], found[:1000, 0]))]).all()
    np.testing.assert_array_equal(found, registration.ordered_pairs(labels, 1000, np.random.default_rng(0)))


def test_all_pairs_of_a_large_class_are_there_where_so_many_are_asked_for(monkeypatch):
    monkeypatch.setattr(registration, "MOST_SHUFFLED", 3)
    found = registration.ordered_pairs(np.zeros(5, int), 100, np.random.default_rng(0))
    assert [tuple(pair) for pair in found] == [(a, b) for a in range(5) for b in range(5) if a != b]


def test_roughness_is_the_mean_squared_gradient():
    control = np.zeros((2, 5, 4, 2), np.float32)
    control[1, ..., 0] = 3 * np.arange(5)[:, None]  # grows by 3 px per 2 px
    np.testing.assert_allclose(registration.roughness(control, (2.0, 5.0)), [0, 1.5**2])


def test_an_affine_field_is_not_rough_where_its_affine_part_is_free():
    rows, columns = np.mgrid[:5, :4].astype(np.float32)
    affine = np.stack([1 + 2 * rows - columns, 3 * columns + rows], axis=-1)
    bent = affine + np.array([0, 1], np.float32) * (rows == 4)[..., None]  # the last row lies a pixel further right
    found = registration.roughness(np.stack([affine, bent]), (1.0, 1.0), affine=True)
    # Down, the last of 4 differences is 1 more than the others: variance 3 / 16. To the right all rows stay alike.
    np.testing.assert_allclose(found, [0, 3 / 16], atol=1e-6)


def test_a_planted_deformation_is_found():
    images = smooth(20, 2.0)[:1]
    planted = np.random.default_rng(3).normal(0, 1.0, (1, 4, 4, 2)).astype(np.float32)
    warp = deformation.Deformer([planted], images.shape[1:])
    target, wanted = warp.apply(images, planted)
    both = np.concatenate([images, target])
    found, history = registration.register(both, np.array([[0, 1]]), (4, 4), 1e-4)
    moved, displacement = warp.apply(images, found)
    assert np.mean(np.square(moved - target)) < 0.02 * np.mean(np.square(images - target))
    inner = (slice(None), slice(4, -4), slice(4, -4))
    away = np.sqrt(np.mean(np.square(displacement - wanted)[inner]))
    assert away < 0.25 * np.sqrt(np.mean(np.square(wanted[inner])))
    assert [row["step"] for row in history] == list(range(1, 121))
    assert [row["sigma"] for row in history[::40]] == pytest.approx([2 * 20 / 28, 1.2 * 20 / 28, 0.7 * 20 / 28])
    assert history[39]["loss"] < history[0]["loss"]


def test_what_is_found_of_a_pair_does_not_depend_on_batches(monkeypatch):
    monkeypatch.setattr(registration, "STEPS", 5)
    images, labels = digits(3, classes=(2, 4), side=12)
    pairs = registration.ordered_pairs(labels, 100, np.random.default_rng(0))[:11]
    together, history = registration.register(images, pairs, GRID, 0.1)
    monkeypatch.setattr(registration, "MOST_PIXELS", 5 * 12 * 12)  # 11 pairs in batches of 4, the last one not full
    steps = []
    apart, again = registration.register(images, pairs, GRID, 0.1, lambda: steps.append(1))
    assert len(steps) == registration.num_steps(11, images.shape[1:]) == 3 * 15
    np.testing.assert_allclose(apart, together, atol=1e-3)
    np.testing.assert_allclose([row["loss"] for row in again], [row["loss"] for row in history], rtol=1e-4)


def test_digits_find_each_other_without_folding():
    images, labels = digits(3)
    pairs = registration.ordered_pairs(labels, 100, np.random.default_rng(0))
    control, _ = registration.register(images, pairs, (6, 6), 0.1)
    deformer = deformation.Deformer(deformation.fit(control, labels[pairs[:, 0]], 3), images.shape[1:])
    before, after, folded = registration.errors(images, pairs, control, deformer.apply)
    assert after.mean() < 0.5 * before.mean()
    assert folded == 0
    rows = np.arange(60) % len(images)
    drawn, displacement = deformer.apply(images[rows], *deformer.sample(labels[rows], np.random.default_rng(0)))
    assert (velocity.jacobian(displacement) > 0).all()
    assert drawn.min() >= 0
    assert drawn.max() <= 1


def test_a_loss_that_is_no_number_is_an_error():
    images = np.full((2, *SHAPE), np.nan, np.float32)
    with pytest.raises(FloatingPointError, match="loss became nan at sigma"):
        registration.register(images, np.array([[0, 1]]), GRID, 0.1)


# The Gaussian


def fields(count, seed=0, size=1.0):
    return np.random.default_rng(seed).normal(0, size, (count, *GRID, 2)).astype(np.float32)


def covariance(control):
    flat = control.reshape(len(control), -1).astype(float)
    return flat.T @ flat / len(flat)


@pytest.mark.parametrize("count", [3, 100])
def test_modes_have_the_covariance_of_the_fields(count):
    control = fields(count)
    modes = deformation.modes(control)
    assert modes.shape == (min(count, 40), *GRID, 2)
    np.testing.assert_allclose(covariance(modes) * len(modes), covariance(control), atol=1e-5)


def test_what_the_means_of_classes_hold_by_hand():
    field = np.random.default_rng(0).normal(size=(1, 4, 4, 2)).astype(np.float32)
    pairs = np.concatenate([field, -field, 2 * field, 2 * field])
    assert deformation.share_of_means(pairs, np.array([0, 0, 1, 1])) == pytest.approx(8 / 10)
    assert deformation.share_of_means(pairs[:2], np.array([0, 0])) == 0
    assert deformation.share_of_means(pairs[2:], np.array([3, 3])) == pytest.approx(1)
    assert deformation.share_of_means(0 * field, np.array([0])) == 0


def test_samples_have_the_covariance_of_the_fields():
    control = fields(4)
    deformer = deformation.Deformer(deformation.fit(control, np.zeros(4, int), 1), SHAPE, (0.2, 1.3))
    drawn, _ = deformer.sample(np.zeros(20000, int), np.random.default_rng(0))
    square = (1.3**3 - 0.2**3) / 3 / 1.1  # the mean of the squared factor, uniform from 0.2 to 1.3
    assert np.abs(drawn.mean(axis=0)).max() < 0.05
    np.testing.assert_allclose(covariance(drawn), square * covariance(control), atol=0.06)
    assert np.linalg.matrix_rank(drawn.reshape(len(drawn), -1)[:50], tol=1e-3) == 4


def test_shrinkage_mixes_the_covariance_of_a_class_with_the_pooled_one():
    control, labels = np.concatenate([fields(6, 1), fields(6, 2, size=3)]), np.repeat([0, 2], 6)
    found = deformation.fit(control, labels, 3, 0.25)
    for modes, own in zip(found, (control[:6], control, control[6:]), strict=True):  # class 1 has no pair
        wanted = 0.75 * covariance(own) + 0.25 * covariance(control)
        np.testing.assert_allclose(covariance(modes) * len(modes), wanted, atol=1e-4)
    assert len(deformation.fit(control, labels, 3, 1.0)) == 1
    with pytest.raises(ValueError, match=r"from 0 to 1\. Received: 1.5"):
        deformation.fit(control, labels, 3, 1.5)


def test_a_low_rank_keeps_the_largest_part_of_the_covariance():
    control = fields(30)
    sizes, axes = np.linalg.eigh(covariance(control))
    [model] = deformation.fit(control, np.zeros(30, int), 1)
    kept = deformation.largest(model, 3)
    assert (kept.shape, kept.dtype) == ((3, *GRID, 2), np.float32)
    # The best approximation, in the Frobenius and in the spectral norm: the part of the largest eigenvalues
    wanted = (axes[:, -3:] * sizes[-3:]) @ axes[:, -3:].T
    np.testing.assert_allclose(3 * covariance(kept), wanted, atol=1e-4)
    drawn, _ = deformation.Deformer([kept], SHAPE).sample(np.zeros(50, int), np.random.default_rng(0))
    assert np.linalg.matrix_rank(drawn.reshape(50, -1), tol=1e-3) == 3
    np.testing.assert_allclose(30 * covariance(deformation.largest(model, 99)), 30 * covariance(model), atol=1e-4)


def test_a_low_rank_of_a_mixture_is_that_of_its_covariance():
    control, labels = np.concatenate([fields(6, 1), fields(6, 2, size=3)]), np.repeat([0, 1], 6)
    for model in deformation.fit(control, labels, 2, 0.5):  # its fields are not orthogonal
        whole = len(model) * covariance(model)
        sizes, axes = np.linalg.eigh(whole)
        wanted = (axes[:, -2:] * sizes[-2:]) @ axes[:, -2:].T
        np.testing.assert_allclose(2 * covariance(deformation.largest(model, 2)), wanted, atol=1e-3)


def test_each_label_is_deformed_by_the_gaussian_of_its_class():
    models = [np.zeros((1, *GRID, 2), np.float32), np.ones((1, *GRID, 2), np.float32)]
    deformer = deformation.Deformer(models, SHAPE)
    images = np.random.default_rng(0).random((4, *SHAPE), np.float32)
    moved = deformer(images, np.array([0, 1, 0, 1]), np.random.default_rng(0))
    np.testing.assert_allclose(moved[::2], images[::2], atol=1e-6)
    assert np.abs(moved[1::2] - images[1::2]).max(axis=(1, 2, 3)).min() > 0.01
    np.testing.assert_array_equal(moved, deformer(images, np.array([0, 1, 0, 1]), np.random.default_rng(0)))


def test_a_source_takes_the_images_of_a_class_in_turn_whatever_the_other_classes():
    images = np.random.default_rng(0).random((5, *SHAPE), np.float32)
    deformer = deformation.Deformer([fields(3)], SHAPE, (1e-6, 1e-6))
    still = deformation.Drawing(deformer, images, np.array([0, 0, 1, 1, 1]), [7, 8]).draw([1, 0, 1], [3, 5, 1])
    np.testing.assert_allclose(still, images[[2, 1, 3]], atol=1e-4)
    deformer.scale = (0.2, 1.3)
    mixed, alone = (
        deformation.Drawing(deformer, images, np.array([0, 0, 1, 1, 1]), [7, 8]).draw(labels, rows)
        for labels, rows in (([1, 0, 1], [0, 0, 1]), ([1, 1], [0, 1]))
    )
    np.testing.assert_allclose(mixed[[0, 2]], alone, atol=1e-6)


# What registered images leave


def test_edges_are_lengths_of_gradients():
    rows, columns = np.mgrid[:6, :5].astype(np.float32)
    ramp = (0.03 * rows + 0.04 * columns)[None, ..., None]
    np.testing.assert_allclose(residuals.edges(ramp), 0.05, atol=1e-6)


def test_changes_by_hand():
    columns = np.tile(np.arange(8, dtype=np.float32) / 16, (1, 8, 1))[..., None]  # 0 to 7/16, mean 7/32, slope 1/16
    thicker, contrast, brighter = (np.array([row], np.float32) for row in ([0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.25]))
    np.testing.assert_allclose(residuals.apply(columns, 0 * thicker), columns, atol=1e-7)
    np.testing.assert_allclose(residuals.apply(columns, thicker)[0, :, 2, 0], 2 / 16 + 0.5 / 16, atol=1e-6)
    np.testing.assert_allclose(residuals.apply(columns, contrast)[0, :, 4, 0], 7 / 32 + 1.5 * (4 / 16 - 7 / 32))
    np.testing.assert_allclose(residuals.apply(columns, brighter), columns + 0.25, atol=1e-6)


def test_edges_of_bright_strokes_move_outwards_by_the_thickness():
    stroke = np.clip(4 - np.abs(np.arange(21, dtype=np.float32) - 10), 0, 2)[None, None, :, None] / 2
    stroke = np.repeat(stroke, 9, axis=1)
    area = {size: residuals.apply(stroke, np.array([[size, 0, 0]], np.float32)).sum() / 9 for size in (-0.5, 0, 0.5)}
    assert area[0.5] - area[0] == pytest.approx(2 * 0.5, abs=0.25)  # both edges of a stroke of height 1
    assert area[0] - area[-0.5] == pytest.approx(2 * 0.5, abs=0.25)


@pytest.mark.parametrize("channels", [1, 3])
def test_planted_changes_are_found(channels):
    images = 0.3 + 0.4 * np.repeat(smooth(16, 1.5), channels, axis=-1) * np.linspace(0.6, 1, channels, dtype=np.float32)
    planted = np.random.default_rng(0).normal(0, 0.05, (4, 2 + channels)).astype(np.float32)
    found = residuals.fit(images, residuals.apply(images, planted))
    assert (found.shape, found.dtype) == (planted.shape, np.float32)
    np.testing.assert_allclose(found, planted, atol=0.01)


def test_an_image_of_one_level_changes_in_brightness_alone():
    found = residuals.fit(np.full((1, 6, 6, 1), 0.5, np.float32), np.full((1, 6, 6, 1), 0.7, np.float32))
    np.testing.assert_allclose(found, [[0, 0, 0.2]], atol=1e-6)


def test_samples_have_the_moments_of_the_changes():
    changes = np.random.default_rng(1).normal(0, (0.5, 0.1, 0.02), (30, 3)).astype(np.float32)
    rows = deformation.modes(changes)
    np.testing.assert_allclose(rows.T @ rows, changes.T @ changes / 30, atol=1e-6)
    deformer = deformation.Deformer([fields(4)], (8, 8, 1), (1.0, 1.0), rows)
    _, drawn = deformer.sample(np.zeros(4000, int), np.random.default_rng(0))
    np.testing.assert_allclose(drawn.T @ drawn / 4000, changes.T @ changes / 30, rtol=0.15, atol=2e-3)
    assert deformation.Deformer([fields(4)], (8, 8, 1)).sample([0], np.random.default_rng(0))[1] is None
