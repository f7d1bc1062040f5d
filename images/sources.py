"""Named and given data sets as arrays, before they become class folders.

A data set is a `Dataset`: uint8 images `(num_images, height, width)` or `(..., 3)` (RGB), integer labels, class names.
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from sklearn.datasets import load_digits

from images import folders, splits

FASHION_MNIST = "T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot".split(", ")
CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck".split()
CIFAR100 = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel "
    "can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur "
    "dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion "
    "lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree "
    "pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea "
    "seal shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank "
    "telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
).split()
KEYS = ("x_train", "y_train", "x_test", "y_test")
CLASS_NAMES = {"fashion_mnist": FASHION_MNIST, "cifar10": CIFAR10, "cifar100": CIFAR100}  # else the label itself


class Dataset(NamedTuple):
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: list


def digits(seed, test_fraction=0.16, side=28):
    """scikit-learn's 1,797 real handwritten digits (8x8, 17 grey levels), scaled to `side` x `side` pixels.

    They come with no split of their own; a class is split by `seed` as in thesis 4.2.1.
    """
    bunch = load_digits()
    grey = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    images = np.stack([cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) for image in grey])
    parts = [splits.split(np.flatnonzero(bunch.target == label), test_fraction, seed) for label in range(10)]
    train, test = (np.sort(np.concatenate(part)) for part in zip(*parts, strict=True))
    names = [str(label) for label in range(10)]
    return Dataset(images[train], bunch.target[train], images[test], bunch.target[test], names)


def from_npz(path):
    """Reads an `.npz` with x_train, y_train, x_test, y_test and optional class_names, as Keras' mnist.npz."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except OSError as error:
        if not Path(path).is_file():
            raise
        raise ValueError(f"{path}: not a readable .npz file ({error})") from None
    except Exception as error:  # zipfile, zlib and NumPy each have errors of their own for a broken archive
        raise ValueError(f"{path}: not a readable .npz file ({error})") from None
    missing = [key for key in KEYS if key not in arrays]
    if missing:
        raise ValueError(f"{path}: no array {missing[0]!r} in it")
    return checked(path, **{key: arrays[key] for key in KEYS}, class_names=arrays.get("class_names"))


def checked(source, x_train, y_train, x_test, y_test, class_names=None):
    """Checks shapes, types and labels and returns a `Dataset`; `source` names the data in errors."""
    y_train, y_test = np.asarray(y_train), np.asarray(y_test)
    for part, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        if x.dtype != np.uint8 or not (x.ndim == 3 or (x.ndim == 4 and x.shape[-1] in (1, 3))):
            raise ValueError(
                f"{source}: x_{part} should be uint8 (images, height, width) or (..., 1 or 3). "
                f"Received: {x.dtype} {x.shape}"
            )
        if y.size != len(x) or not np.issubdtype(y.dtype, np.integer) or y.size == 0 or y.min() < 0:
            raise ValueError(f"{source}: y_{part} should be {len(x)} labels from 0. Received: {y.dtype} {y.shape}")
    if x_train.shape[1:] != x_test.shape[1:]:
        raise ValueError(f"{source}: x_train holds {x_train.shape[1:]} images, x_test {x_test.shape[1:]}")
    num_classes = int(max(y_train.max(), y_test.max())) + 1
    names = [str(name) for name in (class_names if class_names is not None else range(num_classes))]
    if len(names) < num_classes or len(set(names)) < len(names):
        raise ValueError(f"{source}: {num_classes} classes need as many different names. Received: {len(names)}")
    return Dataset(x_train, y_train.reshape(-1), x_test, y_test.reshape(-1), names)


def first_per_class(x, y, limit):
    """Keeps the first `limit` images of each class, -1 all. Returns images, labels and their original places."""
    if limit < 0:
        return x, y, np.arange(len(y))
    kept = np.sort(np.concatenate([np.flatnonzero(y == label)[:limit] for label in np.unique(y)]))
    return x[kept], y[kept], kept


def folder_name(class_name):
    """The class name as a folder: a slash becomes an underscore (Fashion-MNIST's `T-shirt/top`)."""
    return folders.check_class_name(class_name.replace("/", "_"))
