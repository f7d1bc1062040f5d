"""Classic augmentation: Keras' `ImageDataGenerator`, image by image."""

import keras
import numpy as np

from cnn.presets import SUITABLE

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    ImageDataGenerator = tf.keras.preprocessing.image.ImageDataGenerator
else:  # the same class, without loading TensorFlow
    from keras.src.legacy.preprocessing.image import ImageDataGenerator


class Augmentation:
    """Transforms each image of a batch at random.

    Args:
        images: the real training images, of which `images[rows]` is float32 `(num_rows, height, width, channels)`;
            whitening is fitted to all of them, and nothing else reads them.
        seed: integer. The transformations depend on it and on the order of the calls alone.
        settings: keyword arguments of `ImageDataGenerator`.

    Call arguments:
        images: float32 `(batch, height, width, channels)`.

    Returns:
        A new array of the same shape.
    """

    def __init__(self, images, seed, settings=SUITABLE):
        self.generator = ImageDataGenerator(**settings)
        if settings.get("zca_whitening"):
            self.generator.fit(images[np.arange(len(images))])
        self.rng = np.random.default_rng(seed)

    def __call__(self, images):
        # Deviation 8: not through `flow`. The generator draws from NumPy's global state, set here for each image.
        seeds = self.rng.integers(2**32, size=len(images))
        transformed = [self.generator.random_transform(x, int(s)) for x, s in zip(images, seeds, strict=True)]
        return np.stack([self.generator.standardize(x) for x in transformed]).astype(np.float32)
