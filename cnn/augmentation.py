"""Classic augmentation: Keras' `ImageDataGenerator` with the thesis' settings and with its deliberately bad ones."""

import keras
import numpy as np

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    ImageDataGenerator = tf.keras.preprocessing.image.ImageDataGenerator
else:  # the same class, without loading TensorFlow
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

SUITABLE = {"rotation_range": 20, "width_shift_range": 0.2, "height_shift_range": 0.2}  # CIARP 2018, 3.3.2
INEXPERT = {  # CIARP 2018, fig. 3: everything at once
    "zca_whitening": True,
    "zca_epsilon": 1e-6,
    "rotation_range": 360,
    "width_shift_range": 1.0,
    "height_shift_range": 1.0,
    "shear_range": 90,
    "zoom_range": 5,
    "horizontal_flip": True,
    "vertical_flip": True,
    "fill_mode": "nearest",
}
# From the inexpert settings to the suitable ones, a thing learned at a time (CIARP 2018, fig. 3, names no steps).
LESSONS = (
    ("everything", {}),
    ("no whitening", {"zca_whitening": False}),
    ("no flips", {"horizontal_flip": False, "vertical_flip": False}),
    ("no zoom", {"zoom_range": 0.0}),
    ("no shear", {"shear_range": 0.0}),
    ("shifts 0.2", {"width_shift_range": 0.2, "height_shift_range": 0.2}),
    ("rotation 20", {"rotation_range": 20}),
)


def inexpert(num_lessons):
    """Settings after the first `num_lessons` of the 6 lessons: 0 is `INEXPERT`, 6 transforms as `SUITABLE`."""
    settings = dict(INEXPERT)
    for _, change in LESSONS[: num_lessons + 1]:
        settings |= change
    return settings


class Augmentation:
    """Transforms each image of a batch at random.

    Args:
        images: the real training images, float32 `(num_images, height, width, channels)`; whitening is fitted to them.
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
            self.generator.fit(images)
        self.rng = np.random.default_rng(seed)

    def __call__(self, images):
        # Deviation 8: not through `flow`. The generator draws from NumPy's global state, set here for each image.
        seeds = self.rng.integers(2**32, size=len(images))
        transformed = [self.generator.random_transform(x, int(s)) for x, s in zip(images, seeds, strict=True)]
        return np.stack([self.generator.standardize(x) for x in transformed]).astype(np.float32)
