"""Draws images between the images of a class, with the generator and the codes of a cGLO."""

import numpy as np

from vae_aug import cglo, sphere

KINDS = (*sphere.PATHS, "none")
SHARES = (0.1, 0.2, 0.3, 0.4)  # t, of the way from one code to the other (section 3.4)
PADDING = 16  # a generator is called with a multiple of as many images, so that few graphs are traced


class Interpolation:
    """Draws G(path(z_i, z_j; t)) for codes i and j of a class, j not i, t from `SHARES`: a source of images.

    What comes of a class follows from its seed and from how many of its images were drawn before, not from the other
    classes. A class of one image gives its reconstruction.

    Args:
        generator: from `cglo.build_generator`.
        codes: float `(num_images, latent_dim)`, unit norm, of labelled images.
        labels: integers `(num_images,)`, their classes.
        seeds: integer seed of partners, shares and noise, per class.
        kind: `"slerp"`, `"lerp"` or `"none"`: reconstructions, t = 0.
        noise_std: of the noise beside a code, if the generator takes any.
    """

    def __init__(self, generator, codes, labels, seeds, kind="slerp", noise_std=cglo.NOISE_STD):
        if kind not in KINDS:
            raise ValueError(f"`kind` should be one of {KINDS}. Received: {kind!r}")
        self.generator, self.codes, self.kind, self.noise_std = generator, codes, kind, noise_std
        self.members = [np.flatnonzero(labels == label) for label in range(len(seeds))]
        self._rngs = [np.random.default_rng(seed) for seed in seeds]
        self.noise_dim = generator.inputs[1].shape[-1] if len(generator.inputs) > 1 else 0

    def draw(self, labels, rows):
        """Draws one image per label.

        Args:
            labels: integers `(count,)`, the class of each image.
            rows: integers `(count,)`: the place in its class of the image whose code is z_i, over and over.

        Returns:
            float32 `(count, height, width, channels)` in [0, 1].
        """
        labels, rows = np.asarray(labels), np.asarray(rows)
        codes = np.empty((len(labels), self.codes.shape[1]))
        noise = np.empty((len(labels), self.noise_dim), np.float32)
        for label in np.unique(labels):
            places = np.flatnonzero(labels == label)
            codes[places], noise[places] = self._draw_class(label, rows[places])
        return decode(self.generator, codes, noise)

    def _draw_class(self, label, rows):
        members, rng = self.members[label], self._rngs[label]
        own = rows % len(members)
        first = self.codes[members[own]]
        if self.kind == "none" or len(members) == 1:
            codes = first
        else:
            other = (own + rng.integers(1, len(members), len(own))) % len(members)  # never the code itself
            path = getattr(sphere, self.kind)
            codes = path(first, self.codes[members[other]], rng.choice(SHARES, len(own)))
        return codes, self.noise_std * rng.standard_normal((len(own), self.noise_dim))


def decode(generator, codes, noise=None):
    """Generates an image per code, in inference mode: float32 `(num_codes, height, width, channels)` in [0, 1].

    Args:
        generator: from `cglo.build_generator`.
        codes: `(num_codes, latent_dim)`.
        noise: `(num_codes, noise_dim)`; None for its mean, 0.
    """
    padded = len(codes) + -len(codes) % PADDING
    codes_padded = np.resize(codes.astype(np.float32), (padded, codes.shape[1]))
    inputs = codes_padded
    if len(generator.inputs) > 1:
        size = generator.inputs[1].shape[-1]
        given = np.zeros((len(codes), size), np.float32) if noise is None else noise.astype(np.float32)
        inputs = [codes_padded, np.resize(given, (padded, size))]
    return np.array(generator.predict_on_batch(inputs))[: len(codes)]


def make_source(load, options):
    """Makes the source of images that `common.saved` asks a kind's module for."""
    parts = load(0)
    seeds = [options.seed_of(name) for name in options.class_names]
    table, kind = parts["codes"], options.sampler or KINDS[0]
    noise_std = options.settings.get("noise_std", cglo.NOISE_STD)
    return Interpolation(parts["generator"], table["codes"], table["labels"], seeds, kind, noise_std)
