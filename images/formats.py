"""File formats: the levels of one image file as they are stored, with what is damaged or too large refused before.

PNG, BMP, WebP and TIFF are decoded by OpenCV, GIF, PGM and PPM by Pillow, and JPEG by libjpeg-turbo (simplejpeg, which
unlike OpenCV refuses what libjpeg only warns of).
"""

import contextlib
import io
import os
import stat
import warnings
import zlib

os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # a file that cannot be decoded is reported once, by us
import cv2
import numpy as np
import simplejpeg
from PIL import Image

EXTENSIONS = {
    *(".png", ".jpg", ".jpeg", ".jfif", ".jpe", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".pgm", ".ppm", ".pnm")
}
MOST_PIXELS = 2**27  # 134 megapixels; decoded, 16-bit RGB of this size takes 0.8 GB
PNM = (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6")
EXIF_ORIENTATION = 0x0112


def load(path, notes):
    """Reads one image file as it is stored, a photograph turned as its EXIF data says.

    Args:
        path: the file; what its name ends in does not matter.
        notes: a set that collects a word for each conversion.

    Returns:
        uint8 or uint16 `(height, width, channels)`: grey, RGB, or either with alpha as the last channel.

    Raises:
        ValueError: no regular file, no readable image, damaged, or of more than `MOST_PIXELS` pixels.
    """
    data = _read(path)
    height, width = _size(data)
    if height * width > MOST_PIXELS:
        raise ValueError(f"{path}: {height}x{width} pixels, at most {MOST_PIXELS / 1e6:.0f} million are read")
    image = _decode(data, notes)
    if image is None:
        raise ValueError(f"{path}: not a readable image (empty, cut short, damaged, or not an image)")
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{path}: pixels of type {image.dtype}, expected 8 or 16-bit integers")
    orientation = _orientation(data)
    if orientation in range(2, 9):
        notes.add("turned as EXIF says")
    return _turn(image.reshape(*image.shape[:2], -1), orientation)


def _read(path):
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe would wait for its other end
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path}: not a regular file")
        data = os.read(file, status.st_size)  # at most 2 GB at once, in one call for all but huge files
        while rest := os.read(file, 2**20):
            data += rest
        return data
    finally:
        os.close(file)


def is_deep(path):
    """Whether an image file may hold 16 bits a channel, from its first bytes."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        start = file.read(26)
        return start[24:25] == b"\x10" if _is_png(start) else start[:2] in (b"II", b"MM", *PNM)
    return False


def _is_png(data):
    return data[:4] == b"\x89PNG"


def _is_jpeg(data):
    return data[:2] == b"\xff\xd8"


def _size(data):
    """Height and width as the header says, (0, 0) where it is not readable."""
    if _is_png(data):
        return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")
    with contextlib.suppress(Exception):  # whatever a damaged header makes a library raise
        if _is_jpeg(data):
            return simplejpeg.decode_jpeg_header(data)[:2]
        width, height = _open(data).size
        return height, width
    return 0, 0


def _open(data):
    """The file opened by Pillow, its pixels not decoded yet; Pillow's own limit is replaced by ours."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        return Image.open(io.BytesIO(data))
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _decode(data, notes):
    """The stored levels, channels in the order R, G, B, alpha; None if the file is damaged."""
    if _is_jpeg(data):
        with contextlib.suppress(ValueError):
            grey = simplejpeg.decode_jpeg_header(data)[2] == "Gray"
            return simplejpeg.decode_jpeg(data, colorspace="GRAY" if grey else "RGB")
        return None
    if data[:4] == b"GIF8" or data[:2] in PNM:
        return _by_pillow(data, notes)
    image = None
    if data and (not _is_png(data) or _png_is_whole(data)):
        with contextlib.suppress(cv2.error):
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        return None
    if _is_png(data) and data[25:26] == b"\x03":
        notes.add("palette expanded to RGB")
    channels = image.shape[2] if image.ndim == 3 else 1
    if channels == 4 and not (_is_png(data) or data[8:12] == b"WEBP") and not image[..., 3].any():
        image = image[..., :3]  # BMP and TIFF have a fourth channel that no one fills in; PNG and WebP mean theirs
    elif channels == 4 and data[:2] in (b"II", b"MM") and image.dtype == np.uint8:
        image = _divide_by_alpha(image)
    return image[..., [2, 1, 0, 3][: image.shape[2]]] if image.ndim == 3 and image.shape[2] > 2 else image


def _by_pillow(data, notes):
    """A GIF's first frame, or a PGM or PPM, whose header says which level is white."""
    with contextlib.suppress(Exception):  # Pillow's plug-ins raise errors of many kinds
        picture = _open(data)
        if getattr(picture, "is_animated", False):
            notes.add("first of several frames")
        if picture.mode == "P":
            picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
            notes.add("palette expanded to RGB")
        if picture.mode == "1":
            picture = picture.convert("L")
        return np.asarray(picture, np.uint16 if picture.mode.startswith("I") else np.uint8)
    return None


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


def _divide_by_alpha(image):
    """Undoes what libtiff does to colours as it decodes a TIFF of 8 bits with transparency: it multiplies by alpha."""
    alpha = image[..., 3:].astype(np.float32)
    colours = np.rint(image[..., :3] * np.float32(255) / np.maximum(alpha, 1))
    return np.concatenate([np.minimum(colours, 255).astype(np.uint8), image[..., 3:]], axis=-1)


def _orientation(data):
    """The EXIF orientation of a JPEG, PNG or WebP, 1 (upright) to 8; 1 where none is readable."""
    word = b"eXIf" if _is_png(data) else b"Exif\0\0" if _is_jpeg(data) else b"EXIF" if data[8:12] == b"WEBP" else None
    if word and word in data:
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF data, which is no more than no orientation
            return _open(data).getexif().get(EXIF_ORIENTATION, 1)
    return 1


def _turn(image, orientation):
    """Turns an image upright (EXIF 2.3, tag Orientation: which edges row 0 and column 0 are)."""
    if orientation not in range(2, 9):
        return image
    if orientation in (5, 6, 7, 8):  # rows are stored as columns
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
