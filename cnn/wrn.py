"""Wide residual networks (Zagoruyko & Komodakis 2016), as Azuri & Weinshall 2020 train them."""

import keras
from keras import layers

FILTERS = (16, 32, 64)  # of the three groups, before the width multiplies them
DROPOUT = 0.3  # released code of Azuri & Weinshall 2020, between the two convolutions of a block
MOMENTUM, EPSILON = 0.9, 1e-5  # of batch norm: PyTorch's; Keras' 0.99 would lag behind in a short training


def build(image_shape, num_classes, noise=0.0, *, depth, widen, pixels=None):
    """Builds WRN-depth-widen: probabilities `(batch, num_classes)` from images `(batch, height, width, channels)`.

    A convolution; three groups of (depth - 4) / 6 blocks, the second and third of which halve the image; batch norm,
    ReLU, the mean over the pixels, and a dense softmax layer. Convolutions are 3x3, padded and without bias.

    Args:
        image_shape: `(height, width, channels)`.
        num_classes: at least 2.
        noise: standard deviation of Gaussian noise on the input while training.
        depth: number of convolutions, 6 n + 4.
        widen: factor of the numbers of filters, 16, 32 and 64.
        pixels: mean and standard deviation of the training images, two sequences of a number per channel, by which
            images are normalised; None leaves them as they are.
    """
    blocks, rest = divmod(depth - 4, 6)
    if rest or blocks < 1:
        raise ValueError(f"`depth` should be 10, 16, 22, 28, ... Received: {depth}")
    images = x = keras.Input(image_shape)
    if noise:
        x = layers.GaussianNoise(noise)(x)
    if pixels is not None:
        mean, deviation = pixels
        variance = [float(value) ** 2 for value in deviation]
        x = layers.Normalization(mean=[float(value) for value in mean], variance=variance, dtype="float32")(x)
    x = _convolution(FILTERS[0])(x)
    for group, filters in enumerate(FILTERS):
        for block in range(blocks):
            x = _block(x, widen * filters, 2 if group and not block else 1)
    x = layers.GlobalAveragePooling2D()(_normalised_relu(x))
    probabilities = layers.Dense(num_classes, activation="softmax", dtype="float32")(x)
    return keras.Model(images, probabilities, name=f"wrn_{depth}_{widen}")


def _convolution(filters, size=3, strides=1):
    return layers.Conv2D(filters, size, strides, padding="same", use_bias=False, kernel_initializer="he_normal")


def _normalised_relu(x):
    return layers.ReLU()(layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON)(x))


def _block(x, filters, strides):
    """Adds two convolutions, each after batch norm and ReLU, to their input; where the shape changes, to a projection
    of its normalised input.
    """
    h = _normalised_relu(x)
    shortcut = x
    if strides > 1 or x.shape[-1] != filters:
        shortcut = _convolution(filters, 1, strides)(h)
    h = layers.Dropout(DROPOUT)(_normalised_relu(_convolution(filters, strides=strides)(h)))
    return layers.Add()([_convolution(filters)(h), shortcut])
