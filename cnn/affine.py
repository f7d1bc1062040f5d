"""Rotates and shifts images in a layer of the training graph, with the same distribution as the Keras generator.

The papers used the generator of `cnn.augmentation`, which is the default. This layer is for devices, GPUs above all,
that train faster than the generator delivers.
"""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="cnn")
class RandomAffine(keras.layers.Layer):
    """Rotates and shifts each image at random while training and returns it unchanged in inference.

    Angle and shifts are uniform. Pixels from outside the image repeat the nearest edge pixel, and positions between
    pixels are interpolated bilinearly: `ImageDataGenerator(rotation_range, height_shift_range, width_shift_range)`.

    Args:
        rotation_range: largest angle either way, degrees.
        height_shift_range, width_shift_range: largest shift either way, a fraction below 1 of the height and width.
        seed: integer.

    Call arguments:
        images: float32 `(batch, height, width, channels)`.
    """

    def __init__(self, rotation_range=0.0, height_shift_range=0.0, width_shift_range=0.0, seed=0, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})  # pixels and angles lose too much in bfloat16
        if not all(0 <= part < 1 for part in (height_shift_range, width_shift_range)):
            raise ValueError(
                f"shifts should be fractions from 0 to below 1. Received: {height_shift_range}, {width_shift_range}"
            )
        self.rotation_range, self.seed = rotation_range, seed
        self.height_shift_range, self.width_shift_range = height_shift_range, width_shift_range
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        if not training:
            return images
        transforms = self.draw(ops.shape(images)[0], *images.shape[1:3])
        return ops.image.affine_transform(
            images, transforms, interpolation="bilinear", fill_mode="nearest", data_format="channels_last"
        )

    def draw(self, count, height, width):
        """Draws random transforms `(count, 8)`: where in the input each output pixel comes from, see `transforms`."""
        drawn = keras.random.uniform((3, count), -1.0, 1.0, dtype="float32", seed=self.seed_generator)
        theta = drawn[0] * math.radians(self.rotation_range)
        tx, ty = drawn[1] * (self.height_shift_range * height), drawn[2] * (self.width_shift_range * width)
        return transforms(theta, tx, ty, height, width)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        names = ("rotation_range", "height_shift_range", "width_shift_range", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def transforms(theta, tx, ty, height, width):
    """Computes the generator's matrices, rotation after shift about the middle, one per image.

    Args:
        theta: angles, radians, `(count,)`.
        tx, ty: shifts in pixels, under the generator's names: `tx` along the rows, drawn as a fraction of the height,
            and `ty` along the columns, drawn as one of the width. The generator rotates about (height, width) / 2 in
            that order of axes, which matters where the two differ.
        height, width: of the images, pixels.

    Returns:
        `(count, 8)`, as `keras.ops.image.affine_transform` takes them: the output pixel at (x, y) comes from
        (a0 x + a1 y + a2, b0 x + b1 y + b2); the last two numbers are 0.
    """
    middle_x, middle_y = height / 2 - 0.5, width / 2 - 0.5
    cos, sin, zero = ops.cos(theta), ops.sin(theta), ops.zeros_like(theta)
    a2 = cos * (tx - middle_x) - sin * (ty - middle_y) + middle_x
    b2 = sin * (tx - middle_x) + cos * (ty - middle_y) + middle_y
    return ops.stack([cos, -sin, a2, sin, cos, b2, zero, zero], axis=-1)
