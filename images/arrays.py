"""Arrays of a given data set as this project keeps them: uint8 images, labels from 0, class names.

What comes in another form is converted where its meaning is certain, and each conversion is said in a line; the rest is
refused.
"""

import logging
import math

import numpy as np

log = logging.getLogger(__name__)
MOST_LABEL = 10**6  # a greater number is no class label


def as_images(source, x_train, x_test):
    """Brings two arrays of images to uint8 `(num_images, height, width)` or `(..., 1 or 3)`.

    Args:
        source: what to call the data in lines and errors.
        x_train, x_test: images of the same form: integers or floats in [0, 255], floats in [0, 1], booleans; channels
            last or first, or square grey images as flat rows.

    Raises:
        ValueError: the meaning of the arrays is not certain. Says what came and what is wanted.
    """
    parts = [np.asarray(x) for x in (x_train, x_test)]
    shapes = [_laid_out(source, part, x) for part, x in zip(("train", "test"), parts, strict=True)]
    if shapes[0].shape[1:] != shapes[1].shape[1:]:
        raise ValueError(f"{source}: x_train holds {shapes[0].shape[1:]} images, x_test {shapes[1].shape[1:]}")
    return _levels(source, *shapes)


def _laid_out(source, part, x):
    """Channels last, rows of pixels as square images."""
    shape = x.shape
    side = math.isqrt(shape[1]) if x.ndim == 2 else 0
    if x.ndim == 2 and side > 1 and side * side == shape[1]:
        log.info("%s: x_%s: rows of %d levels taken for grey images of %dx%d", source, part, shape[1], side, side)
        x = x.reshape(-1, side, side)
    elif x.ndim == 4 and shape[-1] not in (1, 3) and shape[1] in (1, 3):
        log.info("%s: x_%s: channels come first in %s, moved last", source, part, shape)
        x = np.moveaxis(x, 1, -1)
    if not (x.ndim == 3 or (x.ndim == 4 and x.shape[-1] in (1, 3))) or 0 in x.shape:
        raise ValueError(
            f"{source}: x_{part} should be (images, height, width) or (..., 1 or 3), uint8 from 0 to 255. "
            f"Received: {x.dtype} {shape}"
        )
    return x


def _levels(source, *parts):
    """uint8 from 0 to 255, by the range of all parts together."""
    kinds = {x.dtype.kind for x in parts}
    if len({"i" if kind == "u" else kind for kind in kinds}) > 1:
        types = " and ".join(str(x.dtype) for x in parts)
        raise ValueError(f"{source}: x_train and x_test should be of one type, best uint8. Received: {types}")
    if kinds == {"b"}:
        log.info("%s: false and true taken for black and white", source)
        return [x.astype(np.uint8) * 255 for x in parts]
    if not kinds <= set("uif"):
        raise ValueError(f"{source}: images should be numbers, best uint8. Received: {parts[0].dtype}")
    least, most = min(x.min() for x in parts), max(x.max() for x in parts)
    if not (least >= 0 and most <= 255):  # NaN included
        raise ValueError(
            f"{source}: levels should go from 0 to 255 (uint8), or floats from 0 to 1. "
            f"Received: {parts[0].dtype} from {least:g} to {most:g}"
        )
    if kinds <= set("ui"):
        if most == 1:
            log.info("%s: levels 0 and 1 taken for black and white", source)
            return [x.astype(np.uint8) * 255 for x in parts]
        return [x if x.dtype == np.uint8 else x.astype(np.uint8) for x in parts]
    factor = 255 if most <= 1 else 1
    log.info("%s: floats from 0 to %s rounded to levels from 0 to 255", source, "1" if factor == 255 else "255")
    return [np.rint(x * factor).astype(np.uint8) for x in parts]


def as_labels(source, sizes, y_train, y_test, class_names=None):
    """Brings labels to numbers from 0 without gaps.

    Args:
        source: what to call the data in lines and errors.
        sizes: the numbers of training and of test images.
        y_train, y_test: integers from 0 or 1, with gaps or not, whole floats, one row per image with a single 1, or
            strings.
        class_names: what the integers count, text or bytes; None names classes by their labels.

    Returns:
        Training labels, test labels, and the list of class names.

    Raises:
        ValueError: their meaning is not certain. Says what came and what is wanted.
    """
    labels = [
        _flat(source, part, np.asarray(y), size)
        for part, y, size in zip(("train", "test"), (y_train, y_test), sizes, strict=True)
    ]
    present = np.unique(np.concatenate(labels))
    names = _names(source, present, class_names)
    if len(set(names)) < len(names):
        raise ValueError(f"{source}: class_names should differ. Received: {', '.join(names[:10])}")
    return *(np.searchsorted(present, y) for y in labels), names


def _flat(source, part, y, size):
    received = f"Received: {y.dtype} {y.shape}"
    if y.ndim == 2 and y.shape[1] > 1 and y.shape[0] == size and y.dtype.kind in "buif":
        if not (((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all()):
            raise ValueError(f"{source}: rows of y_{part} should hold one 1 and zeros (one-hot). {received}")
        log.info("%s: y_%s: one-hot rows of %d taken for labels", source, part, y.shape[1])
        y = y.argmax(axis=1)
    if y.dtype.kind == "f" and y.size and np.isfinite(y).all() and (y == np.rint(y)).all() and y.max() <= MOST_LABEL:
        log.info("%s: y_%s: floats taken for whole labels", source, part)
        y = y.astype(np.int64)
    if y.size != size or size == 0 or y.dtype.kind not in "uiSU":
        raise ValueError(f"{source}: y_{part} should be {size} labels from 0. {received}")
    if y.dtype.kind == "S":
        y = np.array([_text(source, name) for name in y.reshape(-1)])
    if y.dtype.kind in "ui":
        if y.min() < 0 or y.max() > MOST_LABEL:
            raise ValueError(
                f"{source}: y_{part} should be {size} labels from 0 to at most {MOST_LABEL}. "
                f"{received} from {y.min()} to {y.max()}"
            )
        y = y.astype(np.int64)
    return y.reshape(-1)


def _names(source, present, class_names):
    """The class names of the labels in `present`, which are sorted."""
    if class_names is None or present.dtype.kind == "U":
        if present.dtype.kind != "U" and len(present) <= present[-1]:
            log.info("%s: labels from %d to %d, %d classes", source, present[0], present[-1], len(present))
        return [str(label) for label in present]
    class_names = np.asarray(class_names)
    if class_names.ndim != 1:
        raise ValueError(f"{source}: class_names should be a list of names. Received: {class_names.shape}")
    names = [_text(source, name) for name in class_names.tolist()]
    if present[-1] < len(names):
        if len(present) < len(names):
            log.info("%s: %d of %d classes have images", source, len(present), len(names))
        return [names[label] for label in present]
    if len(present) != len(names):
        raise ValueError(
            f"{source}: {len(present)} classes, labels {present[0]} to {present[-1]}, need as many different names. "
            f"Received: {len(names)}"
        )
    log.info("%s: labels from %d to %d are named in this order", source, present[0], present[-1])
    return names


def _text(source, name):
    if not isinstance(name, bytes):
        return str(name)
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{source}: class name {name!r} is not UTF-8") from None
