"""The ladder network (Rasmus et al. 2015, arXiv 1507.02672): a classifier that also learns from images without labels.

A noisy and a clean encoder share their weights; a decoder denoises every layer of the noisy one, and what it misses of
the clean one is a cost beside the labelled images' cross-entropy. Algorithm 1 and equation 2; what the paper leaves
open (initial values, learning rate, each half of a batch normalised by itself) as in its authors' released code.
"""

import math

import keras
import numpy as np
from keras import ops

from cnn import scarce_nets

DENOISING = (1000.0, 10.0, 0.1)  # 100 labels, table 1: weights from the image upwards, the last for all levels above
BATCH_SIZE = 100  # unlabelled images a step
EPSILON = 1e-6  # Deviation 15: theirs is 1e-10, with which a unit that a batch leaves constant has no bound


def build(image_shape, num_classes, noise):
    """Builds the ladder network on FC2's layers; arguments as of `models.build`."""
    model = Ladder(image_shape, num_classes, scarce_nets.FC2, noise, name="ladder")
    model.build()
    return model


def batches(labelled, images, seed, batch_size=BATCH_SIZE):
    """Joins batches of unlabelled images to labelled ones.

    Args:
        labelled: generator of pairs of images and one-hot labels.
        images: unlabelled images, float32 `(num_images, height, width, channels)`, taken in reshuffled passes.
        seed: integer seed of the shuffling.
        batch_size: unlabelled images a step; where there are fewer, a step takes all.

    Yields:
        Pairs of a dict, `labelled` and `unlabelled`, and labels, as a `Ladder` trains on them.
    """
    rng = np.random.default_rng(seed)
    size, waiting = min(batch_size, len(images)), np.empty(0, int)
    for x, y in labelled:
        if len(waiting) < size:
            waiting = np.concatenate([waiting, rng.permutation(len(images))])
        rows, waiting = waiting[:size], waiting[size:]
        yield {"labelled": x, "unlabelled": images[rows]}, y


def normalise(z):
    """Normalises each unit over the batch: float32 z, and the mean and variance that it had, both `(1, units)`."""
    z = ops.cast(z, "float32")
    mean, variance = ops.moments(z, axes=0, keepdims=True)
    return (z - mean) / ops.sqrt(variance + EPSILON), mean, variance


def _projection(units):
    return keras.layers.Dense(units, use_bias=False, kernel_initializer="lecun_normal")


class Level(keras.layers.Layer):
    """A layer of the encoder: projection, batch norm, shift and ReLU; at the top also a scale, and a softmax.

    Args:
        units: its width.
        top: whether it is the classifier's output.
        momentum: of the moving mean and variance, by which it normalises when called: in prediction.
    """

    def __init__(self, units, top=False, momentum=0.95, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.top, self.momentum = top, momentum
        self.project = _projection(units)

    def build(self, input_shape):
        units = self.project.units
        self.project.build(input_shape)
        self.beta = self.add_weight(shape=(units,), initializer="zeros", name="beta")
        if self.top:  # what is below is normalised again anyway
            self.gamma = self.add_weight(shape=(units,), initializer="ones", name="gamma")
        moving = {"shape": (1, units), "trainable": False, "aggregation": "mean"}
        self.moving_mean = self.add_weight(initializer="zeros", name="moving_mean", **moving)
        self.moving_variance = self.add_weight(initializer="ones", name="moving_variance", **moving)

    def activate(self, z):
        """From normalised z to what the next level sees."""
        z = z + self.beta
        return ops.softmax(self.gamma * z) if self.top else ops.relu(z)

    def update(self, mean, variance, count):
        """Moves mean and variance towards those of a batch of `count` images."""
        count = ops.cast(count, "float32")
        unbiased = variance * count / ops.maximum(count - 1, 1)
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
            moving.assign(self.momentum * moving + (1 - self.momentum) * new)

    def call(self, inputs):
        z = ops.cast(self.project(inputs), "float32")
        return self.activate((z - self.moving_mean) / ops.sqrt(self.moving_variance + EPSILON))


class Combinator(keras.layers.Layer):
    """The "vanilla" combinator (equation 2): guesses clean z from noisy z and the signal u from above, unit by unit.

    The rows of its weight `a` are a1 to a10.
    """

    def __init__(self, **kwargs):
        super().__init__(dtype="float32", **kwargs)

    def build(self, input_shape):
        def initial(shape, dtype=None):
            slopes = [[float(row in (1, 6))] for row in range(10)]  # a2 and a7 start as 1, the others as 0
            return ops.cast(ops.array(slopes) * ops.ones(shape), dtype)  # a broadcast view cannot be trained in PyTorch

        self.a = self.add_weight(shape=(10, input_shape[-1]), initializer=initial, name="a")

    def call(self, noisy, u):
        a1, a2, a3, a4, a5, a6, a7, a8, a9, a10 = ops.unstack(ops.convert_to_tensor(self.a), 10)
        mu = a1 * ops.sigmoid(a2 * u + a3) + a4 * u + a5
        nu = a6 * ops.sigmoid(a7 * u + a8) + a9 * u + a10
        return (noisy - mu) * nu + mu


@keras.saving.register_keras_serializable(package="cnn")
class Ladder(keras.Model):
    """Learns from batches with and without labels together; predicts from images alone, by the clean path.

    Args:
        image_shape: `(height, width, channels)`.
        num_classes: units of the top.
        widths: units of the levels between image and top.
        noise: standard deviation of the noise on the image and on every normalised level.
        denoising: weights of the denoising costs from the image upwards; the last counts for all levels above.
        seed: integer seed of the noise; None draws one from the back end's.

    Call arguments:
        inputs: images `(batch, height, width, channels)` in [0, 1]; in training a dict of two such batches,
            `labelled` and `unlabelled`, each of 2 images or more.

    Returns:
        Probabilities `(batch, num_classes)`, float32, of the (labelled) images: in training by the noisy path, which
        also adds the denoising costs of the unlabelled images as a loss; else by the clean path.
    """

    def __init__(self, image_shape, num_classes, widths, noise=0.3, denoising=DENOISING, seed=None, **kwargs):
        kwargs["dtype"] = "float32"  # of the costs; the projections take the policy of the day
        super().__init__(**kwargs)
        self.image_shape, self.num_classes, self.widths = tuple(image_shape), num_classes, tuple(widths)
        self.noise, self.denoising, self.seed = noise, tuple(denoising), seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.sizes = (math.prod(self.image_shape), *self.widths, num_classes)
        self.flatten = keras.layers.Flatten(dtype="float32")
        tops = range(1, len(self.sizes))
        self.levels = [Level(self.sizes[k], k == tops[-1], name=f"level{k}") for k in tops]
        self.down = [_projection(size) for size in self.sizes[:-1]]
        self.combinators = [Combinator(name=f"combinator{k}") for k in range(len(self.sizes))]

    def build(self, input_shape=None):
        del input_shape
        for k, size in enumerate(self.sizes):
            self.combinators[k].build((None, size))
            if k > 0:
                self.levels[k - 1].build((None, self.sizes[k - 1]))
                self.down[k - 1].build((None, size))
        self.built = True

    def call(self, inputs, training=False):
        paired = isinstance(inputs, dict)
        if not (paired and training):
            h = self.flatten(inputs["labelled"] if paired else inputs)
            for level in self.levels:
                h = level(h)
            return h
        labelled, unlabelled = self.flatten(inputs["labelled"]), self.flatten(inputs["unlabelled"])
        lateral, probabilities, top = self.encode_noisy(labelled, unlabelled)
        self.add_loss(ops.sum(ops.stack(self.denoising_costs(self.encode_clean(unlabelled), lateral, top))))
        return probabilities

    def add_noise(self, h):
        return h + self.noise * keras.random.normal(ops.shape(h), seed=self.seed_generator)

    def encode_noisy(self, labelled, unlabelled):
        """The unlabelled images' noisy z of every level, and the probabilities of labelled and unlabelled images."""
        count = ops.shape(labelled)[0]
        h = self.add_noise(ops.concatenate([labelled, unlabelled]))
        lateral = [h[count:]]
        for level in self.levels:
            z = level.project(h)
            z = self.add_noise(ops.concatenate([normalise(z[:count])[0], normalise(z[count:])[0]]))
            lateral.append(z[count:])
            h = level.activate(z)
        return lateral, h[:count], h[count:]

    def encode_clean(self, images):
        """Clean z of every level, with the mean and variance that it had before it was normalised."""
        h, targets = images, [(images, 0.0, 1.0)]  # the image itself is not normalised
        for level in self.levels:
            z, mean, variance = normalise(level.project(h))
            level.update(mean, variance, ops.shape(images)[0])
            targets.append((z, mean, variance + EPSILON))
            h = level.activate(z)
        return targets

    def denoising_costs(self, targets, lateral, top):
        """Decodes from the top down; weighted squared error of every level, averaged over images and units."""
        costs, estimate = [], top
        for k in reversed(range(len(self.sizes))):
            u = normalise(estimate if k == len(self.down) else self.down[k](estimate))[0]
            estimate = self.combinators[k](lateral[k], u)
            z, mean, variance = targets[k]
            weight = self.denoising[min(k, len(self.denoising) - 1)]
            costs.append(weight * ops.mean(ops.square(z - (estimate - mean) / ops.sqrt(variance))))
        return costs[::-1]

    def get_config(self):
        names = ("image_shape", "num_classes", "widths", "noise", "denoising", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
