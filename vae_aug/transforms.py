"""The traditional sets of Eduardo & Kazi 2018, section 4.2: one transformed copy of each image. SciPy, no Keras."""

import functools

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
        images: float32 `(num_images, height, width, channels)` in [0, 1], or an album of such. It is decoded as copies
            are drawn: by `copy` those alone, by the other kinds their class.
        labels: integers `(num_images,)`, the class of each image.
        kind: one of `KINDS`.
        seeds: integer seed of the angles and blurs, per class.
    """

    def __init__(self, images, labels, kind, seeds):
        _check(kind)
        self.images, self.kind, self.seeds = images, kind, seeds
        self.places = [np.flatnonzero(np.asarray(labels) == k) for k in range(len(seeds))]
        self._of = functools.lru_cache(maxsize=1)(self._transformed)

    def draw(self, labels, rows):
        """The copies of chosen images.

        Args:
            labels: integers `(count,)`, the class of each image.
            rows: integers `(count,)`, the place of each image in its class.

        Returns:
            float32 `(count, height, width, channels)` in [0, 1].
        """
        labels, rows = np.asarray(labels), np.asarray(rows)
        made = np.empty((len(labels), *self.images.shape[1:]), np.float32)
        for label in np.unique(labels):
            chosen = labels == label
            if self.kind == "copy":  # nothing is drawn for the class as a whole
                made[chosen] = np.clip(self.images[self.places[label][rows[chosen]]], 0, 1)
            else:
                made[chosen] = self._of(int(label))[rows[chosen]]
        return made

    def _transformed(self, label):
        return transform(self.images[self.places[label]], self.kind, self.seeds[label])


def _check(kind):
    if kind not in KINDS:
        raise ValueError(f"`kind` should be one of {KINDS}. Received: {kind!r}")


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
    _check(kind)
    rng = np.random.default_rng(seed)
    angles, sigmas = rng.uniform(-MAX_ANGLE, MAX_ANGLE, len(images)), rng.uniform(*SIGMAS, len(images))
    made = np.array(images, np.float32)
    for k in range(len(made)):
        if "rotate" in kind:
            made[k] = ndimage.rotate(made[k], angles[k], axes=(0, 1), reshape=False, order=1)
        if "blur" in kind:
            made[k] = ndimage.gaussian_filter(made[k], (sigmas[k], sigmas[k], 0))
    return np.clip(made, 0, 1)
