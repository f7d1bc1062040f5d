"""ResNet-50 (He et al. 2016), Keras' own, under a new last layer, as Azuri & Weinshall 2020 classify birds."""

import keras
import numpy as np
from keras import layers

LEAST_SIDE = 32  # pixels: five halvings leave one
MEAN = (123.68, 116.779, 103.939)  # of ImageNet, red, green, blue, levels from 0 to 255


def build(image_shape, num_classes, noise=0.0, weights=None):
    """Builds ResNet-50: probabilities `(batch, num_classes)` from images `(batch, height, width, channels)` in [0, 1].

    Grey images become three equal channels. Whatever the weights, levels are those that Keras' weights expect: 0 to 255
    less ImageNet's mean. Those weights take blue first; here the first kernel is turned round in place of the image.

    Args:
        image_shape: `(height, width, channels)`, at least 32x32, 1 or 3 channels.
        num_classes: at least 2.
        noise: standard deviation of Gaussian noise on the input while training.
        weights: `"imagenet"`, which Keras downloads once, the name of a file of such weights without the top, or None
            for random ones.
    """
    if min(image_shape[:2]) < LEAST_SIDE:
        raise ValueError(
            f"ResNet-50 needs images of at least {LEAST_SIDE}x{LEAST_SIDE} pixels. "
            f"Received: {image_shape[0]}x{image_shape[1]}"
        )
    images = x = keras.Input(image_shape)
    if noise:
        x = layers.GaussianNoise(noise)(x)
    if image_shape[-1] == 1:
        x = layers.Concatenate()([x, x, x])
    x = layers.Rescaling(255.0, [-value for value in MEAN])(x)
    trunk = keras.applications.ResNet50(include_top=False, weights=weights, input_tensor=x, pooling="avg")
    if weights:
        first = trunk.get_layer("conv1_conv")
        kernel, *bias = first.get_weights()
        first.set_weights([np.ascontiguousarray(kernel[:, :, ::-1]), *bias])
    probabilities = layers.Dense(num_classes, activation="softmax", dtype="float32")(trunk.output)
    return keras.Model(images, probabilities, name="resnet50")
