"""One image: a file as pixels, pixels as another size, colour or type, and as a file again.

In memory an image is uint8 `(height, width, channels)`, channels 1 (grey) or 3 (RGB), or float32 in [0, 1] after
`to_float`.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from images.formats import cv2, load

COLORS = {"grey": 1, "rgb": 3}


class White(NamedTuple):
    """The levels that count as full brightness in files of 8 and of 16 bits a channel."""

    eight: int = 255
    sixteen: int = 65535


def decode(path, notes):
    """Reads one image file as uint8 `(height, width, channels)`, channels 1 or 3 (RGB).

    Arguments and errors as of `formats.load`; conversions as of `as_bytes`, by the whole range of the files.
    """
    return as_bytes(load(path, notes), White(), notes)


def as_bytes(image, white, notes):
    """Makes stored levels uint8, grey or RGB.

    16-bit levels are scaled to 8 bits, transparency is laid on white; `notes` collects a word for each.

    Args:
        image: uint8 or uint16 `(height, width, channels)`, as of `formats.load`.
        white: a `White`; what is brighter becomes 255.
        notes: a set.
    """
    if image.dtype == np.uint16:
        used = "" if white.sixteen == 65535 else f", by the levels in use, 0 to {white.sixteen}"
        notes.add(f"16-bit scaled to 8-bit{used}")
        image = np.minimum(image.astype(np.uint32) * 255 // white.sixteen, 255).astype(np.uint8)
    elif white.eight != 255:
        notes.add(f"levels 0 and {white.eight} taken for black and white")
        image = np.minimum(image.astype(np.uint16) * 255 // white.eight, 255).astype(np.uint8)
    if image.shape[-1] in (2, 4):
        notes.add("transparency laid on white")
        alpha = image[..., -1:].astype(np.float32) / 255
        image = np.rint(image[..., :-1] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return np.ascontiguousarray(image)


def convert(image, size=None, color=None):
    """Scales one uint8 image to `size` (height, width) and converts it to `color` ("grey" or "rgb")."""
    if size is not None and image.shape[:2] != tuple(size):
        height, width = size
        shrinks = height * width < image.shape[0] * image.shape[1]
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        image = image.reshape(height, width, -1)
    if color == "grey" and image.shape[-1] == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    if color == "rgb" and image.shape[-1] == 1:
        image = np.repeat(image, 3, axis=-1)
    return image


def describe(shape):
    """`(28, 28, 1)` as `28x28 grey`."""
    return f"{shape[0]}x{shape[1]} {'grey' if shape[2] == 1 else 'RGB'}"


def check_same_shape(shapes):
    """Raises a `ValueError` that names the first of `{name: (height, width, channels)}` that differs from the first."""
    first = next(iter(shapes))
    for name, shape in shapes.items():
        if tuple(shape) != tuple(shapes[first]):
            raise ValueError(
                f"{name}: {describe(shape)}, but {first} is {describe(shapes[first])}; "
                "say what to make of them with --size H W and --color grey|rgb"
            )


def to_float(images):
    """uint8 images as float32 in [0, 1]."""
    return images.astype(np.float32) / 255


def to_uint8(images):
    """Float images in [0, 1] as uint8, rounded to the nearest grey level."""
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def write_image(path, image):
    """Writes one uint8 image, `(height, width, 1 or 3)`, as PNG; a full disk is an `OSError`."""
    if image.shape[-1] == 3:
        image = image[..., ::-1]
    Path(path).write_bytes(cv2.imencode(".png", image)[1])


def write_images(folder, names, images):
    """Writes uint8 images as `folder/<name>.png`, making the folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in zip(names, images, strict=True):
        write_image(folder / f"{name}.png", image)


class Writer:
    """Writes images while its caller makes the next ones; leaving the `with` block waits, and raises what went wrong.

    `with Writer() as write: write(folder, names, images)` takes what `write_images` takes.
    """

    def __enter__(self):
        self.pool, self.waiting = ThreadPoolExecutor(1), []
        return self

    def __call__(self, folder, names, images):
        while len(self.waiting) > 8:  # a slow disk must not fill the memory
            self.waiting.pop(0).result()
        self.waiting.append(self.pool.submit(write_images, folder, names, images))

    def __exit__(self, kind, error, trace):
        self.pool.shutdown(cancel_futures=error is not None)
        if error is None:
            for future in self.waiting:
                future.result()
