"""Class folders: `<root>/<class>/<name>.png`, the only thing the steps of this project exchange. Opens no file."""

import logging
import os
import re
import unicodedata
from collections import Counter
from pathlib import Path

from images.formats import EXTENSIONS

log = logging.getLogger(__name__)
PARTS = ("train", "validation", "test")
SPECIAL = "pipe or device"
DIGITS = re.compile(r"([0-9]+)")
# Folders that systems and archives leave behind, and that no one means as a class.
NO_CLASSES = {"__MACOSX", "@eaDir", "#recycle", "lost+found", "$RECYCLE.BIN", "System Volume Information"}


def natural_key(name):
    """Sorts digits by value: `example9` before `example10`, class `2` before class `10`."""
    parts = DIGITS.split(name)  # every second part is a number
    return [(0, int(part), "") if k % 2 else (1, 0, part) for k, part in enumerate(parts)], name


def check_class_name(name):
    """Refuses a class name that cannot be a visible folder inside its root. Returns the name."""
    if not name or name.startswith(".") or any(c in name for c in "/\\\0"):
        raise ValueError(f"class name {name!r} cannot be a folder name (empty, hidden, or with a path in it)")
    return name


def one_form(name):
    """Gives the composed Unicode form (NFC) of a name: macOS writes é as two characters, Linux as one."""
    return unicodedata.normalize("NFC", name)


def training_root(path):
    """Finds where `-path` has its training images: in its folder train/, or in itself.

    A class may be called train: the folder is the training part if it holds class folders, or no images.
    """
    train = Path(path) / "train"
    is_part = train.is_dir() and (_has_classes(train) or not _has_images(train))
    return train if is_part else Path(path)


def holder_of_test_part(path, folder):
    """Finds whose test part a folder is, or lies in, whatever links lead there.

    Returns:
        `path`, or the folder that holds its training images and test/, or None if the folder is of neither.
    """
    for place in (Path(path), training_root(path).parent):
        if Path(folder).resolve().is_relative_to((place / "test").resolve()):
            return place
    return None


def list_images(root, follow_links=False):
    """Lists the images of every class under `root`.

    What is passed over is said in one line, by kind and number: files that are no images, hidden ones, folders inside
    a class, empty folders, and folders that no one means as a class.

    Args:
        root: folder of class folders.
        follow_links: whether links may lead out of `root`.

    Returns:
        A dict from class name (in its composed Unicode form), in natural order, to its sorted list of paths.

    Raises:
        ValueError: `root` is no folder, has no class folder with images, has two whose names are two forms of one, or
            holds a link that leads out of it.
    """
    return {name: [Path(path) for path in paths] for name, paths in list_paths(root, follow_links).items()}


def list_paths(root, follow_links=False):
    """As `list_images`, but each path a string, which takes a fifth of the memory of a `Path`."""
    files, passed = survey(root, follow_links)
    _say_passed(root, passed)
    return files


def survey(root, follow_links=False):
    """As `list_paths`, but says nothing: returns the listing, and a Counter of what was passed over, by kind."""
    root = Path(root)
    files, passed = _survey(root, follow_links)
    if not files:
        raise ValueError(f"{root}: no class folders with images in it (expected {root}/<class>/*.png){_hint(root)}")
    return files, passed


def _survey(root, follow_links=False):
    root = Path(root)
    if not root.is_dir():
        if root.exists():
            raise ValueError(f"{root}: a file, not a folder")
        raise ValueError(f"{root}: no such folder{_hint(root)}")
    files, passed, empty = {}, Counter(), []
    for name in sorted(_subfolders(root), key=lambda name: natural_key(one_form(name))):  # on every system the same
        paths = _list_folder(root / name, root, follow_links, passed)
        if not paths:
            empty.append(name)
        elif one_form(name) in files:
            raise ValueError(f"{root / name}: two folders of this class, their names in two Unicode forms")
        else:
            files[one_form(name)] = paths
    for folder in sorted(NO_CLASSES & set(os.listdir(root))):
        passed[f"folder {folder}"] = 1
    if empty:
        passed[f"folder without images ({', '.join(empty[:5])}{', ...' if len(empty) > 5 else ''})"] = len(empty)
    return files, passed


def beside(root, parts=()):
    """Counts what lies in a folder and is neither a class folder nor a part, a Counter as of `survey`.

    Args:
        root: folder of class folders, or of `parts`.
        parts: names of the parts in it, beside which folders count too.
    """
    passed = Counter()
    passed["image beside the folders"] = len(_images(root))
    others = sorted(set(_subfolders(root)) - set(parts), key=natural_key) if parts else []
    if others:
        names = ", ".join(f"{name}/" for name in others[:5]) + (", ..." if len(others) > 5 else "")
        passed[f"folder beside {' and '.join(f'{part}/' for part in parts)} ({names})"] = len(others)
    return passed


def list_unlabelled(root, without=None):
    """Lists images whose labels are not asked for: those in class folders, and those beside such folders.

    Args:
        root: the folder.
        without: a listing {class: paths} whose files are left out, by whatever path they are reached.

    Returns:
        As `list_images`; images that lie in `root` itself are one class more, by the name of `root`.
    """
    files, passed = _survey(root)
    beside, name = Counter(), Path(root).resolve().name
    if loose := _list_folder(Path(root), Path(root), False, beside):
        files[name] = [*files.get(name, []), *loose]
    passed.update({kind: count for kind, count in beside.items() if "folder" not in kind})  # said already
    _say_passed(root, passed)
    listing = {name: [Path(path) for path in paths] for name, paths in files.items()}
    if not without:
        return listing
    taken = {path.resolve() for paths in without.values() for path in paths}
    return {name: [path for path in paths if path.resolve() not in taken] for name, paths in listing.items()}


def check_same_classes(train, test, train_root, test_root):
    """Raises a `ValueError` that names the class which one of two listings lacks, or an empty class."""
    for names, others, root in ((train, test, test_root), (test, train, train_root)):
        missing = [name for name in names if name not in others]
        if missing:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise ValueError(f"{root}: class {missing[0]!r} is missing{more}")
    for listing, root in ((train, train_root), (test, test_root)):
        empty = [name for name, paths in listing.items() if not paths]
        if empty:
            raise ValueError(f"{Path(root) / empty[0]}: no images in it")


def _list_folder(folder, root, follow_links, passed):
    """The images that lie in one folder, as strings; counts in `passed` what else lies there."""
    if os.path.islink(folder):
        _check_link(folder, root, follow_links)
    paths = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: natural_key(entry.name)):
            kind = _kind(entry)
            if kind in (None, SPECIAL) and entry.is_symlink():  # a dead link is no file
                _check_link(entry.path, root, follow_links)
            if kind is None:
                paths.append(f"{folder}/{entry.name}")
            else:
                passed[kind] += 1
                if kind == "folder inside a class":
                    passed["image in folders inside a class"] += len(_images(entry.path))
    return paths


def _kind(entry):
    """What a folder's entry is if it is no image; None for an image."""
    name = entry.name
    if name.startswith("."):
        return "hidden file"
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    if suffix in EXTENSIONS and entry.is_file():
        return None
    if entry.is_dir():
        return "system folder" if name in NO_CLASSES else "folder inside a class"
    if suffix not in EXTENSIONS:
        return f"{suffix} file" if suffix else "file without an extension"
    return SPECIAL


def passed_in_words(passed):
    """What `survey` passed over as text, e.g. `"2 hidden files, 1 .txt file"`; empty for nothing."""
    kinds = [f"{count} {_plural(kind) if count > 1 else kind}" for kind, count in passed.items() if count]
    return ", ".join(kinds[:8]) + (f" and {len(kinds) - 8} more kinds" if len(kinds) > 8 else "")


def _say_passed(root, passed):
    if words := passed_in_words(passed):
        log.info("%s: passed over %s", root, words)


def _plural(kind):
    return re.sub("file|folder|image|pipe", lambda word: f"{word[0]}s", kind, count=1)


def _check_link(path, root, follow_links):
    try:
        target = Path(path).resolve(strict=True)
    except (OSError, RuntimeError):  # a dead link, or a circle
        raise ValueError(f"{path}: a link that leads nowhere") from None
    if not follow_links and not target.is_relative_to(root.resolve()):
        raise ValueError(
            f"{path}: a link that leads out of {root} (prepare_data.py --follow-links copies what it leads to)"
        )


def _subfolders(folder):
    """The names of the visible folders in a folder that may be classes."""
    with os.scandir(folder) as entries:
        return [e.name for e in entries if e.is_dir() and not e.name.startswith(".") and e.name not in NO_CLASSES]


def _images(folder):
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if _kind(entry) is None]


def _has_images(folder):
    with os.scandir(folder) as entries:
        return any(_kind(entry) is None for entry in entries)


def _has_classes(folder):
    """Whether a folder is there and holds folders with images."""
    return folder.is_dir() and any(_has_images(folder / name) for name in _subfolders(folder))


def _hint(root):
    """Says what to give in place of a folder that has no class folders with images; begins with a semicolon."""
    if not root.is_dir() or not _subfolders(root):
        return _hint_of_none(root)
    inside = [name for name in _subfolders(root) if _has_classes(root / name)]
    if not inside:
        return ""
    split = "it is split already: " if inside[0] in PARTS else ""
    return f"; {split}{root / inside[0]} holds class folders, give that"


def _hint_of_none(root):
    """As `_hint`, of a folder that is missing or has no folders in it."""
    parent = root.parent
    if root.is_dir() and _has_images(root):
        return "; its images lie loose, each class needs a folder of its own"
    if root.name in PARTS and parent.is_dir() and _subfolders(parent):
        given = next((parent / part for part in PARTS if part != root.name and _has_classes(parent / part)), parent)
        given = given if _has_classes(given) else None
        fraction = " --validation-fraction 0.1" if root.name == "validation" else ""
        return (
            given and f"; prepare_data.py --folder {given} --out NEW{fraction} makes it from the class folders there"
        ) or ""
    return f"; python prepare_data.py --dataset digits --out {parent if root.name in PARTS else root} makes some to try"
