"""Images decoded from latents: a source of the images of every class, with a VAE per class."""

import numpy as np

from vae_aug import sampling


class Decoding:
    """Draws latents of a class and decodes them.

    What comes of a class follows from its seed and from how many of its images were drawn before, not from the other
    classes.

    Args:
        load: `load(label)` gives the parts of the model of a class: `decoder`, a Keras model, and `latents`, a dict of
            arrays `z_mean` and `z_std`, each `(num_images, latent_dim)`.
        seeds: integer seed of the latents, per class.
        latent_dim: size of the latent space.
        sampler: `"uniform"`, `"normal"` or `"posterior"`, see `vae_aug.sampling`.
        half_range: of the uniform sampler.
    """

    def __init__(self, load, seeds, latent_dim, sampler="uniform", half_range=1.5):
        if sampler not in ("uniform", "normal", "posterior"):
            raise ValueError(f"`sampler` should be uniform, normal or posterior. Received: {sampler!r}")
        self.load, self.latent_dim, self.sampler, self.half_range = load, latent_dim, sampler, half_range
        self._rngs = [np.random.default_rng(seed) for seed in seeds]
        self._label, self._parts = None, None  # the class whose model is loaded

    def draw(self, labels, rows):
        """Draws one image per label.

        Args:
            labels: integers `(count,)`, the class of each image.
            rows: integers `(count,)`, the number of each image in its class; with the posterior sampler it chooses the
                training image that the latents lie around, each in turn.

        Returns:
            float32 `(count, height, width, channels)` in [0, 1].
        """
        labels, rows, images = np.asarray(labels), np.asarray(rows), None
        for label in np.unique(labels):
            if label != self._label:
                self._label, self._parts = label, self.load(label)
            places = np.flatnonzero(labels == label)
            decoded = self._parts["decoder"].predict_on_batch(self._latents(label, rows[places]))
            if images is None:
                images = np.empty((len(labels), *decoded.shape[1:]), np.float32)
            images[places] = decoded
        return images

    def _latents(self, label, rows):
        rng = self._rngs[label]
        if self.sampler == "uniform":
            return sampling.uniform(len(rows), self.latent_dim, rng, self.half_range)
        if self.sampler == "normal":
            return sampling.normal(len(rows), self.latent_dim, rng)
        z_mean, z_std = (self._parts["latents"][name] for name in ("z_mean", "z_std"))
        turn = rows % len(z_mean)
        return sampling.posterior(len(rows), z_mean[turn], z_std[turn], rng)


def make_source(load, options):
    """Makes the source of images that `common.saved` asks a kind's module for."""
    seeds = [options.seed_of(name) for name in options.class_names]
    return Decoding(load, seeds, options.settings["latent_dim"], options.sampler, options.half_range)
