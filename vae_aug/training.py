"""Builds and trains the generative models: one traced graph, as many classes as there are."""

import keras
import numpy as np

from vae_aug import conv, dense, losses
from vae_aug.autoencoder import build_autoencoder
from vae_aug.vae import VariationalAutoencoder

ARCHITECTURES = ("conv", "dense", "autoencoder")
BATCH_SIZE = 100


def build(architecture, image_shape, latent_dim, objective="thesis", seed=0):
    """Builds and compiles a model with fresh weights, drawn from the back end's global seed.

    Args:
        architecture: `"conv"`, `"dense"` or `"autoencoder"`.
        image_shape: `(height, width, channels)`.
        latent_dim: size of the latent space.
        objective: one of `losses.OBJECTIVES`; an autoencoder has its own loss.
        seed: integer seed of the sampling noise.
    """
    if architecture == "autoencoder":
        return build_autoencoder(image_shape, latent_dim)
    if architecture not in ARCHITECTURES:
        raise ValueError(f"`architecture` should be one of {ARCHITECTURES}. Received: {architecture!r}")
    networks = {"conv": conv, "dense": dense}[architecture]
    encoder = networks.build_encoder(image_shape, latent_dim)
    decoder = networks.build_decoder(image_shape, latent_dim)
    vae = VariationalAutoencoder(encoder, decoder, objective, seed, name="vae")
    # Deviation 2: as in Keras 2, where epsilon stood outside the root: sqrt(v) + 1e-7. Keras 3: sqrt(v + epsilon).
    vae.compile(keras.optimizers.RMSprop(epsilon=1e-14))
    return vae


def restart(model, fresh):
    """Gives a trained model the weights and seeds of a fresh one and forgets its optimiser's state.

    Its traced graphs stay, which is what makes the second class cheaper than the first.
    """
    model.set_weights(fresh.get_weights())
    if isinstance(model, VariationalAutoencoder):
        model.sampling.seed_generator.state.assign(fresh.sampling.seed_generator.state)
    fresh.optimizer.build(fresh.trainable_variables)
    if model.optimizer.built:
        for variable, initial in zip(model.optimizer.variables, fresh.optimizer.variables, strict=True):
            variable.assign(initial)


def train(model, images, validation_images, epochs, seed, batch_size=BATCH_SIZE, on_epoch=None):
    """Trains on arrays, one back-end call a step.

    Args:
        model: from `build`.
        images, validation_images: float32 `(num_images, height, width, channels)` in [0, 1].
        epochs: passes over `images`, each shuffled from `seed`.
        seed: integer.
        batch_size: images an optimiser step; the last step of a pass may have fewer.
        on_epoch: called without arguments after each epoch.

    Returns:
        A list of one dict an epoch: `epoch` from 1, then the mean of every loss over the training images (`loss`, for a
        VAE also `reconstruction_loss` and `kl_loss`) and over the validation images (`val_...`).

    Raises:
        FloatingPointError: the loss became NaN or infinite.
    """
    rng = np.random.default_rng(seed)
    history = []
    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(images))
        row = {"epoch": epoch, **_mean_losses(model, model.train_on_batch, images[order], batch_size)}
        val = _mean_losses(model, model.test_on_batch, validation_images, batch_size)
        row.update({f"val_{name}": value for name, value in val.items()})
        if not np.isfinite(row["loss"]):
            raise FloatingPointError(f"the loss became {row['loss']} in epoch {epoch}")
        history.append(row)
        if on_epoch:
            on_epoch()
    return history


def _mean_losses(model, step, images, batch_size):
    """Runs `step` over the images and averages what it returns, weighted by images."""
    totals = {}
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        model.reset_metrics()  # else a step reports the mean since the last reset, in some versions of Keras
        targets = None if isinstance(model, VariationalAutoencoder) else batch
        for name, value in step(batch, targets, return_dict=True).items():
            totals[name] = totals.get(name, 0.0) + float(value) * len(batch)
    return {name: total / len(images) for name, total in totals.items()}


def latents(model, images):
    """Where the encoder puts images.

    Returns:
        z_mean, z_std: float32 `(num_images, latent_dim)`; an autoencoder's code has no spread, its z_std is 0.
    """
    if not isinstance(model, VariationalAutoencoder):
        code = model.get_layer("encoder").predict(images, verbose=0)
        return code, np.zeros_like(code)
    z_mean, z_log_var = model.encoder.predict(images, verbose=0)
    return z_mean, keras.ops.convert_to_numpy(losses.posterior_std(z_log_var, model.objective))


def halves(model):
    """The encoder and the decoder of a model."""
    if isinstance(model, VariationalAutoencoder):
        return model.encoder, model.decoder
    return model.get_layer("encoder"), model.get_layer("decoder")
