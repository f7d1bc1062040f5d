"""Mixes and erases images of a batch, with their labels: cutout, random erasing, mixup, CutMix. NumPy.

Images are float32 `(batch, height, width, channels)`, labels float32 `(batch, num_classes)`; each image has its own
draws from the NumPy generator `rng`, and results are new arrays.
"""

import numpy as np

ERASED = 0.5  # Zhong et al. 2020 and torchvision's defaults: share of the images,
AREAS = (0.02, 0.33)  # of the image,
ASPECTS = (0.3, 3.3)  # height by width, even in its logarithm,
TRIES = 10  # and draws until a rectangle fits


def cutout(images, size, rng):
    """Fills a square of each image with the image's mean (DeVries & Taylor 2017).

    Its middle is any pixel, so that at the border a part of it lies outside.

    Args:
        size: side of the square, pixels.
    """
    count, height, width, _ = images.shape
    top, left = (rng.integers(side, size=count) - size // 2 for side in (height, width))
    inside = _rectangles(top, left, size, size, height, width)
    return np.where(inside[..., None], images.mean(axis=(1, 2), keepdims=True), images)


def erase(images, fill, rng):
    """Fills a rectangle of half of the images (Zhong et al. 2020).

    Args:
        fill: the rectangle's level, one per channel.
    """
    count, height, width, _ = images.shape
    area = rng.uniform(*AREAS, (TRIES, count)) * height * width
    aspect = np.exp(rng.uniform(*np.log(ASPECTS), (TRIES, count)))
    tall, wide = np.rint(np.sqrt(area * aspect)).astype(int), np.rint(np.sqrt(area / aspect)).astype(int)
    fits = (tall < height) & (wide < width)
    first = fits.argmax(axis=0), np.arange(count)
    erased = fits.any(axis=0) & (rng.random(count) < ERASED)
    tall, wide = np.where(erased, tall[first], 0), np.where(erased, wide[first], 0)
    top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
    inside = _rectangles(top, left, tall, wide, height, width)
    return np.where(inside[..., None], np.asarray(fill, np.float32), images)


def mixup(images, labels, alpha, rng):
    """Blends each image and label with another of the batch, by a share of Beta(alpha, alpha) (Zhang et al. 2018)."""
    share = rng.beta(alpha, alpha, len(images)).astype(np.float32)[:, None]
    other = rng.permutation(len(images))
    whole = share[..., None, None]
    return whole * images + (1 - whole) * images[other], share * labels + (1 - share) * labels[other]


def cutmix(images, labels, rng):
    """Replaces a rectangle of each image by that of another of the batch (Yun et al. 2019).

    Its sides are sqrt(1 - s) of the image's with s from U(0, 1), its middle is any pixel, and labels are blended by the
    area that lies inside the image. The published code draws one rectangle per batch; here each image has its own.
    """
    count, height, width, _ = images.shape
    part, other = np.sqrt(1 - rng.random(count)), rng.permutation(count)
    tall, wide = (part * height).astype(int), (part * width).astype(int)
    top, left = rng.integers(height, size=count) - tall // 2, rng.integers(width, size=count) - wide // 2
    inside = _rectangles(top, left, tall, wide, height, width)
    share = 1 - inside.mean(axis=(1, 2), dtype=np.float32)[:, None]
    return np.where(inside[..., None], images[other], images), share * labels + (1 - share) * labels[other]


def _rectangles(top, left, tall, wide, height, width):
    """Marks rectangles, which may lie partly outside: boolean `(batch, height, width)`."""
    rows, columns = np.arange(height), np.arange(width)
    top, left, bottom, right = (np.asarray(edge).reshape(-1, 1) for edge in (top, left, top + tall, left + wide))
    return ((rows >= top) & (rows < bottom))[:, :, None] & ((columns >= left) & (columns < right))[:, None]
