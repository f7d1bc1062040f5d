"""Moves the pixels of images: affine maps, jagged and smooth deformations, bilinear interpolation. NumPy and SciPy.

Positions and displacements are in pixels, the last axis holding row and column. All maps say where in the input each
output pixel comes from, and every image of a batch has its own.
"""

import numpy as np
from scipy import ndimage

CONTROL = 4  # points of the smooth deformation along each side, the outermost at the borders
SQUARINGS = 4  # of the smooth deformation's exponential: the first step is a 16th of it
ELASTIC_SIGMA, ELASTIC_ALPHA = 4 / 29, 34 / 29  # Simard et al. 2003, sections 2 and 3, of MNIST's 29 pixels


def grid(height, width):
    """Lists the positions of all pixels, float32 `(height, width, 2)`."""
    return np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), axis=-1).astype(np.float32)


def sample(images, positions):
    """Interpolates images bilinearly; positions outside take the nearest pixel of the border.

    Args:
        images: float32 `(batch, height, width, channels)`.
        positions: float32 `(batch, rows, columns, 2)`.

    Returns:
        float32 `(batch, rows, columns, channels)`.
    """
    batch, height, width, channels = images.shape
    flat = images.reshape(-1, channels)
    y = np.clip(positions[..., 0], 0, height - 1)
    x = np.clip(positions[..., 1], 0, width - 1)
    top, left = np.minimum(y.astype(np.intp), max(height - 2, 0)), np.minimum(x.astype(np.intp), max(width - 2, 0))
    y, x = (y - top.astype(np.float32))[..., None], (x - left.astype(np.float32))[..., None]
    place = (np.arange(batch) * (height * width))[:, None, None] + top * width + left
    right, down = min(1, width - 1), width * min(1, height - 1)
    corners = [np.take(flat, place + step, axis=0) for step in (0, right, down, down + right)]
    upper, lower = (first + x * (second - first) for first, second in (corners[:2], corners[2:]))
    return upper + y * (lower - upper)


def affine(preset, count, height, width, rng):
    """Draws matrices: rotation, after shift, after shear, after zoom, as `ImageDataGenerator` does of square images.

    Args:
        preset: a `presets.Preset`.
        count: images.
        height, width: of the images, pixels.
        rng: NumPy generator.

    Returns:
        Matrices, float32 `(count, 2, 2)`, and offsets, float32 `(count, 2)`, pixels: `matrix @ position + offset` for
        positions from the image's middle.
    """
    theta, shear = (np.deg2rad(rng.uniform(-most, most, count)) for most in (preset.rotation, preset.shear))
    shift = rng.uniform(-preset.shift, preset.shift, (count, 2)) * (height, width)
    zoom = rng.uniform(1 - preset.zoom, 1 + preset.zoom, (count, 2))
    if preset.crop:
        side = rng.uniform(preset.crop, 1, (count, 1))
        zoom = zoom * side
        shift = shift + rng.uniform(-1, 1, (count, 2)) * (1 - side) / 2 * (height, width)
    turned = _matrices([[np.cos(theta), np.sin(theta)], [-np.sin(theta), np.cos(theta)]])
    sheared = _matrices([[np.cos(shear), np.zeros(count)], [-np.sin(shear), np.ones(count)]])
    matrices = turned @ sheared * zoom[:, None]
    if preset.flip:
        matrices[..., 1] *= rng.choice((-1, 1), count)[:, None]
    return matrices.astype(np.float32), (turned @ shift[..., None])[..., 0].astype(np.float32)


def _matrices(entries):
    return np.moveaxis(np.array(entries), -1, 0)


def apply(matrices, offsets, positions):
    """Maps positions `(batch or 1, height, width, 2)` about the images' middle by matrices and offsets of `affine`."""
    height, width = positions.shape[1:3]
    middle = np.array([(height - 1) / 2, (width - 1) / 2], np.float32)
    moved = (positions - middle) @ np.swapaxes(matrices, 1, 2)[:, None]
    return moved + (offsets + middle)[:, None, None]


def elastic(count, height, width, rng):
    """Draws jagged elastic deformations (Simard et al. 2003): smoothed noise, independent along the two axes.

    Uniform noise from -1 to 1 is smoothed by a Gaussian of 4/29 of the side and multiplied by 34/29 of it.

    Returns:
        Displacements, float32 `(count, height, width, 2)`, pixels.
    """
    side = min(height, width)
    noise = rng.uniform(-1, 1, (count, height, width, 2)).astype(np.float32)
    sigma = ELASTIC_SIGMA * side
    return ELASTIC_ALPHA * side * ndimage.gaussian_filter(noise, (0, sigma, sigma, 0), mode="constant")


def smooth(rms, count, height, width, rng):
    """Draws smooth invertible deformations: exponentials of stationary velocities on a grid of 4x4 control points.

    The velocity is Gaussian at the control points and a cubic spline between them.

    Args:
        rms: root mean square of the length of the velocity over the pixels, a fraction of the shorter side.

    Returns:
        Displacements, float32 `(count, height, width, 2)`, pixels.
    """
    rows, columns = (_spline(side) for side in (height, width))
    # Of a velocity of deviation 1 at the control points, the mean square over the pixels
    mean_square = np.square(rows).sum(1).mean() * np.square(columns).sum(1).mean()
    deviation = rms * min(height, width) / np.sqrt(2 * mean_square)
    points = rng.normal(0, deviation, (count, CONTROL, CONTROL, 2)).astype(np.float32)
    velocity = (rows @ points.reshape(count, CONTROL, -1)).reshape(count, height, CONTROL, 2)
    return exponential(columns @ velocity)


def _spline(side):
    """The weights of the control points at each pixel of a side, float32 `(side, CONTROL)`."""
    return ndimage.zoom(np.eye(CONTROL), (side / CONTROL, 1), order=3, mode="nearest").astype(np.float32)


def exponential(velocity):
    """Integrates stationary velocities over one unit of time by scaling and squaring (Arsigny et al. 2006).

    Args:
        velocity: float32 `(batch, height, width, 2)`, pixels; it goes on beyond the border as at the border.

    Returns:
        Displacements of the same shape.
    """
    moved = velocity / 2**SQUARINGS
    positions = grid(*velocity.shape[1:3])
    for _ in range(SQUARINGS):
        moved = moved + sample(moved, positions + moved)
    return moved
