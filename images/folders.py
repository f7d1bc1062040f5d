"""Class folders: `<root>/<class>/<name>.png`, the only thing the steps of this project exchange.

jpg, bmp and webp are read too. In memory an image set is a uint8 array `(num_images, height, width, channels)`
as decoded, or float32 in [0, 1] after `to_float`; channels is 1 (grey) or 3 (RGB).
"""

import contextlib
import hashlib
import logging
import os
import re
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # a file that cannot be decoded is reported once, by us
import cv2
import numpy as np

log = logging.getLogger(__name__)

EXTENSIONS = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
COLORS = {"grey": 1, "rgb": 3}


def natural_key(name):
    """Sorts digits by value: `example9` before `example10`, class `2` before class `10`."""
    parts = re.split(r"([0-9]+)", name)  # every second part is a number
    return [(0, int(part), "") if k % 2 else (1, 0, part) for k, part in enumerate(parts)], name


def check_class_name(name):
    """Refuses a class name that cannot be a visible folder inside its root. Returns the name."""
    if not name or name.startswith(".") or any(c in name for c in "/\\\0"):
        raise ValueError(f"class name {name!r} cannot be a folder name (empty, hidden, or with a path in it)")
    return name


def list_images(root):
    """Lists the images of every class under `root`.

    Hidden files, `desktop.ini`, `Thumbs.db` and whatever else is no image are passed over and counted in one log line.

    Returns:
        A dict from class name, in natural order, to its sorted list of paths. A class may be empty.

    Raises:
        ValueError: `root` is no folder, has no class folder, or holds a link that leads out of it.
    """
    return {name: [Path(root) / name / file for file in files] for name, files in list_names(root).items()}


def list_names(root):
    """As `list_images`, but file names in place of paths, which take five times the memory."""
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder")
    inside = root.resolve()
    names = (entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    files, skipped = {}, 0
    for name in sorted(names, key=natural_key):
        entries = sorted(os.listdir(root / name), key=natural_key)
        files[name] = [e for e in entries if Path(e).suffix.lower() in EXTENSIONS and not e.startswith(".")]
        skipped += len(entries) - len(files[name])
        for path in [str(root / name), *(f"{root}/{name}/{file}" for file in files[name])]:
            if os.path.islink(path) and not _leads_inside(Path(path), inside):
                raise ValueError(f"{path}: a link that leads out of {root}, or nowhere")
    if not files:
        raise ValueError(f"{root}: no class folders in it (expected {root}/<class>/*.png)")
    if skipped:
        log.info("%s: passed over %d files that are not images", root, skipped)
    return files


def list_unlabelled(root):
    """Lists images whose labels are not asked for: class folders, or a folder of images.

    Returns:
        As `list_images`; images that lie in `root` itself are one class, by the name of `root`.
    """
    root = Path(root)
    if not root.is_dir() or any(e.is_dir() and not e.name.startswith(".") for e in root.iterdir()):
        return list_images(root)
    entries = sorted(root.iterdir(), key=lambda path: natural_key(path.name))
    files = [e for e in entries if e.suffix.lower() in EXTENSIONS and not e.name.startswith(".")]
    for path in files:
        if path.is_symlink() and not _leads_inside(path, root.resolve()):
            raise ValueError(f"{path}: a link that leads out of {root}, or nowhere")
    return {root.resolve().name: files}


def _leads_inside(link, folder):
    try:
        return link.resolve(strict=True).is_relative_to(folder)
    except (OSError, RuntimeError):  # a dead link, or a circle
        return False


def check_same_classes(train, test, train_root, test_root):
    """Raises a `ValueError` that names the class which one of two listings lacks, or an empty class."""
    for names, others, root in ((train, test, test_root), (test, train, train_root)):
        missing = [name for name in names if name not in others]
        if missing:
            raise ValueError(f"{root}: class {missing[0]!r} is missing")
    for listing, root in ((train, train_root), (test, test_root)):
        empty = [name for name, paths in listing.items() if not paths]
        if empty:
            raise ValueError(f"{Path(root) / empty[0]}: no images in it")


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


def read_list(paths, size=None, color=None):
    """Reads image files, each in its own shape, and logs one line for each kind of conversion.

    Arguments as of `read_images`. Returns a list of uint8 arrays `(height, width, channels)`.
    """
    notes = Counter()
    images = [_read(path, size, color, notes) for path in paths]
    _log_conversions(paths, notes)
    return images


def _read(path, size, color, notes):
    found = set()
    image = convert(decode(path, found), size, color)
    notes.update(found)
    return image


def _log_conversions(paths, notes):
    for note, count in sorted(notes.items()):
        log.info("%s: %s (%d of %d files)", Path(paths[0]).parent.parent, note, count, len(paths))


def read_images(paths, size=None, color=None):
    """Reads image files into one array.

    Args:
        paths: image files.
        size: optional `(height, width)` in pixels that every image is scaled to.
        color: optional `"grey"` or `"rgb"` that every image is converted to.

    Returns:
        uint8 array `(num_images, height, width, channels)`.

    Raises:
        ValueError: a file is no readable image, or sizes or channels differ and no flag says what to make of them.
    """
    images = read_list(paths, size, color)
    check_same_shape({path: image.shape for path, image in zip(paths, images, strict=True)})
    return np.stack(images)


class Album:
    """Image files that are read when they are asked for: `album[places]` is `to_float(read_images(...))` of them.

    Every file is read once to begin with, one at a time, so that what is wrong with one is said before it is needed.

    Args:
        paths, size, color: as of `read_images`.

    Attributes:
        shape: `(num_images, height, width, channels)`.
    """

    def __init__(self, paths, size=None, color=None):
        self.paths, self.size, self.color = paths, size, color
        notes = Counter()
        first = _read(paths[0], size, color, Counter()).shape
        self.shape = (len(paths), *first)
        self._digest = hashlib.sha256(_header(np.dtype(np.uint8), self.shape))
        for path in paths:
            image = _read(path, size, color, notes)
            check_same_shape({paths[0]: first, path: image.shape})
            self._digest.update(image)
        _log_conversions(paths, notes)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, places):
        notes = Counter()  # said before
        return to_float(np.stack([_read(self.paths[place], self.size, self.color, notes) for place in places]))

    def fingerprint(self, *arrays):
        """What `fingerprint` gives of all its images and the arrays."""
        return _add_to_digest(self._digest.copy(), arrays)


def check_same_shape(shapes):
    """Raises a `ValueError` that names the first of `{name: (height, width, channels)}` that differs from the first."""
    first = next(iter(shapes))
    for name, shape in shapes.items():
        if tuple(shape) != tuple(shapes[first]):
            raise ValueError(
                f"{name}: {describe(shape)}, but {first} is {describe(shapes[first])}; "
                "say what to make of them with --size H W and --color grey|rgb"
            )


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


def read_classes(files, size=None, color=None):
    """Reads a listing `{class: paths}`.

    Returns:
        images: uint8 `(num_images, height, width, channels)`, class after class.
        labels: int64 `(num_images,)`, the place of the class in the listing.
    """
    images = read_images([path for paths in files.values() for path in paths], size, color)
    return images, np.repeat(np.arange(len(files)), [len(paths) for paths in files.values()])


def to_float(images):
    """uint8 images as float32 in [0, 1]."""
    return images.astype(np.float32) / 255


def binarise(images, source):
    """uint8 images as float32 of 0 and 1: 1 above half of full brightness. One log line if they had grey levels.

    Args:
        images: uint8, any shape.
        source: where they came from, for the log line.
    """
    if not np.isin(images, (0, 255)).all():
        log.info("%s: grey levels binarised at 0.5", source)
    return (images > 127).astype(np.float32)


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


def fingerprint(*arrays):
    """SHA-256 of the arrays' types, shapes and bytes, as a hexadecimal string."""
    return _add_to_digest(hashlib.sha256(), arrays)


def _add_to_digest(digest, arrays):
    for array in arrays:
        digest.update(_header(array.dtype, array.shape))
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _header(dtype, shape):
    return f"{dtype}{shape}".encode()
