"""The simplest possible autoencoder (thesis 5.2.1): one dense layer in, one out.

It reconstructs, and its codes can be looked at, but nothing says which codes are likely: it cannot be sampled.
"""

import math

import keras
from keras import Input, Model, layers


def build_autoencoder(image_shape, encoding_dim=32):
    """Builds and compiles the autoencoder of images `(batch, height, width, channels)` in [0, 1].

    Returns:
        A model whose layers named `encoder` and `decoder` are its two halves. Its loss is the mean binary cross-entropy
        of a pixel, in nats.
    """
    images = Input(image_shape)
    code = layers.Dense(encoding_dim, activation="relu")(layers.Flatten()(images))
    encoder = Model(images, code, name="encoder")

    z = Input((encoding_dim,))
    x = layers.Dense(math.prod(image_shape), activation="sigmoid")(z)
    decoder = Model(z, layers.Reshape(image_shape)(x), name="decoder")

    model = Model(images, decoder(encoder(images)), name="autoencoder")
    # Deviation 2: a learning rate of 1 as in Keras 2, where Keras 3 has 0.001.
    model.compile(keras.optimizers.Adadelta(learning_rate=1.0), loss="binary_crossentropy")
    return model
