"""Finds images that are there twice: identical pixel for pixel, or nearly, as a resized or recompressed copy.

Nearly identical are two images whose perceptual hashes (imagehash's `phash`, 64 bits) differ in few bits and whose
small grey versions differ by few grey levels: the hash alone takes many a drawing on plain ground for another one.
"""

from typing import NamedTuple

import numpy as np

MOST_BITS = 6  # of 64, by which the hashes of a resized or recompressed copy differ
MOST_LEVELS = 6.0  # grey levels of 255, root mean square over a small version of the images
BLOCK = 1024  # images that are compared with all others at a time
PLACES = ("class", "classes", "split")  # where the two of a pair lie: see `Pair.where`


class Pair(NamedTuple):
    """Two images that are the same, or nearly.

    Attributes:
        first, second: their places in the list of images.
        exact: whether they are identical pixel for pixel.
        where: `"class"` if both lie in one class of one part, `"classes"` if in two classes, `"split"` if in two parts.
    """

    first: int
    second: int
    exact: bool
    where: str


def find(digests, hashes, small, groups):
    """Lists pairs of images that are the same or nearly: of k identical ones k - 1 pairs, each with the first.

    Args:
        digests: per image, a hash of its pixels and shape, equal for identical images.
        hashes: uint64 `(num_images,)`, perceptual hashes.
        small: float32 `(num_images, num_pixels)`, grey levels from 0 to 255 of small versions.
        groups: per image, its part and class, e.g. `("train", "cat")`.

    Returns:
        List of `Pair`, the identical ones first.
    """
    first, pairs = {}, []
    for place, digest in enumerate(digests):
        if (before := first.setdefault(digest, place)) != place:
            pairs.append(Pair(before, place, True, _where(groups[before], groups[place])))
    distinct = np.array(sorted(first.values()), int)
    for a, b in _near(hashes[distinct], small[distinct]):
        a, b = int(distinct[a]), int(distinct[b])
        pairs.append(Pair(a, b, False, _where(groups[a], groups[b])))
    return pairs


def _where(one, other):
    return "split" if one[0] != other[0] else "classes" if one[1] != other[1] else "class"


def _near(hashes, small):
    """Yields the places of nearly identical images, the lower one first."""
    for start in range(0, len(hashes), BLOCK):
        rows = hashes[start : start + BLOCK]
        bits = _count_bits(rows[:, None] ^ hashes[None, start:])
        for row, column in zip(*np.nonzero(bits <= MOST_BITS), strict=True):
            if column > row:
                a, b = start + row, start + column
                if np.sqrt(np.mean(np.square(small[a] - small[b]))) <= MOST_LEVELS:
                    yield a, b


def _count_bits(numbers):
    """How many bits are set in each uint64; `np.bitwise_count` came with NumPy 2."""
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(numbers)
    as_bytes = numbers[..., None].view(np.uint8)
    return np.unpackbits(as_bytes, axis=-1).sum(-1, dtype=np.uint8)


def left_out(pairs, groups):
    """The places of images that a random split must not see twice.

    Of identical images of one class the first stays; those that lie in two classes are all left out, for nobody can say
    which label is right.

    Args:
        pairs: as `find` gives them.
        groups: as of `find`.

    Returns:
        Set of places.
    """
    exact = [pair for pair in pairs if pair.exact]
    contradictory = {pair.first for pair in exact if groups[pair.first][1] != groups[pair.second][1]}
    return contradictory | {pair.second for pair in exact}
