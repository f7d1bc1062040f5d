"""The thesis' CNN (CIARP 2018, Table 1; thesis 5.3.2)."""

from keras import Input, Sequential, layers


def build(image_shape, num_classes, noise=0.0):
    """Builds the thesis' classifier.

    Args:
        image_shape: `(height, width, channels)`, at least 4x4 pixels.
        num_classes: at least 2.
        noise: standard deviation of Gaussian noise on the input while training.

    Raises:
        ValueError: the images are smaller, or there are fewer classes.
    """
    height, width, _ = image_shape
    if min(height, width) < 4 or num_classes < 2:
        raise ValueError(
            f"the CNN needs images of at least 4x4 pixels and 2 classes. Received: {height}x{width}, {num_classes}"
        )
    return Sequential(
        [
            Input(image_shape),
            *([layers.GaussianNoise(noise)] if noise else []),
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
