"""The latent samplers: shape, range, determinism, and which image a latent belongs to."""

import numpy as np
import pytest

from vae_aug import sampling

Z_MEAN = np.array([[0, 10], [100, -10], [-50, 3]], np.float32)
Z_STD = np.array([[1, 0.5], [2, 0], [0.1, 3]], np.float32)
SAMPLERS = {
    "uniform": lambda count, rng: sampling.uniform(count, 2, rng),
    "normal": lambda count, rng: sampling.normal(count, 2, rng),
    "posterior": lambda count, rng: sampling.posterior(count, Z_MEAN, Z_STD, rng),
}


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
@pytest.mark.parametrize("count", [1, 7])
def test_latents_are_float32_rows(sampler, count):
    z = sampler(count, np.random.default_rng(0))
    assert (z.shape, z.dtype) == ((count, 2), np.float32)


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_latents_follow_from_the_generator(sampler):
    first, again, other = (sampler(7, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_latents_leave_the_global_state_alone(sampler):
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    sampler(7, np.random.default_rng(0))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("half_range", [0.5, 1.5, 4.0])
def test_uniform_fills_its_range_and_stays_inside(half_range):
    z = sampling.uniform(5000, 3, np.random.default_rng(0), half_range)
    assert np.abs(z).max() <= half_range
    assert np.all(z.min(axis=0) < -0.99 * half_range)
    assert np.all(z.max(axis=0) > 0.99 * half_range)
    quarters = [np.histogram(column, 4, (-half_range, half_range))[0] for column in z.T]
    np.testing.assert_allclose(quarters, 1250, atol=5 * np.sqrt(5000 * 0.25 * 0.75))


def test_uniform_is_15_wide_on_either_side_by_default():
    z = sampling.uniform(5000, 2, np.random.default_rng(0))
    assert 1.49 < np.abs(z).max() <= 1.5


def test_normal_is_the_prior():
    z = sampling.normal(20_000, 2, np.random.default_rng(0))
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=5 / np.sqrt(20_000))
    np.testing.assert_allclose(z.std(axis=0), 1, atol=5 / np.sqrt(40_000))
    assert abs(np.corrcoef(z.T)[0, 1]) < 5 / np.sqrt(20_000)
    assert np.abs(z).max() > 3  # unbounded, unlike the uniform sampler


def test_posterior_takes_each_image_in_turn():
    z = sampling.posterior(7, Z_MEAN, np.zeros_like(Z_STD), np.random.default_rng(0))
    np.testing.assert_array_equal(z, Z_MEAN[[0, 1, 2, 0, 1, 2, 0]])


def test_posterior_has_each_images_mean_and_spread():
    count = 3 * 20_000
    z = sampling.posterior(count, Z_MEAN, Z_STD, np.random.default_rng(0)).reshape(-1, 3, 2)
    assert np.all(np.abs(z.mean(axis=0) - Z_MEAN) <= 5 * Z_STD / np.sqrt(20_000))
    np.testing.assert_allclose(z.std(axis=0), Z_STD, rtol=5 / np.sqrt(40_000), atol=1e-6)


def test_sweep_goes_row_by_row_from_the_top_left():
    grid = sampling.sweep(3, 2.0)
    assert grid.dtype == np.float32
    np.testing.assert_array_equal(grid, [[-2, 2], [0, 2], [2, 2], [-2, 0], [0, 0], [2, 0], [-2, -2], [0, -2], [2, -2]])


@pytest.mark.parametrize("side", [2, 15])
def test_sweep_has_its_corners_at_the_range(side):
    grid = sampling.sweep(side)
    assert grid.shape == (side**2, 2)
    np.testing.assert_array_equal(
        grid[[0, side - 1, side * (side - 1), -1]], [[-1.5, 1.5], [1.5, 1.5], [-1.5, -1.5], [1.5, -1.5]]
    )
