"""Stationary velocity fields: from control points to pixels, their exponentials, and images deformed by them.

A velocity field is given by control points `(count, rows, columns, 2)`: pixels along the rows and along the columns.
Cubic B-splines carry it to every pixel. Its exponential, the flow of the field for a unit of time, is smooth and has an
inverse (the exponential of the negative field), however large the field (Arsigny et al. 2006, section 2).
"""

import keras
import numpy as np
from keras import ops
from scipy.interpolate import BSpline

FEWEST = 4  # control points of a side: those of one cubic piece
SQUARINGS = 6  # a field is divided by 2^6: what is left is below a pixel, where one step of Euler's method will do


def spline_basis(num_pixels, num_control):
    """Computes the uniform cubic B-splines of one side at the centres of its pixels.

    The outermost splines are centred one spacing outside the image, so that a field can be any cubic at the border.

    Args:
        num_pixels: of the side, at least 2.
        num_control: control points of the side, at least 4.

    Returns:
        float32 `(num_pixels, num_control)`; every row sums to 1.
    """
    if num_control < FEWEST or num_pixels < 2:
        raise ValueError(
            f"a side should have at least {FEWEST} control points and 2 pixels. Received: {num_control}, {num_pixels}"
        )
    pieces = num_control - 3
    places = np.linspace(0, pieces, num_pixels)
    return BSpline.design_matrix(places, np.arange(-3, pieces + 4), 3).toarray().astype(np.float32)


def dense(control, bases):
    """Carries control points to pixels.

    Args:
        control: float32 `(count, rows, columns, 2)`.
        bases: `spline_basis` of the height and of the width.

    Returns:
        Velocities in pixels, float32 `(count, height, width, 2)`.
    """
    along_rows = ops.einsum("hr,nrcd->nhcd", bases[0], control)
    return ops.einsum("wc,nhcd->nhwd", bases[1], along_rows)


def exponential(velocity):
    """Computes the flow of a velocity field for a unit of time, by scaling and squaring (Arsigny et al. 2006).

    Args:
        velocity: float32 `(count, height, width, 2)`, pixels.

    Returns:
        Displacements in pixels, same shape: the pixel at x is carried to x + displacement(x).
    """
    displacement = velocity / 2**SQUARINGS
    for _ in range(SQUARINGS):
        displacement = displacement + pull(displacement, displacement)
    return displacement


def pull(values, displacement):
    """Takes values at displaced pixels, bilinearly; outside the image the nearest pixel of the border counts.

    Args:
        values: float32 `(count, height, width, channels)`, e.g. images.
        displacement: float32 `(count, height, width, 2)`, pixels along the rows and along the columns.

    Returns:
        float32 in the shape of `values`: values at x + displacement(x).
    """
    count, (height, width, channels) = ops.shape(values)[0], values.shape[1:]
    rows = ops.clip(ops.arange(height, dtype="float32")[:, None] + displacement[..., 0], 0, height - 1)
    columns = ops.clip(ops.arange(width, dtype="float32") + displacement[..., 1], 0, width - 1)
    top, left = ops.floor(ops.minimum(rows, height - 1.5)), ops.floor(ops.minimum(columns, width - 1.5))
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    # The four pixels around a place as channels of one: one gather in place of four, and so one scatter backwards.
    below = ops.roll(values, -1, axis=1)
    corners = ops.concatenate([values, ops.roll(values, -1, axis=2), below, ops.roll(below, -1, axis=2)], axis=-1)
    first = ops.arange(count, dtype="int32")[:, None, None] * (height * width)
    places = first + ops.cast(top, "int32") * width + ops.cast(left, "int32")
    found = ops.take(ops.reshape(corners, (-1, 4 * channels)), places, axis=0)
    a, b, c, d = ops.split(found, 4, axis=-1)
    return (1 - down) * ((1 - right) * a + right * b) + down * ((1 - right) * c + right * d)


def jacobian(displacement):
    """Computes the determinant of the Jacobian of x + displacement(x), by forward differences.

    Where it is 0 or less, the map folds.

    Args:
        displacement: float array `(count, height, width, 2)`, pixels.

    Returns:
        NumPy array `(count, height - 1, width - 1)`; 1 where nothing is stretched.
    """
    u = np.asarray(displacement)
    by_row, by_column = u[:, 1:, :-1] - u[:, :-1, :-1], u[:, :-1, 1:] - u[:, :-1, :-1]
    return (1 + by_row[..., 0]) * (1 + by_column[..., 1]) - by_row[..., 1] * by_column[..., 0]


def folding(displacement):
    """Computes the share of pixels at which maps fold, see `jacobian`."""
    return float(np.mean(jacobian(displacement) <= 0))


class Warp(keras.layers.Layer):
    """Deforms images by the exponentials of velocity fields.

    Args:
        image_shape: `(height, width, channels)`.
        grid: control points along the height and along the width.

    Call arguments:
        images: float32 `(count, height, width, channels)`.
        control: float32 `(count, *grid, 2)`, velocities in pixels.

    Returns:
        float32 like `images`: image(x + displacement(x)), and the displacements `(count, height, width, 2)`.
    """

    def __init__(self, image_shape, grid):
        super().__init__(dtype="float32")  # places of pixels lose too much in bfloat16
        self.bases = [spline_basis(*sides) for sides in zip(image_shape[:2], grid, strict=True)]

    def call(self, images, control):
        displacement = exponential(dense(control, self.bases))
        return pull(images, displacement), displacement

    def compute_output_shape(self, images_shape, control_shape):
        return images_shape, (*images_shape[:-1], 2)


def make_warp(image_shape, grid):
    """Builds a model that maps `[images, control]` to deformed images and displacements, as `Warp` does.

    Its `predict_on_batch` is compiled on every back end.
    """
    images, control = keras.Input(image_shape), keras.Input((*grid, 2))
    return keras.Model([images, control], Warp(image_shape, grid)(images, control))
