"""Builds, trains and samples the models that draw all classes at once, CDCVAE and CDCGAN (Eduardo & Kazi 2018)."""

import keras
import numpy as np

from vae_aug import looping, sampling
from vae_aug.cdcgan import LATENT_DIMS, ConditionalGAN
from vae_aug.cdcvae import ConditionalVAE
from vae_aug.looping import run_step_by_step

MODELS = {"cdcvae": ConditionalVAE, "cdcgan": ConditionalGAN}
BATCH_SIZE = 64


def build(kind, image_shape, num_classes, latent_dim=None, seed=0, **options):
    """Builds a model with fresh weights, drawn from the back end's global seed.

    Args:
        kind: `"cdcvae"` or `"cdcgan"`.
        image_shape: `(height, width, channels)`, height and width multiples of 4.
        num_classes: at least 1.
        latent_dim: size of the latent space; None takes the published one, 62 for grey images and 100 for RGB.
        seed: integer seed of the sampling noise.
        options: for `"cdcvae"`, `objective`: `"published"` or `"elbo"`.
    """
    if kind not in MODELS:
        raise ValueError(f"`kind` should be one of {tuple(MODELS)}. Received: {kind!r}")
    latent_dim = latent_dim or LATENT_DIMS[image_shape[-1]]
    return MODELS[kind](image_shape, num_classes, latent_dim, seed, **options)


def draw_z(model, count, rng):
    """Latents from the model's prior: uniform in [-1, 1], or N(0, 1). Float32 `(count, latent_dim)`."""
    if model.prior == "uniform":
        return sampling.uniform(count, model.latent_dim, rng, half_range=1.0)
    return sampling.normal(count, model.latent_dim, rng)


def generate(model, labels, rng, batch_size=100):
    """Draws an image for each label, in inference mode.

    Args:
        model: from `build`.
        labels: integers `(count,)`, rows of the classes.
        rng: `numpy.random.Generator` of the latents.
        batch_size: images at a time.

    Returns:
        float32 `(count, height, width, channels)` in [0, 1].
    """
    z, one_hot = draw_z(model, len(labels), rng), np.eye(model.num_classes, dtype=np.float32)[labels]
    rows = [slice(start, start + batch_size) for start in range(0, len(labels), batch_size)]
    return np.concatenate([np.array(model.generator.predict_on_batch([z[row], one_hot[row]])) for row in rows])


class Drawing:
    """Draws images of chosen classes with a saved generator: a source of images, see `make_source`.

    What comes of a class follows from its seed and from how many of its images were drawn before, not from the other
    classes.

    Args:
        generator: maps `[z, labels]` to images.
        prior: `"uniform"` or `"normal"`, of z.
        seeds: integer seed of the latents, per class.
    """

    def __init__(self, generator, prior, seeds):
        self.generator, self.prior, self.latent_dim = generator, prior, generator.inputs[0].shape[-1]
        self.num_classes = generator.inputs[1].shape[-1]
        if self.num_classes != len(seeds):
            raise ValueError(f"the generator draws {self.num_classes} classes. Received: {len(seeds)}")
        self._rngs = [np.random.default_rng(seed) for seed in seeds]

    def draw(self, labels, rows):
        """Draws one image per label, in inference mode.

        Args:
            labels: integers `(count,)`, the class of each image.
            rows: not used: images are not made from training images.

        Returns:
            float32 `(count, height, width, channels)` in [0, 1].
        """
        del rows
        labels = np.asarray(labels)
        z = np.empty((len(labels), self.latent_dim), np.float32)
        for label in np.unique(labels):
            places = labels == label
            z[places] = draw_z(self, places.sum(), self._rngs[label])
        one_hot = np.eye(self.num_classes, dtype=np.float32)[labels]
        return np.array(self.generator.predict_on_batch([z, one_hot]))


def make_source(load, options):
    """Makes the source of images that `common.saved` asks a kind's module for."""
    ((name, generator),) = load(0).items()
    prior = ConditionalVAE.prior if name == "decoder" else ConditionalGAN.prior
    return Drawing(generator, prior, [options.seed_of(name) for name in options.class_names])


def epochs_in_graph(model, in_graph):
    """Compiles a model's training loop, see `looping.epochs_in_graph`."""
    images = keras.InputSpec(shape=(None, *model.image_shape), dtype="float32")
    labels = keras.InputSpec(shape=(None, model.num_classes), dtype="float32")
    z = keras.InputSpec(shape=(None, model.latent_dim), dtype="float32")
    return looping.epochs_in_graph(model, in_graph, [images, labels, z])


def train(model, images, labels, epochs, seed, *, on_epoch=None, measure=None, every=10, run_epochs=run_step_by_step):
    """Trains on arrays; the model keeps the weights of the last epoch.

    An epoch is as many steps of 64 images as fit into it, in an order of its own; the few images left over wait for
    another epoch. Fewer than 64 images are one step.

    Args:
        model: from `build`.
        images: float32 `(num_images, height, width, channels)` in [0, 1].
        labels: integers `(num_images,)`, rows of the classes.
        epochs: passes over the images.
        seed: integer, of the orders and the latents.
        on_epoch: called without arguments for each epoch.
        measure: called with the model after every `every` epochs and after the last; the dict that it returns joins
            that epoch's row.
        every: epochs from one call of `measure` to the next.
        run_epochs: `run_step_by_step`, or what `epochs_in_graph` made of this model.

    Returns:
        A list of one dict per epoch: `epoch` from 1, then the means over its steps. Of the GAN `d_loss` and `g_loss`,
        and the probabilities `d_real`, D(x), and `d_generated`, D(G(z)), in the discriminator's step; of the VAE
        `loss`, `reconstruction_loss` and `kl_loss`, in nats per image.

    Raises:
        FloatingPointError: a loss became NaN or infinite.
    """
    rng = np.random.default_rng(seed)
    batch_size = min(BATCH_SIZE, len(images))
    steps = len(images) // batch_size
    one_hot = np.eye(model.num_classes, dtype=np.float32)[labels]

    def draw(count):
        orders = np.stack([rng.permutation(len(images))[: steps * batch_size] for _ in range(count)])
        orders = orders.reshape(count, steps, batch_size)
        return orders, draw_z(model, orders.size, rng).reshape(*orders.shape, model.latent_dim)

    return looping.train(
        model,
        [images, one_hot],
        draw,
        steps,
        epochs,
        on_epoch=on_epoch,
        measure=measure,
        every=every,
        run_epochs=run_epochs,
    )
