"""The variational autoencoder: an encoder, a decoder and their loss."""

import keras
from keras import ops

from vae_aug import losses
from vae_aug.layers import Sampling, bernoulli


@keras.saving.register_keras_serializable(package="vae_aug")
class VariationalAutoencoder(keras.Model):
    """Trains an encoder and a decoder together; `fit(images)` needs no targets.

    Args:
        encoder: maps images to z_mean and z_log_var.
        decoder: maps latents to images in [0, 1].
        objective: `"thesis"` (the released code), `"elbo"` (the standard one), or one term of it alone,
            `"reconstruction"` or `"kl"`; see `vae_aug.losses`.
        seed: integer seed of the sampling noise.

    Call arguments:
        images: `(batch, height, width, channels)`, in [0, 1].

    Returns:
        A dict of `reconstruction`, in the shape of the images, `z_mean` and `z_log_var`.
    """

    def __init__(self, encoder, decoder, objective="thesis", seed=0, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.decoder = encoder, decoder
        self.objective, self.seed = objective, seed
        self.sampling = Sampling(objective, seed)
        self.reconstruction_tracker = keras.metrics.Mean(name="reconstruction_loss")
        self.kl_tracker = keras.metrics.Mean(name="kl_loss")

    def build(self, input_shape):
        del input_shape  # encoder and decoder come built
        self.built = True

    def call(self, images):
        z_mean, z_log_var = self.encoder(images)
        z = self.sampling((z_mean, z_log_var))
        return {"reconstruction": self.decoder(z), "z_mean": z_mean, "z_log_var": z_log_var}

    @property
    def image_shape(self):
        """`(height, width, channels)`."""
        return self.encoder.input_shape[1:]

    def transition(self, images, seed_generator):
        """One step of a Markov chain over binary images, with q(z | x) in place of the posterior (Maronas 2018, 2.1).

        Returns:
            states of 0 and 1 and their expectations E[x | z], each `(batch, height, width, channels)`.
        """
        z_mean, z_log_var = self.encoder(images)
        eps = keras.random.normal(ops.shape(z_mean), dtype=z_mean.dtype, seed=seed_generator)
        expectations = self.decoder(z_mean + losses.posterior_std(z_log_var, self.objective) * eps)
        return bernoulli(expectations, seed_generator), expectations

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Reconstruction plus KL, averaged over the batch (CIARP 2018, equations 1 and 2 as released)."""
        del y, sample_weight, training
        reconstruction = losses.reconstruction_loss(x, y_pred["reconstruction"])  # (batch,)
        kl = losses.kl_divergence(y_pred["z_mean"], y_pred["z_log_var"], self.objective)  # (batch,)
        self.reconstruction_tracker.update_state(reconstruction)
        self.kl_tracker.update_state(kl)
        # A term that does not count weighs 0, and is not left out: its variables would have no gradients.
        of_reconstruction, of_kl = losses.WEIGHTS.get(self.objective, (1.0, 1.0))
        return ops.mean(of_reconstruction * reconstruction + of_kl * kl)

    def get_config(self):
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "objective": self.objective,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        parts = {name: keras.saving.deserialize_keras_object(config.pop(name)) for name in ("encoder", "decoder")}
        return cls(**parts, **config)
