"""One image: a file as pixels, pixels as another size, colour or type, and as a file again.

In memory an image is uint8 `(height, width, channels)`, channels 1 (grey) or 3 (RGB), or float32 in [0, 1] after
`to_float`.
"""

import contextlib
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # a file that cannot be decoded is reported once, by us
import cv2
import numpy as np

EXTENSIONS = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
COLORS = {"grey": 1, "rgb": 3}


def decode(path, notes):
    """Reads one image file as uint8 `(height, width, channels)`, channels 1 or 3 (RGB).

    16-bit files are scaled to 8 bits, transparency is laid on white, photographs are turned as their EXIF data says;
    `notes` is a set that collects a word for each such conversion.
    """
    data = Path(path).read_bytes()
    is_jpeg = data[:2] == b"\xff\xd8"
    is_png = data[:4] == b"\x89PNG"
    is_whole = _png_is_whole(data) if is_png else b"\xff\xd9" in data if is_jpeg else len(data) > 0
    image = None
    if is_whole:
        # ANYCOLOR turns a photograph by its EXIF data; UNCHANGED alone keeps alpha and 16 bits.
        flags = cv2.IMREAD_ANYCOLOR if is_jpeg else cv2.IMREAD_UNCHANGED
        with contextlib.suppress(cv2.error):  # more pixels than OpenCV takes
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        raise ValueError(f"{path}: not a readable image (empty, cut short, or not an image)")
    if image.dtype == np.uint16:
        notes.add("16-bit scaled to 8-bit")
        image = (image // 257).astype(np.uint8)
    if image.dtype != np.uint8:
        raise ValueError(f"{path}: pixels of type {image.dtype}, expected 8 or 16-bit integers")
    if is_png and data[25:26] == b"\x03":
        notes.add("palette expanded to RGB")
    image = image.reshape(*image.shape[:2], -1)
    if image.shape[-1] in (2, 4):
        notes.add("transparency laid on white")
        alpha = image[..., -1:].astype(np.float32) / 255
        image = np.rint(image[..., :-1] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return image if image.shape[-1] == 1 else np.ascontiguousarray(image[..., ::-1])


def _png_is_whole(data):
    """Whether every chunk of a PNG is there with its checksum; libpng itself would write to standard error."""
    place, kind = 8, b""
    while kind != b"IEND":
        end = place + 8 + int.from_bytes(data[place : place + 4], "big")
        kind = data[place + 4 : place + 8]
        if end + 4 > len(data) or zlib.crc32(data[place + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return False
        place = end + 4
    return True


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
