"""Classifiers: the thesis' CNN (CIARP 2018, Table 1; thesis 5.3.2) and those of Maronas 2018, section 3.

All take images `(batch, height, width, channels)` and give probabilities `(batch, num_classes)`, float32 under every
precision policy.
"""

from keras import Input, Sequential, layers

from cnn.ladder import Ladder

FC1 = (1024, 1024)
FC2 = (1000, 500, 250, 250)
CONV1 = ((32, 64, 128), (512, 512))
NOISE = 0.3  # Maronas 2018, section 3: standard deviation of the noise on the input


def build(name, image_shape, num_classes, noise=None):
    """Builds a classifier by its name.

    Args:
        name: `"thesis"`, `"fc1"`, `"fc2"`, `"conv1"` or `"ladder"`.
        image_shape: `(height, width, channels)`.
        num_classes: at least 2.
        noise: standard deviation of the Gaussian noise on the input while training (the ladder's is on every layer);
            None takes the published one: 0.3, in the thesis' CNN none.
    """
    if num_classes < 2:
        raise ValueError(f"a classifier needs at least 2 classes. Received: {num_classes}")
    if name == "thesis":
        return build_thesis_cnn(image_shape, num_classes, noise or 0.0)
    noise = NOISE if noise is None else noise
    if name == "ladder":
        model = Ladder(image_shape, num_classes, FC2, noise, name="ladder")
        model.build()
        return model
    if name not in ("fc1", "fc2", "conv1"):
        raise ValueError(f"`name` should be thesis, fc1, fc2, conv1 or ladder. Received: {name!r}")
    filters, units = CONV1 if name == "conv1" else ((), {"fc1": FC1, "fc2": FC2}[name])
    stack = [Input(image_shape), *_noise(noise)]
    for width in filters:
        stack += [layers.Conv2D(width, 3, padding="same", use_bias=False), *_normalised_relu()]
        stack.append(layers.MaxPooling2D(2, padding="same"))  # Deviation 13: where to pool; padded, for any size
    stack.append(layers.Flatten())
    for width in units:
        stack += [layers.Dense(width, use_bias=False), *_normalised_relu(), layers.Dropout(0.5)]
    stack.append(layers.Dense(num_classes, activation="softmax", dtype="float32"))
    return Sequential(stack, name=name)


def _noise(deviation):
    return [layers.GaussianNoise(deviation)] if deviation else []


def _normalised_relu():
    # Deviation 13: momentum 0.9, so that a training of a few hundred steps has its statistics at its end.
    return [layers.BatchNormalization(momentum=0.9), layers.Activation("relu")]


def build_thesis_cnn(image_shape, num_classes, noise=0.0):
    """Builds the thesis' classifier, of images of at least 4x4 pixels."""
    height, width, _ = image_shape
    if min(height, width) < 4 or num_classes < 2:
        raise ValueError(
            f"the CNN needs images of at least 4x4 pixels and 2 classes. Received: {height}x{width}, {num_classes}"
        )
    return Sequential(
        [
            Input(image_shape),
            *_noise(noise),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Conv2D(128, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.5),
            layers.Conv2D(128, 3, padding="same", activation="relu"),
            layers.Conv2D(128, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(num_classes, activation="softmax", dtype="float32"),
        ],
        name="thesis_cnn",
    )
