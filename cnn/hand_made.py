"""Classic augmentation by the presets other than the thesis': whole batches at once, in NumPy. Knows no Keras."""

import numpy as np

from cnn import appearance, warps


class HandMade:
    """Transforms each image of a batch at random, as a preset says. All movements of pixels are one interpolation.

    Args:
        preset: a `presets.Preset`.
        seed: integer. The transformations depend on it and on the order of the calls alone.

    Call arguments:
        images: float32 `(batch, height, width, channels)` in [0, 1].

    Returns:
        A new array of the same shape, in [0, 1].
    """

    def __init__(self, preset, seed):
        self.preset, self.rng = preset, np.random.default_rng(seed)
        affine = preset.rotation, preset.shift, preset.zoom, preset.shear, preset.crop
        # With padding, cropping mirrors images.
        self.moves = any((*affine, preset.elastic, preset.warp, preset.flip and not preset.padding))

    def __call__(self, images):
        preset, rng = self.preset, self.rng
        if preset.padding:
            images = crop(images, preset.padding, preset.flip, rng)
        if self.moves:
            images = move(images, preset, rng)
        if preset.thickness:
            images = appearance.thickness(images, rng)
        if preset.brightness or preset.contrast or preset.saturation:
            images = appearance.colours(images, preset, rng)
        return images.astype(np.float32)


def move(images, preset, rng):
    """Moves pixels by a deformation, where the preset has one, and an affine map after it, in one interpolation."""
    count, height, width, _ = images.shape
    positions = warps.grid(height, width)[None]
    if preset.elastic:
        positions = positions + warps.elastic(count, height, width, rng)
    if preset.warp:
        positions = positions + warps.smooth(preset.warp, count, height, width, rng)
    return warps.sample(images, warps.apply(*warps.affine(preset, count, height, width, rng), positions))


def crop(images, padding, flip, rng):
    """Takes from each image, within a black border, a window of its size anywhere, and mirrors half of them.

    Args:
        images: float32 `(batch, height, width, channels)`.
        padding: width of the border, a fraction of each side.
        flip: whether to mirror, left to right.
        rng: NumPy generator.

    Returns:
        The same shape, new.
    """
    count, height, width, _ = images.shape
    up, left = round(padding * height), round(padding * width)
    padded = np.pad(images, ((0, 0), (up, up), (left, left), (0, 0)))
    rows = rng.integers(2 * up + 1, size=(count, 1)) + np.arange(height)
    columns = rng.integers(2 * left + 1, size=(count, 1)) + np.arange(width)
    if flip:
        mirrored = rng.random(count) < 0.5
        columns[mirrored] = columns[mirrored, ::-1]
    return padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
