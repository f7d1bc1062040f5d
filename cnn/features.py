"""Features of images, in whose spaces two sets of images are compared: Inception's, a classifier's, and pixels."""

import keras
import numpy as np
from keras import ops

INCEPTION_SIDE = 299  # pixels
INCEPTION_BATCH = 32


def inception(weights="imagenet"):
    """Builds Keras' InceptionV3 up to its last pooling, 2,048 features.

    Its weights are Keras' own and not those of Heusel et al. 2017, so that distances compare with one another, and not
    with published ones in number.

    Args:
        weights: `"imagenet"`, which Keras downloads once, the name of a file of such weights, or None for random ones.
    """
    return keras.applications.InceptionV3(include_top=False, pooling="avg", weights=weights)


def of_inception(network, images, on_images=None):
    """Extracts the features of Inception.

    Args:
        network: from `inception`.
        images: uint8 `(num_images, height, width, channels)`; they are scaled to 299x299 pixels, bilinear, and grey
            ones become three equal channels.
        on_images: called with the number of images done, after each batch.

    Returns:
        float32 `(num_images, 2048)`.
    """
    found = []
    for start in range(0, len(images), INCEPTION_BATCH):
        batch = np.array(images[start : start + INCEPTION_BATCH], np.float32)
        if batch.shape[-1] == 1:
            batch = np.repeat(batch, 3, axis=-1)
        batch = ops.image.resize(batch, (INCEPTION_SIDE, INCEPTION_SIDE), interpolation="bilinear")
        found.append(ops.convert_to_numpy(network.predict_on_batch(batch / 127.5 - 1)))
        if on_images:
            on_images(len(batch))
    return np.concatenate(found)


def penultimate(model):
    """Cuts a classifier before its last layer.

    Args:
        model: a Keras model of layers one after another, as those of the table but the ladder network.

    Returns:
        A model of the same images that gives `(batch, num_features)`.

    Raises:
        ValueError: the model's layers cannot be taken apart.
    """
    try:
        if isinstance(model.layers[-1].input, list):  # an average of networks
            raise ValueError
        return keras.Model(model.inputs, model.layers[-1].input)
    except (AttributeError, TypeError, ValueError):
        raise ValueError(f"the network {model.name} cannot be cut before its last layer") from None
