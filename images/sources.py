"""Named and given data sets as arrays, before they become class folders.

A data set is a `Dataset`: uint8 images `(num_images, height, width)` or `(..., 3)` (RGB), integer labels, class names.
"""

import math
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from sklearn.datasets import load_digits

from images import arrays, folders, splits

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
MOST_BYTES = 2**32  # that an .npz may unpack to
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
    """Reads an `.npz` with x_train, y_train, x_test, y_test and optional class_names, as Keras' mnist.npz.

    Raises:
        ValueError: the file is not readable, lacks an array, or would unpack to more than `MOST_BYTES`, as its headers
            say; or what `checked` refuses.
    """
    if not Path(path).exists():
        raise ValueError(f"{path}: no such file")
    if not Path(path).is_file():
        raise ValueError(f"{path}: not a regular file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = set(archive.files)
            wanted = [key for key in (*KEYS, "class_names") if key in names]
            missing = [key for key in KEYS if key not in names]
            size = 0 if missing else sum(_unpacked_bytes(archive.zip, key) for key in wanted)
            found = {key: archive[key] for key in wanted} if not missing and size <= MOST_BYTES else {}
    except Exception as error:  # zipfile, zlib and NumPy each have errors of their own for a broken archive
        if "pickle" in str(error):  # NumPy would have it loaded unsafely, whatever the file is
            error = "no archive, or an array of Python objects in it"
        raise ValueError(f"{path}: not a readable .npz file ({error})") from None
    if missing:
        raise ValueError(f"{path}: no array {missing[0]!r} in it (there are {', '.join(sorted(names)) or 'none'})")
    if size > MOST_BYTES:
        raise ValueError(f"{path}: unpacks to {size / 1e9:.1f} GB, at most {MOST_BYTES / 1e9:.1f} are read")
    return checked(path, **{key: found[key] for key in KEYS}, class_names=found.get("class_names"))


def _unpacked_bytes(archive, key):
    """How many bytes an array of an `.npz` takes, by the greater of the archive's header and its own."""
    name = f"{key}.npy" if f"{key}.npy" in archive.namelist() else key
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    return max(archive.getinfo(name).file_size, math.prod(shape) * dtype.itemsize)


def checked(source, x_train, y_train, x_test, y_test, class_names=None):
    """Brings arrays to a `Dataset`, as `arrays` says; `source` names the data in lines and errors."""
    x_train, x_test = arrays.as_images(source, x_train, x_test)
    y_train, y_test, names = arrays.as_labels(source, (len(x_train), len(x_test)), y_train, y_test, class_names)
    return Dataset(x_train, y_train, x_test, y_test, names)


def folder_name(class_name):
    """The class name as a folder: a slash becomes an underscore (Fashion-MNIST's `T-shirt/top`)."""
    return folders.check_class_name(class_name.replace("/", "_"))
