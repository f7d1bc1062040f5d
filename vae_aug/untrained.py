"""Images that come from images without a model that learns: SMOTE in pixels, and pure noise as a control. No Keras."""

import numpy as np
from imblearn.over_sampling import SMOTE

KINDS = ("smote", "noise")
NEIGHBOURS = 5  # of an image, of its class, one of which it is blended with (Chawla et al. 2002, section 4.2)


def make_source(load, options):
    """Makes the source of images that `common.saved` asks a kind's module for: from images, of no model."""
    del load
    seeds = [options.seed_of(name) for name in options.class_names]
    return Untrained(options.starts, options.labels, options.sampler, seeds)


class Untrained:
    """Draws images of chosen classes from real ones: a source of images, as `common.saved` describes them.

    What comes of a class follows from its seed and from how many of its images were drawn before, not from the other
    classes.

    Args:
        images: float32 `(num_images, height, width, channels)` in [0, 1], or an album of such, of which SMOTE decodes a
            class at a time and noise none.
        labels: integers `(num_images,)`, the class of each image.
        kind: `"smote"` or `"noise"`.
        seeds: integer seed, per class.
    """

    def __init__(self, images, labels, kind, seeds):
        if kind not in KINDS:
            raise ValueError(f"`kind` should be one of {KINDS}. Received: {kind!r}")
        self.images, self.labels, self.kind = images, np.asarray(labels), kind
        self._rngs = [np.random.default_rng(seed) for seed in seeds]

    def draw(self, labels, rows):
        """Draws one image per label.

        Args:
            labels: integers `(count,)`, the class of each image.
            rows: not used: an image is made anew each time.

        Returns:
            float32 `(count, height, width, channels)` in [0, 1].
        """
        del rows
        labels = np.asarray(labels)
        made = np.empty((len(labels), *self.images.shape[1:]), np.float32)
        for label in np.unique(labels):
            places = np.flatnonzero(labels == label)
            if self.kind == "noise":
                made[places] = self._rngs[label].random((len(places), *made.shape[1:]), np.float32)
            else:
                made[places] = smote(self.images[self.labels == label], len(places), self._rngs[label])
        return made


def smote(images, count, rng):
    """Draws images between an image and one of its 5 nearest of the same class (SMOTE, Chawla et al. 2002).

    Args:
        images: float32 `(num_images, height, width, channels)`, of one class.
        count: how many to draw.
        rng: `numpy.random.Generator`.

    Returns:
        float32 `(count, height, width, channels)`; of a single image, which has no neighbour, copies.
    """
    if len(images) < 2:
        return np.repeat(images, count, axis=0)
    flat = images.reshape(len(images), -1)
    # imbalanced-learn fills a class up, and wants a second one, which takes no part.
    flat, labels = np.concatenate([flat, flat[:1]]), np.array([0] * len(images) + [1])
    sampler = SMOTE(
        sampling_strategy={0: len(images) + count},
        k_neighbors=min(NEIGHBOURS, len(images) - 1),
        random_state=int(rng.integers(2**31)),
    )
    filled, _ = sampler.fit_resample(flat, labels)
    return filled[-count:].reshape(count, *images.shape[1:]).astype(np.float32)
