"""Many images: read into one uint8 array, or an album that gives a page of them as float32 when it is asked for.

An album has `len`, `shape`, `fingerprint(*arrays)` and `album[places]`; a training takes all kinds alike:
`ArrayAlbum` in memory, `Album` of files, `BinaryAlbum` of another album.
"""

import hashlib
import logging
import math

import numpy as np

from images.codec import check_same_shape, to_float
from images.reading import Reader

log = logging.getLogger(__name__)
MOST_BYTES = 2**29  # of one album in memory; training and test images together leave room for TensorFlow under 2 GB


def read_images(paths, size=None, color=None, *, binary=None):
    """Reads image files into one array.

    Args:
        paths: image files.
        size: optional `(height, width)` in pixels that every image is scaled to.
        color: optional `"grey"` or `"rgb"` that every image is converted to.
        binary: whether the files have the levels 0 and 1 alone, as of `Reader`; None: these files tell.

    Returns:
        uint8 array `(num_images, height, width, channels)`.

    Raises:
        ValueError: a file is no readable image, or sizes or channels differ and no flag says what to make of them.
    """
    images = None
    for k, image in Reader(paths, size, color, binary=binary):
        if images is None:
            images = np.empty((len(paths), *image.shape), np.uint8)
        check_same_shape({paths[0]: images.shape[1:], paths[k]: image.shape})
        images[k] = image
    return images


def read_classes(files, size=None, color=None, *, binary=None):
    """Reads a listing `{class: paths}`; arguments as of `read_images`.

    Returns:
        images: uint8 `(num_images, height, width, channels)`, class after class.
        labels: int64 `(num_images,)`, the place of the class in the listing.
    """
    return read_images(_join(files), size, color, binary=binary), _labels(files)


def open_classes(files, size=None, color=None):
    """As `read_classes`, with an album in place of the array."""
    return open_album(_join(files), size, color), _labels(files)


def _join(files):
    return [path for paths in files.values() for path in paths]


def _labels(files):
    return np.repeat(np.arange(len(files)), [len(paths) for paths in files.values()])


def binarise(images, source):
    """uint8 images as float32 of 0 and 1: 1 above half of full brightness. One log line if they had grey levels.

    Args:
        images: uint8, any shape.
        source: where they came from, for the log line.
    """
    if not np.isin(images, (0, 255)).all():
        log.info("%s: grey levels binarised at 0.5", source)
    return (images > 127).astype(np.float32)


def binary(album, source):
    """Makes an album binary, in memory if it lies there already. One log line if it may have had grey levels.

    Args:
        album: an `ArrayAlbum`, whose fingerprint becomes that of 0 and 255, or an `Album`, whose fingerprint stays.
        source: where the images came from, for the log line.
    """
    if isinstance(album, ArrayAlbum):
        if not np.isin(album.images, (0, 255)).all():
            log.info("%s: grey levels binarised at 0.5", source)
        return ArrayAlbum(np.where(album.images > 127, np.uint8(255), np.uint8(0)))
    log.info("%s: images binarised at 0.5", source)
    return BinaryAlbum(album)


def open_album(paths, size=None, color=None):
    """Opens image files as an album: in memory if that takes at most `MOST_BYTES`, else on disk.

    Arguments and errors as of `read_images`. Every file is read once.
    """
    shape = Reader(paths, size, color).read(paths[0]).shape
    if len(paths) * math.prod(shape) <= MOST_BYTES:
        return ArrayAlbum(read_images(paths, size, color))
    return Album(paths, size, color)


class ArrayAlbum:
    """Images in memory, `album[places]` gives some of them.

    Args:
        images: uint8 `(num_images, height, width, channels)`; kept, not copied.

    Attributes:
        shape: `(num_images, height, width, channels)`.
    """

    def __init__(self, images):
        self.images, self.shape = images, images.shape

    def __len__(self):
        return len(self.images)

    def __getitem__(self, places):
        """The images at `places`, integers, as float32 `(num_places, height, width, channels)` in [0, 1]."""
        return to_float(self.images[places])

    def fingerprint(self, *arrays):
        """What `fingerprint` gives of all its images and the arrays."""
        return fingerprint(self.images, *arrays)

    def digests(self):
        """Lists a hash of each image; equal images have equal ones."""
        return [digest_of(image) for image in self.images]


class Album:
    """Image files that are read when they are asked for, as `ArrayAlbum` gives them.

    Every file is read once to begin with, one at a time, so that what is wrong with one is said before it is needed.

    Args:
        paths, size, color: as of `read_images`.

    Attributes:
        shape: `(num_images, height, width, channels)`.
    """

    def __init__(self, paths, size=None, color=None):
        self.paths, self._reader, self._digests = paths, Reader(paths, size, color), []
        for k, image in self._reader:
            if k == 0:
                self.shape = (len(paths), *image.shape)
                self._digest = hashlib.sha256(_header(np.dtype(np.uint8), self.shape))
            check_same_shape({paths[0]: self.shape[1:], paths[k]: image.shape})
            self._digest.update(image)
            self._digests.append(digest_of(image))

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, places):
        return to_float(np.stack([self._reader.read(self.paths[place]) for place in places]))

    def fingerprint(self, *arrays):
        """What `fingerprint` gives of all its images and the arrays."""
        return add_to_digest(self._digest.copy(), *arrays).hexdigest()

    def digests(self):
        """Lists a hash of each image; equal images have equal ones."""
        return self._digests


class BinaryAlbum:
    """Makes the images of another album binary: float32 of 0 and 1, 1 above half of full brightness.

    Its fingerprint is that of the other album, of the grey levels.
    """

    def __init__(self, album):
        self.album, self.shape, self.fingerprint = album, album.shape, album.fingerprint
        self.digests = album.digests

    def __len__(self):
        return len(self.album)

    def __getitem__(self, places):
        return (self.album[places] > 0.5).astype(np.float32)


def statistics(album, block=500):
    """Computes mean and standard deviation of each channel over all pixels of all images, in [0, 1].

    Args:
        album: as above, or a float32 array of images in [0, 1].
        block: images that are read at a time.

    Returns:
        Two lists of floats, one per channel.
    """
    totals = np.zeros((2, album.shape[-1]))
    for start in range(0, len(album), block):
        images = np.asarray(album[np.arange(start, min(start + block, len(album)))], np.float64)
        totals += images.sum(axis=(0, 1, 2)), np.square(images).sum(axis=(0, 1, 2))
    mean, square = totals / math.prod(album.shape[:3])
    return mean.tolist(), np.sqrt(np.maximum(square - np.square(mean), 0)).tolist()


def count_shared(album, other):
    """Counts the images of one album that another holds too, pixel for pixel."""
    known = set(other.digests())
    return sum(digest in known for digest in album.digests())


def digest_of(image):
    """Hashes the pixels of an image; equal images have equal hashes."""
    return hashlib.blake2b(np.ascontiguousarray(image), digest_size=16).digest()


def fingerprint(*arrays):
    """SHA-256 of the arrays' types, shapes and bytes, as a hexadecimal string."""
    return add_to_digest(hashlib.sha256(), *arrays).hexdigest()


def add_to_digest(digest, *arrays):
    """Adds arrays to the hash of a `fingerprint` that is made piece by piece. Returns the hash."""
    for array in arrays:
        digest.update(_header(array.dtype, array.shape))
        digest.update(np.ascontiguousarray(array))
    return digest


def _header(dtype, shape):
    return f"{dtype}{shape}".encode()
