"""Reads many image files one after another: by the same levels, with all damaged ones named."""

import contextlib
import functools
import logging
import os
from collections import Counter
from pathlib import Path

from images.codec import White, as_bytes, convert
from images.folders import PARTS
from images.formats import EXTENSIONS, is_deep, load

log = logging.getLogger(__name__)
MOST_NAMED = 10  # damaged files, each in a line


class Reader:
    """Gives `(place, image)` for each of many files, and says in one line each what was converted or is odd.

    Every file is brought to 8 bits by the same levels: files of 16 bits by the range that the whole data set uses, 1,
    255, 1023, 4095 or another power of two less one, and files in which nothing is brighter than 1 as black and white.

    Args:
        paths: image files.
        size: optional `(height, width)` in pixels that every image is scaled to.
        color: optional `"grey"` or `"rgb"` that every image is converted to.
        levels: the level of 16-bit files that is white; found by looking at the data set if None.
        binary: whether the files have the levels 0 and 1 alone; found by looking at `paths` if None.
        skip: whether damaged files are passed over and said, not an error.

    Attributes:
        skipped: how many damaged files the last pass passed over.
    """

    def __init__(self, paths, size=None, color=None, levels=None, skip=False, *, binary=None):
        self.paths, self.size, self.color, self.levels, self.skip = paths, size, color, levels, skip
        self.skipped = 0
        self._eight = 1 if (is_black_and_white(paths) if binary is None else binary) else 255

    def __iter__(self):
        """Reads every file once, and yields its place in the list and uint8 `(height, width, channels)`.

        Raises:
            ValueError: files are no readable images; all of them have been looked at, and the first ten named.
        """
        notes, brightest, self.skipped, damaged = Counter(), 0, 0, []
        for place, path in enumerate(self.paths):
            found = set()
            try:
                image = self.read(path, found)
            except ValueError as error:
                damaged.append(str(error))
                continue
            notes.update(found)
            brightest = max(brightest, int(image.max(initial=0)))
            if self.skip or not damaged:  # after an error the rest is only looked at
                yield place, image
        self._report(damaged)
        root = _root(self.paths[0])
        for note, count in sorted(notes.items()):
            log.info("%s: %s (%d of %d files)", root, note, count, len(self.paths))
        if brightest < 64:
            log.info("%s: all images are dark: the brightest level is %d of 255", root, brightest)

    def read(self, path, notes=None):
        """Reads one file as the pass reads it. `notes` is a set that collects a word for each conversion."""
        notes = set() if notes is None else notes
        image = load(path, notes)
        if image.dtype.itemsize == 2 and self.levels is None:
            self.levels = _levels_in_use(_class_folders(path))
        return convert(as_bytes(image, White(self._eight, self.levels), notes), self.size, self.color)

    def _report(self, damaged):
        if not damaged:
            return
        if len(damaged) == 1 and not self.skip:
            raise ValueError(damaged[0])
        for line in damaged[:MOST_NAMED]:
            log.warning("%s", line)
        more = f", {MOST_NAMED} of them named" if len(damaged) > MOST_NAMED else ""
        count = f"{_root(self.paths[0])}: {len(damaged)} of {len(self.paths)} files are not readable{more}"
        if not self.skip:
            raise ValueError(f"{count}; mend or remove them (prepare_data.py --skip-unreadable passes them over)")
        if len(damaged) == len(self.paths):
            raise ValueError(count)
        log.warning("%s, passed over", count)
        self.skipped = len(damaged)


def white_level(paths):
    """Finds the level of 16-bit files that is white in the data set of these files; None if none has 16 bits."""
    deep = next((path for path in paths if is_deep(path)), None)
    return None if deep is None else _levels_in_use(_class_folders(deep))


def _root(path):
    return Path(path).parent.parent


def is_black_and_white(paths):
    """Whether the files hold the levels 0 and 1 alone, as masks do. Looks at files until one has another level."""
    brightest = 0
    for path in paths:
        with contextlib.suppress(ValueError):
            image = load(path, set())
            brightest = max(brightest, int(image.max(initial=0)))
            if brightest > 1 or image.dtype.itemsize == 2:
                return False
    return brightest == 1


def has_black_and_white(paths):
    """Whether files with the levels 0 and 1 alone are black and white in this data set.

    Looks at files until one has a level between black and white.

    Returns:
        True of such files, False of files with other levels, and None of files with 0 and 255 alone, which may have
        been such files before they were prepared.
    """
    brightest = 0
    for path in paths:
        with contextlib.suppress(ValueError):
            image = load(path, set())
            if image.dtype.itemsize == 2 or ((image > 1) & (image < 255)).any():
                return False
            brightest = max(brightest, int(image.max(initial=0)))
    return True if brightest == 1 else None


def _class_folders(path):
    """The class folders of the data set that `path` is a file of, those of its other parts included, each with its
    time of change.
    """
    root = _root(os.path.abspath(path))
    roots = [root.parent / part for part in PARTS] if root.name in PARTS else [root]
    return tuple(
        (entry.path, entry.stat().st_mtime_ns)
        for part in roots
        if part.is_dir()
        for entry in sorted(os.scandir(part), key=lambda entry: entry.name)
        if entry.is_dir() and not entry.name.startswith(".")
    )


@functools.lru_cache(maxsize=8)
def _levels_in_use(class_folders):
    """The least power of two less one that no level of a data set's 16-bit files is above."""
    brightest = 0
    for folder, _ in class_folders:
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if os.path.splitext(name)[1].lower() not in EXTENSIONS or not os.path.isfile(path) or not is_deep(path):
                continue
            with contextlib.suppress(ValueError):  # a damaged file is named when its turn comes
                image = load(path, set())
                if image.dtype.itemsize == 2:
                    brightest = max(brightest, int(image.max(initial=0)))
            if brightest > 32767:
                return 65535
    return 2 ** brightest.bit_length() - 1 if brightest else 65535
