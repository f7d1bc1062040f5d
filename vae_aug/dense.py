"""The VAE of dense layers (thesis 5.2.2): one hidden layer on either side. Any image shape."""

import math

from keras import Input, Model, layers

INTERMEDIATE_DIM = 256  # Deviation 6: the thesis names no size


def build_encoder(image_shape, latent_dim):
    """Maps images `(batch, height, width, channels)` in [0, 1] to z_mean and z_log_var, each `(batch, latent_dim)`."""
    images = Input(image_shape)
    x = layers.Flatten()(images)
    x = layers.Dense(INTERMEDIATE_DIM, activation="relu")(x)
    z_mean = layers.Dense(latent_dim, name="z_mean")(x)
    z_log_var = layers.Dense(latent_dim, name="z_log_var")(x)
    return Model(images, [z_mean, z_log_var], name="encoder")


def build_decoder(image_shape, latent_dim):
    """Maps latents `(batch, latent_dim)` to images `(batch, height, width, channels)` in [0, 1]."""
    z = Input((latent_dim,))
    x = layers.Dense(INTERMEDIATE_DIM, activation="relu")(z)
    x = layers.Dense(math.prod(image_shape), activation="sigmoid")(x)
    return Model(z, layers.Reshape(image_shape)(x), name="decoder")
