"""Joins trained networks into one, whose probabilities are the mean of theirs."""

import keras


def average(networks):
    """Builds the network of the mean probabilities; it is saved, loaded and used as any other.

    Args:
        networks: Keras models of one image shape and number of classes; they get the names `network1`, `network2`, ...

    Returns:
        Keras model: float32 probabilities `(batch, num_classes)` from images `(batch, height, width, channels)`.
    """
    images = keras.Input(networks[0].input_shape[1:])
    for number, network in enumerate(networks, 1):
        network.name = f"network{number}"
    outputs = [network(images) for network in networks]
    return keras.Model(images, keras.layers.Average(dtype="float32")(outputs), name="average")
