"""The augmentation layer against `ImageDataGenerator`: one image for one angle and shift, and one law."""

import keras
import numpy as np
import pytest
from scipy import stats

from cnn.affine import RandomAffine, transforms
from cnn.augmentation import Augmentation, ImageDataGenerator
from cnn.presets import SUITABLE
from images import codec, sources

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def images():
    """Real digits, float32 `(40, 28, 28, 1)`."""
    return codec.to_float(sources.digits(seed=0).x_train[:40, ..., None])


def by_layer(images, theta, tx, ty):
    matrix = transforms(*(np.float32([value]) for value in (np.deg2rad(theta), tx, ty)), *images.shape[1:3])
    matrix = keras.ops.repeat(matrix, len(images), axis=0)
    return np.array(
        keras.ops.image.affine_transform(images, matrix, "bilinear", "nearest", data_format="channels_last")
    )


@pytest.mark.parametrize("shape", [(28, 28), (28, 20), (12, 28)], ids=str)
@pytest.mark.parametrize(
    ("theta", "tx", "ty"), [(0, 3, 0), (0, 0, -2), (20, 0, 0), (-13.7, 4.4, -5.1), (7.3, -2.25, 3.5)], ids=str
)
def test_layer_moves_pixels_where_the_generator_moves_them(images, shape, theta, tx, ty):
    images = np.repeat(images[:5, : shape[0], : shape[1]], 3, axis=-1) * [1.0, 0.5, 0.25]
    images = images.astype(np.float32)
    generator = ImageDataGenerator()
    expected = [generator.apply_transform(image, {"theta": theta, "tx": tx, "ty": ty}) for image in images]
    np.testing.assert_allclose(by_layer(images, theta, tx, ty), expected, atol=2e-4)


def features(images):
    """What can be seen of angle and shifts: ink, its middle and its spread along and across the axes, `(count, 6)`."""
    ink = images[..., 0].astype(np.float64)
    rows, columns = np.mgrid[: ink.shape[1], : ink.shape[2]]
    total = ink.sum(axis=(1, 2))
    row, column = ((ink * axis).sum(axis=(1, 2)) / total for axis in (rows, columns))
    moments = [
        (ink * (rows - row[:, None, None]) ** a * (columns - column[:, None, None]) ** b).sum(axis=(1, 2)) / total
        for a, b in ((2, 0), (0, 2), (1, 1))
    ]
    return np.stack([total, row, column, *moments], axis=1)


def test_layer_draws_from_the_law_of_the_generator(images):
    count, p_values = 1500, []
    for image in images[[3, 17]]:
        copies = np.repeat(image[None], count, axis=0)
        layer = RandomAffine(20, 0.2, 0.2, seed=1)
        ours = features(np.array(layer(copies, training=True)))
        theirs = features(Augmentation(copies, seed=2, settings=SUITABLE)(copies))
        p_values += [stats.ks_2samp(a, b).pvalue for a, b in zip(ours.T, theirs.T, strict=True)]
        wrong = features(np.array(RandomAffine(20, 0.2, 0.15, seed=1)(copies, training=True)))
        assert (
            min(stats.ks_2samp(a, b).pvalue for a, b in zip(wrong.T, theirs.T, strict=True)) < 1e-6
        )  # it would be seen
    assert min(p_values) > 0.01 / len(p_values)  # Bonferroni, for the twelve are one question


def test_drawn_angles_and_shifts_fill_their_ranges_evenly():
    layer = RandomAffine(20, 0.1, 0.3, seed=3)
    drawn = np.array(layer.draw(4000, 28, 28))
    theta = np.arctan2(drawn[:, 3], drawn[:, 0])
    assert stats.kstest(theta, stats.uniform(-np.deg2rad(20), 2 * np.deg2rad(20)).cdf).pvalue > 0.01
    # Undo the rotation about the middle, 13.5: what is left of the offset is the shift.
    a2, b2 = drawn[:, 2] - 13.5, drawn[:, 5] - 13.5
    tx = np.cos(theta) * a2 + np.sin(theta) * b2 + 13.5
    ty = -np.sin(theta) * a2 + np.cos(theta) * b2 + 13.5
    for shift, largest in ((tx, 2.8), (ty, 8.4)):
        assert stats.kstest(shift, stats.uniform(-largest, 2 * largest).cdf).pvalue > 0.01
        assert np.abs(shift).max() <= largest + 1e-4
    assert abs(stats.pearsonr(tx, ty).statistic) < 0.06


def test_layer_is_idle_in_inference_and_follows_its_seed(images):
    layer = RandomAffine(20, 0.2, 0.2, seed=5)
    np.testing.assert_array_equal(np.array(layer(images)), images)
    first = np.array(layer(images, training=True))
    assert first.shape == images.shape
    assert np.abs(first - images).max() > 0.5
    assert np.abs(np.array(layer(images, training=True)) - first).max() > 0.5
    again = RandomAffine.from_config(layer.get_config())
    np.testing.assert_array_equal(np.array(again(images, training=True)), first)


def test_layer_refuses_shifts_that_are_no_fractions():
    with pytest.raises(ValueError, match=r"from 0 to below 1. Received: 0.2, 3"):
        RandomAffine(20, 0.2, 3)
