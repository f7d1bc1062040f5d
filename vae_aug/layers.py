"""Layers that the generative models share."""

import keras
from keras import ops

from vae_aug import losses


def bernoulli(probabilities, seed_generator):
    """Draws 0 or 1, as floats, each 1 with its probability."""
    # A uniform number below p: one random number, one comparison, no logarithm.
    uniform = keras.random.uniform(ops.shape(probabilities), dtype=probabilities.dtype, seed=seed_generator)
    return ops.cast(uniform < probabilities, probabilities.dtype)


@keras.saving.register_keras_serializable(package="vae_aug")
class Sampling(keras.layers.Layer):
    """Draws z = z_mean + std * eps, eps ~ N(0, 1): the reparameterisation trick, in training and in inference.

    Args:
        objective: `"thesis"` or `"elbo"`; which standard deviation, see `losses.posterior_std`.
        seed: integer seed of the noise.

    Call arguments:
        inputs: pair of z_mean and z_log_var, each `(batch, latent_dim)`.
    """

    def __init__(self, objective="thesis", seed=0, **kwargs):
        super().__init__(**kwargs)
        self.objective = losses.check_objective(objective)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs):
        z_mean, z_log_var = inputs
        eps = keras.random.normal(ops.shape(z_mean), dtype=z_mean.dtype, seed=self.seed_generator)
        return z_mean + losses.posterior_std(z_log_var, self.objective) * eps

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "objective": self.objective, "seed": self.seed}
