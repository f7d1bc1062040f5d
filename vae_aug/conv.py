"""The convolutional VAE's two networks (CIARP 2018, Table 1; thesis 5.2.3).

For 28x28x1 exactly the published layers; for any other even size and for 3 channels the same rule, with half the height
and width in the middle.
"""

from keras import Input, Model, layers

INTERMEDIATE_DIM = 128
FILTERS = 64


def check_image_shape(image_shape):
    """One stride of 2 halves the image and a transposed one doubles it again, so height and width must be even."""
    # Deviation 5: odd sizes are refused, not padded.
    height, width, _ = image_shape
    if height % 2 or width % 2 or min(height, width) < 4:
        raise ValueError(
            f"the convolutional VAE needs an even height and width of at least 4 pixels. Received: {height}x{width}; "
            f"scale the images, e.g. --size {max(height + height % 2, 4)} {max(width + width % 2, 4)}"
        )


def build_encoder(image_shape, latent_dim):
    """Maps images `(batch, height, width, channels)` in [0, 1] to z_mean and z_log_var, each `(batch, latent_dim)`."""
    check_image_shape(image_shape)
    images = Input(image_shape)
    x = layers.Conv2D(image_shape[-1], 2, padding="same", activation="relu")(images)
    x = layers.Conv2D(FILTERS, 2, strides=2, padding="same", activation="relu")(x)  # (batch, height/2, width/2, 64)
    x = layers.Conv2D(FILTERS, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(FILTERS, 3, padding="same", activation="relu")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(INTERMEDIATE_DIM, activation="relu")(x)
    z_mean = layers.Dense(latent_dim, name="z_mean")(x)
    z_log_var = layers.Dense(latent_dim, name="z_log_var")(x)
    return Model(images, [z_mean, z_log_var], name="encoder")  # Deviation 3: z_log_var too


def build_decoder(image_shape, latent_dim):
    """Maps latents `(batch, latent_dim)` to images `(batch, height, width, channels)` in [0, 1]."""
    check_image_shape(image_shape)
    height, width, channels = image_shape
    z = Input((latent_dim,))
    x = layers.Dense(INTERMEDIATE_DIM, activation="relu")(z)
    x = layers.Dense(height // 2 * (width // 2) * FILTERS, activation="relu")(x)
    x = layers.Reshape((height // 2, width // 2, FILTERS))(x)
    x = layers.Conv2DTranspose(FILTERS, 3, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(FILTERS, 3, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(FILTERS, 3, strides=2, activation="relu")(x)  # (batch, height + 1, width + 1, 64)
    images = layers.Conv2D(channels, 2, activation="sigmoid")(x)  # (batch, height, width, channels)
    return Model(z, images, name="decoder")
