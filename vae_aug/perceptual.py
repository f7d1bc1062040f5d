"""How far a reconstruction is from its image: by pixels, by bands of a Laplacian pyramid, by a network's features.

All three are sums over levels of the mean absolute difference, weighted so that the mean of the images would score 1:
so a loss is the share of what there is to learn that is left, and its weight beside other losses means the same with
each of the three. The features of an image do not change while a generator learns, and are computed once.
"""

import keras
import numpy as np
from keras import ops

LOSSES = ("laplacian", "l1", "vgg")
KERNEL = np.array([1, 4, 6, 4, 1]) / 16  # of the pyramid's blur (Burt and Adelson 1983)
SMALLEST = 4  # pixels: a level whose shorter side would be less is not split off
VGG_LEVELS = tuple(f"block{k}_conv2" for k in range(1, 6))  # conv1_2 to conv5_2, after the ReLU
VGG_CHOICES = ("5", "3+pixels")  # all of them (the paper), or the first three and the pixels (its code, at 32 px)
VGG_MEANS = np.array([103.939, 116.779, 123.68], np.float32)  # of blue, green, red, which these weights expect gone


def shrinking(size):
    """The matrix `(ceil(size / 2), size)` that blurs a row of pixels, mirrored at its ends, and takes every second."""
    matrix = np.zeros((-(-size // 2), size), np.float32)
    for row in range(len(matrix)):
        for k, weight in enumerate(KERNEL):
            place = abs(2 * row + k - 2)
            matrix[row, place if place < size else 2 * (size - 1) - place] += weight
    return matrix


def growing(size):
    """The matrix `(size, ceil(size / 2))` that brings a shrunken row back to `size` pixels, with the same blur."""
    matrix = 2 * shrinking(size).T
    return matrix / matrix.sum(axis=1, keepdims=True)


def _resample(images, rows, columns):
    return ops.einsum("ih,bhwc,jw->bijc", rows, images, columns)


class Laplacian:
    """The bands of a Laplacian pyramid, fine to coarse, and what remains: GLO's loss (Bojanowski et al. 2018, eq. 3).

    Args:
        image_shape: `(height, width, channels)`.
    """

    separate = False  # levels keep their weights to one another

    def __init__(self, image_shape):
        height, width, _ = image_shape
        self.matrices = []
        while min(height, width) >= 2 * SMALLEST:
            self.matrices.append([make(side) for make in (shrinking, growing) for side in (height, width)])
            height, width = -(-height // 2), -(-width // 2)

    def __call__(self, images):
        """Lists the levels of images `(batch, height, width, channels)`; they sum up to the images, brought to size."""
        levels = []
        for shrink_rows, shrink_columns, grow_rows, grow_columns in self.matrices:
            small = _resample(images, shrink_rows, shrink_columns)
            levels.append(images - _resample(small, grow_rows, grow_columns))
            images = small
        return [*levels, images]


class Pixels:
    """The image itself."""

    separate = False

    def __call__(self, images):
        return [images]


class Features:
    """What layers of a network give for an image (Hoshen et al. 2019; Azuri and Weinshall 2020, eq. 1).

    Args:
        network: maps images in [0, 1], RGB, to a list of features; it is not trained.
        pixels: whether the image itself is a level too.
    """

    separate = True  # each level has a scale of its own

    def __init__(self, network, pixels=False):
        network.trainable = False
        self.network, self.pixels = network, pixels

    def __call__(self, images):
        colored = ops.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images
        found = self.network(colored, training=False)
        return [*([images] if self.pixels else []), *(found if isinstance(found, list | tuple) else [found])]


def vgg_features(vgg, choice):
    """Makes `Features` of Keras' VGG-16, whose weights are Caffe's: BGR, 0 to 255, less the means of ImageNet.

    Args:
        vgg: `keras.applications.VGG16` without its top.
        choice: one of `VGG_CHOICES`.
    """
    names = VGG_LEVELS if choice == "5" else VGG_LEVELS[:3]
    trunk = keras.Model(vgg.inputs, [vgg.get_layer(name).output for name in names])
    images = keras.Input((None, None, 3))
    return Features(keras.Model(images, trunk(ops.flip(images, axis=-1) * 255 - VGG_MEANS)), pixels=choice != "5")


def means_of_last(levels, images, batch_size=100):
    """Computes the means over all places of the last level of each image, float64 `(num_images, channels)`.

    Args:
        levels: `Features`.
        images: float32 `(num_images, height, width, channels)` in [0, 1].
        batch_size: images at a time; nothing else is kept of them.
    """
    parts = (ops.convert_to_tensor(images[k : k + batch_size]) for k in range(0, len(images), batch_size))
    return np.concatenate([ops.convert_to_numpy(levels(part)[-1]).mean((1, 2), dtype=np.float64) for part in parts])


class Loss:
    """Compares generated images with what is known of the real ones.

    Args:
        levels: `Laplacian`, `Pixels` or `Features`.
        images: float32 `(num_images, height, width, channels)` in [0, 1], all that will be reconstructed.
        most_bytes: that the levels of all images may take.

    Raises:
        ValueError: they take more.

    Attributes:
        targets: list of arrays `(num_images, ...)`, float32, of a network's features float16: the levels of `images`.
        weights: list of floats, one per level.
    """

    def __init__(self, levels, images, most_bytes=2**31, batch_size=100):
        self.levels = levels
        dtype = np.float16 if levels.separate else np.float32
        one = levels(ops.convert_to_tensor(images[:1]))
        size = sum(np.prod(level.shape) for level in one) * dtype(0).itemsize * len(images)
        if size > most_bytes:
            raise ValueError(
                f"what the loss compares of {len(images)} images takes {size / 1e9:.1f} GB, at most "
                f"{most_bytes / 1e9:.1f} are kept; take fewer images, or --loss laplacian"
            )
        parts = [
            [ops.convert_to_numpy(level).astype(dtype) for level in levels(ops.convert_to_tensor(part))]
            for part in (images[k : k + batch_size] for k in range(0, len(images), batch_size))
        ]
        self.targets = [np.concatenate(level) for level in zip(*parts, strict=True)]
        spreads = [max(_mean_deviation(level), 1e-6) for level in self.targets]
        scales = [len(spreads) * spread if levels.separate else sum(spreads) for spread in spreads]
        self.weights = [1 / scale for scale in scales]

    def __call__(self, targets, generated):
        """The loss of generated images, a mean over the batch.

        Args:
            targets: list of the levels of their real counterparts, as in `targets`.
            generated: `(batch, height, width, channels)` in [0, 1].
        """
        pairs = zip(self.weights, targets, self.levels(generated), strict=True)
        return sum(weight * ops.mean(ops.abs(ops.cast(real, made.dtype) - made)) for weight, real, made in pairs)


def _mean_deviation(level):
    level = level.astype(np.float32)
    return float(np.abs(level - level.mean(axis=0)).mean())
