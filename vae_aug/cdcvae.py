"""The conditional VAE of convolutions (CDCVAE; Eduardo & Kazi 2018, section 3): the GAN's networks as a VAE.

The encoder is the GAN's discriminator with z_mean and the standard deviation at its end, the decoder its generator.
"""

import keras
from keras import Model, layers, ops

from vae_aug import cdcgan, losses
from vae_aug.layers import Sampling

OBJECTIVES = ("published", "elbo")
LEARNING_RATE = 1e-3


@keras.saving.register_keras_serializable(package="vae_aug")
class LogVariance(layers.Layer):
    """The log of the variance from the encoder's raw output: its softplus is the standard deviation, at least 1e-6."""

    def call(self, raw):
        return 2 * ops.log(ops.softplus(raw) + 1e-6)

    def compute_output_shape(self, input_shape):
        return input_shape


def build_encoder(image_shape, latent_dim, num_classes):
    """Maps `[images, labels]` to z_mean and z_log_var, each `(batch, latent_dim)`."""
    trunk = cdcgan.build_trunk(image_shape, num_classes, 2 * latent_dim, "trunk")
    z_mean, raw = ops.split(trunk.output, 2, axis=-1)
    return Model(trunk.inputs, [z_mean, LogVariance()(raw)], name="encoder")


class ConditionalStep(keras.Model):
    """Trains the encoder and the decoder together.

    Args:
        encoder: maps `[images, labels]` to z_mean and z_log_var.
        decoder: maps `[z, labels]` to images in [0, 1].
        objective: `"elbo"`, or `"published"`: as in the reference code, the reconstruction is averaged over the
            channels and not summed, so that on RGB images the KL term weighs three times as much. On grey ones the
            two are the same.
        seed: integer seed of the sampling noise.
    """

    def __init__(self, encoder, decoder, objective, seed):
        super().__init__(name="cdcvae")
        self.encoder, self.decoder, self.objective = encoder, decoder, objective
        self.sampling = Sampling("elbo", seed)
        self.reconstruction_tracker = keras.metrics.Mean(name="reconstruction_loss")
        self.kl_tracker = keras.metrics.Mean(name="kl_loss")
        self.compile(keras.optimizers.Adam(LEARNING_RATE, beta_1=cdcgan.BETA_1))

    def build(self, input_shape):
        del input_shape  # the networks come built
        self.built = True

    def call(self, inputs, training=None):
        images, labels = inputs
        z_mean, z_log_var = self.encoder([images, labels], training=training)
        z = self.sampling((z_mean, z_log_var))
        reconstruction = self.decoder([z, labels], training=training)
        return {"reconstruction": reconstruction, "z_mean": z_mean, "z_log_var": z_log_var}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Reconstruction plus KL, in nats per image, averaged over the batch."""
        del y, sample_weight, training
        images = x[0]
        reconstruction = losses.reconstruction_loss(images, y_pred["reconstruction"])  # (batch,)
        if self.objective == "published":
            reconstruction = reconstruction / images.shape[-1]
        kl = losses.kl_divergence(y_pred["z_mean"], y_pred["z_log_var"], "elbo")  # (batch,)
        self.reconstruction_tracker.update_state(reconstruction)
        self.kl_tracker.update_state(kl)
        return ops.mean(reconstruction + kl)


class ConditionalVAE:
    """The two networks and the one step of an iteration, as `cdcgan.ConditionalGAN` gives them for the GAN.

    Args:
        image_shape: `(height, width, channels)`, multiples of 4.
        num_classes: classes that it draws.
        latent_dim: size of z, whose prior is N(0, 1).
        seed: integer seed of the sampling noise.
        objective: `"published"` or `"elbo"`, see `ConditionalStep`.
    """

    prior = "normal"
    history_names = ("loss", "reconstruction_loss", "kl_loss")

    def __init__(self, image_shape, num_classes, latent_dim, seed=0, objective="published"):
        if objective not in OBJECTIVES:
            raise ValueError(f"`objective` should be one of {OBJECTIVES}. Received: {objective!r}")
        self.image_shape, self.num_classes, self.latent_dim = tuple(image_shape), num_classes, latent_dim
        self.encoder = build_encoder(image_shape, latent_dim, num_classes)
        self.generator = cdcgan.build_generator(image_shape, latent_dim, num_classes, name="decoder")
        self.steps = [ConditionalStep(self.encoder, self.generator, objective, seed)]

    def inputs(self, images, labels, z):
        """What each of `steps` takes of a batch; the encoder gives the latents, so z is not used."""
        del z
        return [(images, labels)]

    def start_epoch(self):
        """Does nothing: the learning rates are the same in every epoch."""
        return  # TensorFlow cannot put a body of a docstring alone into a graph, and says so

    def networks(self):
        """The networks to save, by name."""
        return {"encoder": self.encoder, "decoder": self.generator}
