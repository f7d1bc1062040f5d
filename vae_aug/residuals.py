"""Learns what is left between registered images: thickness of strokes, contrast, brightness. NumPy, any back end.

A deformed image differs from the one that it should become where one of them was written with a thicker pen or taken in
brighter light. Three kinds of change explain that to first order: a multiple of the length of the image's gradient
moves every edge by so many pixels (bright strokes grow where it is positive); a factor about the image's mean changes
contrast; a constant per channel changes brightness.
"""

import numpy as np

PARTS = 4  # in which strokes grow: an edge moves by less than a pixel in each


def edges(images):
    """Computes the length of the gradient along height and width, float32 like `images`, in levels per pixel."""
    down, right = np.gradient(images, axis=(1, 2))
    return np.sqrt(np.square(down) + np.square(right))


def fit(moved, fixed):
    """Fits the changes that bring each deformed image closest to the one that it should become, by least squares.

    Args:
        moved, fixed: float32 `(num_pairs, height, width, channels)` in [0, 1].

    Returns:
        float32 `(num_pairs, 2 + channels)`: thickness in pixels, contrast (0 is none), and brightness of each channel.
    """
    channels, found = moved.shape[-1], []
    lengths = edges(moved)
    constant = np.tile(np.eye(channels), (moved[0, ..., 0].size, 1))
    for image, length, target in zip(moved, lengths, fixed, strict=True):
        columns = np.column_stack([length.ravel(), (image - image.mean()).ravel(), constant])
        found.append(np.linalg.lstsq(columns, (target - image).ravel(), rcond=None)[0])
    return np.asarray(found, np.float32)


def apply(images, changes):
    """Changes thickness, contrast and brightness.

    Args:
        images: float32 `(count, height, width, channels)` in [0, 1].
        changes: float32 `(count, 2 + channels)`, as of `fit`.

    Returns:
        float32 like `images`, in [0, 1].
    """
    thickness, contrast, brightness = np.split(changes[:, None, None], [1, 2], axis=-1)
    for _ in range(PARTS):
        images = np.clip(images + thickness / PARTS * edges(images), 0, 1)
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return np.clip(mean + (1 + contrast) * (images - mean) + brightness, 0, 1).astype(np.float32)
