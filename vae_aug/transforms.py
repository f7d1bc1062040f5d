"""The traditional sets of Eduardo & Kazi 2018, section 4.2: one transformed copy of each image. SciPy, no Keras."""

import numpy as np
from scipy import ndimage

KINDS = ("rotate", "blur", "rotate-blur", "copy")
MAX_ANGLE = 25.0  # degrees, either way
SIGMAS = (0.25, 2.25)  # pixels: standard deviation of the Gaussian


def make_source(load, options):
    """Makes the source of images that `common.saved` asks a kind's module for: copies of images, of no model."""
    del load
    seeds = [options.seed_of(name) for name in options.class_names]
    return Copies(options.starts, options.labels, options.sampler, seeds)


class Copies:
    """One transformed copy of each image: a source of images, as `common.saved` describes them.

    Args:
        images: float32 `(num_images, height, width, channels)` in [0, 1].
        labels: integers `(num_images,)`, the class of each image.
        kind: one of `KINDS`.
        seeds: integer seed of the angles and blurs, per class.
    """

    def __init__(self, images, labels, kind, seeds):
        self.classes = [transform(images[labels == k], kind, seed) for k, seed in enumerate(seeds)]

    def draw(self, labels, rows):
        """The copies of chosen images.

        Args:
            labels: integers `(count,)`, the class of each image.
            rows: integers `(count,)`, the place of each image in its class.

        Returns:
            float32 `(count, height, width, channels)` in [0, 1].
        """
        return np.stack([self.classes[label][row] for label, row in zip(labels, rows, strict=True)])


def transform(images, kind, seed):
    """Makes one copy of each image.

    Angles are U(-25, 25) degrees and blurs U(0.25, 2.25) pixels, drawn for each image; a seed gives the same ones for
    every kind, so that `rotate-blur` is the blur of what `rotate` gives. What the paper leaves open: bilinear, black
    where the image's corners turn in, and the blur after the rotation, mirrored at the border.

    Args:
        images: float32 `(num_images, height, width, channels)` in [0, 1].
        kind: one of `KINDS`; `copy` changes nothing.
        seed: integer.

    Returns:
        float32 like `images`, in [0, 1].
    """
    if kind not in KINDS:
        raise ValueError(f"`kind` should be one of {KINDS}. Received: {kind!r}")
    rng = np.random.default_rng(seed)
    angles, sigmas = rng.uniform(-MAX_ANGLE, MAX_ANGLE, len(images)), rng.uniform(*SIGMAS, len(images))
    made = np.array(images, np.float32)
    for k in range(len(made)):
        if "rotate" in kind:
            made[k] = ndimage.rotate(made[k], angles[k], axes=(0, 1), reshape=False, order=1)
        if "blur" in kind:
            made[k] = ndimage.gaussian_filter(made[k], (sigmas[k], sigmas[k], 0))
    return np.clip(made, 0, 1)
