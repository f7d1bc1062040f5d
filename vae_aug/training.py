"""Builds and trains the generative models: one traced graph, as many classes and epochs as there are."""

import keras
import numpy as np
from keras import ops

from vae_aug import conv, dense, losses
from vae_aug.autoencoder import build_autoencoder
from vae_aug.vae import VariationalAutoencoder

ARCHITECTURES = ("conv", "dense", "autoencoder")
BATCH_SIZE = 100
STEPS_AT_ONCE = 50  # in one graph, between two looks at the progress bar


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


def run_step_by_step(model, images, validation_images, orders, batch_size):
    """Runs epochs with one back-end call a step.

    Args:
        model, images, validation_images, batch_size: as `train` takes them.
        orders: integers `(epochs, num_images)`, the order of the images in each epoch.

    Yields:
        For each epoch a dict of the mean losses, as `train` returns them.
    """
    for order in orders:
        row = _mean_losses(model, model.train_on_batch, images[order], batch_size)
        val = _mean_losses(model, model.test_on_batch, validation_images, batch_size)
        yield row | {f"val_{name}": value for name, value in val.items()}


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


def epochs_in_graph(model, in_graph):
    """Compiles a model's training loop: whole epochs, validation included, in one back-end call.

    Args:
        model: from `build`.
        in_graph: `common.backend.in_graph`.

    Returns:
        What `train` takes as `run_epochs`, for this model alone.
    """
    model.optimizer.build(model.trainable_variables)  # in a loop no variable can be made

    def mean_losses(step, images, batch_size):
        def run_batch(k, unused):
            batch = images[k * batch_size : (k + 1) * batch_size]
            step((batch,) if isinstance(model, VariationalAutoencoder) else (batch, batch))
            return unused

        model.reset_metrics()
        ops.fori_loop(0, (ops.shape(images)[0] + batch_size - 1) // batch_size, run_batch, 0)
        return [metric.result() for metric in model.metrics]

    def losses_of_epochs(images, validation_images, orders, batch_size):
        def run_epoch(k, table):
            shuffled = ops.take(images, orders[k], axis=0)
            row = mean_losses(model.train_step, shuffled, batch_size)
            row += mean_losses(model.test_step, validation_images, batch_size)
            return ops.slice_update(table, (k, 0), ops.stack(row)[None])

        num_epochs = ops.shape(orders)[0]
        return ops.fori_loop(0, num_epochs, run_epoch, ops.zeros((num_epochs, 2 * len(model.metrics))))

    images = keras.InputSpec(shape=(None, *halves(model)[0].input_shape[1:]), dtype="float32")
    numbers = [keras.InputSpec(shape=shape, dtype="int32") for shape in ((None, None), ())]
    compiled = in_graph(losses_of_epochs, [images, images, *numbers])
    if compiled is None:
        return run_step_by_step
    names = [metric.name for metric in model.metrics]
    names += [f"val_{name}" for name in names]

    def run_epochs(model, images, validation_images, orders, batch_size):
        del model  # the one that was compiled
        for row in np.array(compiled(images, validation_images, orders.astype(np.int32), batch_size)):
            yield dict(zip(names, row.tolist(), strict=True))

    return run_epochs


def restart(model, seed):
    """Makes a trained model as `build` would make it: weights drawn anew, noise from `seed`, no optimiser state.

    Weights come from the back end's global seed, in the order in which `build` draws them. Traced graphs stay, which is
    what makes the second class cheaper than the first.
    """
    for part in halves(model):
        for layer in part.layers:
            for name in ("kernel", "bias"):
                if hasattr(layer, name):
                    variable = getattr(layer, name)
                    initializer = getattr(layer, f"{name}_initializer").clone()  # which draws a seed of its own
                    variable.assign(initializer(variable.shape, variable.dtype))
    if isinstance(model, VariationalAutoencoder):
        model.seed = model.sampling.seed = seed
        model.sampling.seed_generator.state.assign(keras.random.SeedGenerator(seed).state)
    for variable in model.optimizer.variables:
        if variable is not model.optimizer.learning_rate:
            variable.assign(ops.zeros(variable.shape, variable.dtype))  # JAX makes no zeros "like" a variable


def train(
    model, images, validation_images, epochs, seed, batch_size=BATCH_SIZE, on_epoch=None, run_epochs=run_step_by_step
):
    """Trains on arrays.

    Args:
        model: from `build`.
        images, validation_images: float32 `(num_images, height, width, channels)` in [0, 1].
        epochs: passes over `images`, each shuffled from `seed`.
        seed: integer.
        batch_size: images an optimiser step; the last step of a pass may have fewer.
        on_epoch: called without arguments for each epoch.
        run_epochs: `run_step_by_step`, or what `epochs_in_graph` made of this model.

    Returns:
        A list of one dict an epoch: `epoch` from 1, then the mean of every loss over the training images (`loss`, for a
        VAE also `reconstruction_loss` and `kl_loss`) and over the validation images (`val_...`).

    Raises:
        FloatingPointError: the loss became NaN or infinite.
    """
    rng = np.random.default_rng(seed)
    at_once = max(1, STEPS_AT_ONCE * batch_size // len(images))
    history = []
    while len(history) < epochs:
        count = min(at_once, epochs - len(history))
        orders = np.stack([rng.permutation(len(images)) for _ in range(count)])
        for row in run_epochs(model, images, validation_images, orders, batch_size):
            history.append({"epoch": len(history) + 1, **row})
            if not np.isfinite(row["loss"]):
                raise FloatingPointError(f"the loss became {row['loss']} in epoch {len(history)}")
            if on_epoch:
                on_epoch()
    return history


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
