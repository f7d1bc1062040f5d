"""Registers pairs of images: finds velocity fields whose exponentials deform one image into another.

As in Hauberg et al. 2016 ("Dreaming More Data: Class-dependent Distributions over Diffeomorphisms for Learned Data
Augmentation"), section 3, with B-splines in place of their cells, and gradient descent in place of their sampler.
"""

import keras
import numpy as np
from keras import ops
from scipy import ndimage

from vae_aug import velocity

SIGMAS = (2.0, 1.2, 0.7)  # pixels of an image of 28 x 28: images are blurred by less and less
STEPS = 40  # at each sigma
RATE = 0.1  # Adam's, pixels of an image of 28 x 28 per step
MOST_PIXELS = 200 * 32 * 32  # of one batch
MOST_SHUFFLED = 1000  # images of a class whose pairs are all put into an order, a million of them


def ordered_pairs(labels, most, rng):
    """Lists ordered pairs of different images of one class, class after class.

    Args:
        labels: integers `(num_images,)`.
        most: pairs of a class at most; where there are more, some are drawn.
        rng: `numpy.random.Generator`.

    Returns:
        Integers `(num_pairs, 2)`: which image is deformed, and into which one.
    """
    found = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        others = len(rows) - 1
        kept = np.sort(_draw(len(rows) * others, most, rng, len(rows) <= MOST_SHUFFLED))
        first, second = np.divmod(kept, max(others, 1))
        second += second >= first  # an image has no pair with itself
        found.append(np.stack([rows[first], rows[second]], axis=1))
    return np.concatenate(found)


def _draw(count, most, rng, by_shuffling):
    """Draws `most` of `count` numbers, without order and without repetition, or all if there are no more."""
    if by_shuffling:
        return rng.permutation(count)[:most]
    return rng.choice(count, min(most, count), replace=False, shuffle=False)  # takes the memory of what is drawn


def roughness(control, spacing, affine=False):
    """Computes the mean squared gradient of velocity fields, from differences of neighbouring control points.

    Args:
        control: float32 `(count, rows, columns, 2)`, pixels.
        spacing: pixels from one control point to the next, along the rows and along the columns.
        affine: whether the affine part of a field, whose gradient is the same everywhere, costs nothing.

    Returns:
        float32 `(count,)`, no unit.
    """
    down = (control[:, 1:] - control[:, :-1]) / spacing[0]
    right = (control[:, :, 1:] - control[:, :, :-1]) / spacing[1]
    if affine:
        down, right = (part - ops.mean(part, axis=(1, 2), keepdims=True) for part in (down, right))
    return sum(ops.mean(ops.sum(ops.square(part), axis=-1), axis=(1, 2)) for part in (down, right))


class Registration(keras.Model):
    """Holds the velocity fields of a batch of pairs, and improves them by `train_on_batch(moving, fixed)`.

    The loss is a sum over the pairs, so that what is found of a pair does not depend on the others.

    Args:
        count: pairs.
        image_shape: `(height, width, channels)`.
        grid: control points along the height and along the width.
        penalty: weight of `roughness` beside the mean squared difference of pixels in [0, 1].
        affine: as of `roughness`.
    """

    def __init__(self, count, image_shape, grid, penalty, affine=False):
        super().__init__()
        self.penalty, self.affine, self.warp = penalty, affine, velocity.Warp(image_shape, grid)
        self.spacing = [(side - 1) / (n - 3) for side, n in zip(image_shape[:2], grid, strict=True)]
        self.control = self.add_weight(shape=(count, *grid, 2), initializer="zeros", name="control")
        self.compile(keras.optimizers.Adam(RATE * max(image_shape[:2]) / 28))

    def build(self, input_shape):
        del input_shape
        self.built = True

    def call(self, moving):
        return self.warp(ops.convert_to_tensor(moving), ops.convert_to_tensor(self.control))[0]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Squared difference plus penalty, summed over the pairs."""
        del x, sample_weight, training
        errors = ops.mean(
            ops.square(y_pred - ops.convert_to_tensor(y)), axis=(1, 2, 3)
        )  # PyTorch's trainer passes arrays
        return ops.sum(errors + self.penalty * roughness(self.control, self.spacing, self.affine))

    def restart(self):
        """Forgets the fields and the optimiser's moments; the traced graph stays."""
        for variable in (self.control, *self.optimizer.variables):
            if variable is not self.optimizer.learning_rate:
                variable.assign(ops.zeros(variable.shape, variable.dtype))


def register(images, pairs, grid, penalty, on_step=None, *, affine=False):
    """Finds the velocity fields of pairs of images.

    Images are blurred by falling sigmas, so that first the large and then the small parts find each other.

    Args:
        images: float32 `(num_images, height, width, channels)` in [0, 1].
        pairs: integers `(num_pairs, 2)`, as of `ordered_pairs`.
        grid: control points along the height and along the width, at least 4 each.
        penalty: weight of the fields' roughness; larger ones give smoother and smaller fields.
        on_step: called without arguments after each step of a batch of pairs.
        affine: whether shifts, rotations, zooms and shears of the whole image cost nothing, however large.

    Returns:
        control: float32 `(num_pairs, *grid, 2)`, velocities in pixels.
        history: list of dicts, one per step: `step` from 1, `sigma` in pixels, and the `loss`, a mean over the pairs.

    Raises:
        FloatingPointError: the loss became NaN or infinite.
    """
    scale = max(images.shape[1:3]) / 28
    sigmas = [scale * sigma for sigma in SIGMAS]
    blurred = [ndimage.gaussian_filter(images, (0, sigma, sigma, 0), mode="nearest") for sigma in sigmas]
    num_batches = num_batches_of(len(pairs), images.shape[1:])
    size = -(-len(pairs) // num_batches)
    model = Registration(size, images.shape[1:], grid, penalty, affine)
    losses, found = np.zeros((len(sigmas), STEPS)), []
    for start in range(0, len(pairs), size):
        some = pairs[start : start + size]
        model.restart()
        for k, level in enumerate(blurred):
            batch = np.zeros((2, size, *images.shape[1:]), np.float32)  # empty images add nothing to the loss
            batch[:, : len(some)] = level[some.T]
            for step in range(STEPS):
                model.reset_metrics()  # some versions of Keras do so at each call of `train_on_batch`, others never
                losses[k, step] += float(np.ravel(model.train_on_batch(*batch))[0])
                if not np.isfinite(losses[k, step]):
                    raise FloatingPointError(f"the loss became {losses[k, step]} at sigma {sigmas[k]:g}")
                if on_step:
                    on_step()
        found.append(ops.convert_to_numpy(model.control)[: len(some)])
    history = [
        {"step": k * STEPS + step + 1, "sigma": sigma, "loss": losses[k, step] / len(pairs)}
        for k, sigma in enumerate(sigmas)
        for step in range(STEPS)
    ]
    return np.concatenate(found), history


def num_batches_of(num_pairs, image_shape):
    """Counts the batches in which so many pairs are registered."""
    return -(-num_pairs // max(1, MOST_PIXELS // (image_shape[0] * image_shape[1])))


def num_steps(num_pairs, image_shape):
    """Counts the steps of `register`."""
    return num_batches_of(num_pairs, image_shape) * len(SIGMAS) * STEPS


def errors(images, pairs, control, apply):
    """Computes the mean squared differences of pairs of images, before and after the deformation.

    Args:
        images, pairs: as of `register`.
        control: what it found.
        apply: `apply` of a `deformation.Deformer`.

    Returns:
        before, after: float `(num_pairs,)`.
        folded: share of all pixels at which the maps fold.
    """
    moving, fixed = images[pairs[:, 0]], images[pairs[:, 1]]
    deformed, displacement = apply(moving, control)
    before, after = (np.mean(np.square(part - fixed), axis=(1, 2, 3)) for part in (moving, deformed))
    return before, after, velocity.folding(displacement)
