"""Class folders: `<root>/<class>/<name>.png`, the only thing the steps of this project exchange. Opens no file."""

import logging
import os
import re
from pathlib import Path

from images.codec import EXTENSIONS

log = logging.getLogger(__name__)


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
    return {name: [Path(path) for path in paths] for name, paths in list_paths(root).items()}


def list_paths(root):
    """As `list_images`, but each path a string, which takes a fifth of the memory of a `Path`."""
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder")
    inside = root.resolve()
    names = (entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    files, skipped = {}, 0
    for name in sorted(names, key=natural_key):
        entries = sorted(os.listdir(root / name), key=natural_key)
        images = [e for e in entries if Path(e).suffix.lower() in EXTENSIONS and not e.startswith(".")]
        files[name] = [f"{root}/{name}/{image}" for image in images]
        skipped += len(entries) - len(files[name])
        for path in [str(root / name), *files[name]]:
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
