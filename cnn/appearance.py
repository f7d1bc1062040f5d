"""Changes how images look without moving them: thickness of strokes, brightness, contrast, saturation. NumPy, SciPy."""

import numpy as np
from scipy import ndimage

THICKNESS = ("kept", "dilated", "eroded", "thresholded")
BLUR = (0.75, 1.5)  # pixels at 28: standard deviation before the threshold
THRESHOLD = (0.3, 0.7)  # between the image's darkest and brightest
STEEPNESS = 5.0  # of the threshold: over a fifth of the range it goes from black to white
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # weights of the channels in brightness (ITU-R BT.601)


def thickness(images, rng):
    """Makes strokes thicker or thinner. Each image is kept, dilated, eroded, or blurred and thresholded, one in four.

    Dilation and erosion take the most and the least of a square of 1/14 of the side, 2x2 at 28 pixels, and are blended
    with the image by a share of U(0, 1). A threshold lies between 0.3 and 0.7 of the way from the image's darkest to
    its brightest level: a low one thickens bright strokes, a high one thins them.

    Args:
        images: float32 `(batch, height, width, channels)` in [0, 1].
        rng: NumPy generator.

    Returns:
        The same, new.
    """
    count, side = len(images), min(images.shape[1:3])
    kinds, shares = rng.integers(len(THICKNESS), size=count), rng.random((count, 1, 1, 1), dtype=np.float32)
    sigmas, thresholds = rng.uniform(*BLUR, count) * side / 28, rng.uniform(*THRESHOLD, count)
    square, result = (1, *2 * (max(2, round(side / 14)),), 1), images.copy()
    for kind, extreme in ((1, ndimage.maximum_filter), (2, ndimage.minimum_filter)):
        chosen = kinds == kind
        if chosen.any():
            part = images[chosen]
            result[chosen] = part + shares[chosen] * (extreme(part, square, mode="nearest") - part)
    for k in np.flatnonzero(kinds == 3):
        result[k] = _thresholded(images[k], sigmas[k], thresholds[k])
    return result


def _thresholded(image, sigma, threshold):
    least, most = image.min(), image.max()
    blurred = ndimage.gaussian_filter(image, (sigma, sigma, 0), mode="nearest")
    steep = (blurred - least - threshold * (most - least)) * STEEPNESS + (most - least) / 2
    return least + np.clip(steep, 0, most - least)


def colours(images, preset, rng):
    """Changes contrast about the image's mean, saturation about its grey levels, and brightness, in this order.

    Factors are U(1 - most, 1 + most), what brightness adds U(-most, most). Grey images have no saturation.

    Args:
        images: float32 `(batch, height, width, channels)` in [0, 1].
        preset: a `presets.Preset`.
        rng: NumPy generator.

    Returns:
        The same, new, clipped to [0, 1].
    """
    shape = (len(images), 1, 1, 1)
    contrast, saturation, brightness = (
        rng.uniform(-most, most, shape).astype(np.float32)
        for most in (preset.contrast, preset.saturation, preset.brightness)
    )
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    images = mean + (1 + contrast) * (images - mean)
    if images.shape[-1] == 3:
        grey = (images @ GREY)[..., None]
        images = grey + (1 + saturation) * (images - grey)
    return np.clip(images + brightness, 0, 1)
