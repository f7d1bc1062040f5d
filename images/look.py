"""Looks at a folder of images before anything is trained: counts, sizes, colours, what is broken, what is there twice.

A folder holds class folders, or `train/` and `test/` with class folders in them, a given split. Needs no Keras.
"""

import functools
import hashlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
import imagehash
import numpy as np
from PIL import Image

from images import codec, folders, twins
from images.reading import Reader, is_black_and_white

SMALL = 16  # pixels a side, of the small grey versions that confirm a near-identical pair
HASHED = 64  # pixels a side to which an image is scaled before it is hashed
SHEET, THUMB = 20, 64  # images of each class on its contact sheet, and their pixels a side
BLANK = 1.0  # grey levels: an image whose pixels deviate by less shows nothing
GREY = 12.0  # levels by which the channels of a pixel differ, on average, in an image that is grey to the eye
COLOURED = 0.05  # share of coloured images from which on a folder is taken for colour
MULTIPLE, LEAST = 4, 8  # the proposed sides are multiples of 4, which the generators need, from 8 on
MOST = 64  # pixels that a side is proposed to have at most


class Seen(NamedTuple):
    """What one readable image shows."""

    shape: tuple  # (height, width, channels) as stored, upright
    coloured: bool
    blank: bool
    digest: bytes
    hash: int
    small: np.ndarray  # float32 (SMALL * SMALL,), grey levels
    thumb: np.ndarray  # uint8 (THUMB, THUMB, 3)


@dataclass
class Findings:
    """What a look at a folder found.

    Attributes:
        parts: {part: {class: paths}} of the readable images; the part is `""` where there is no split.
        passed: text on what was passed over, per part; `""` also where it lies beside the parts.
        unreadable: list of messages that name the files.
        blank: paths of images without any contrast.
        pairs: list of (path, path, exact, where), see `twins.Pair`.
        left_out: paths that a random split must not see twice; empty for a given split.
        problems: sentences on what no experiment can be made of; empty if one can.
        shapes, formats: Counters of (height, width, channels) and of file name endings.
        coloured: share of the readable images.
        size, color: proposed `(height, width)` in pixels and `"grey"` or `"rgb"`.
    """

    parts: dict
    passed: dict = field(default_factory=dict)
    unreadable: list = field(default_factory=list)
    blank: list = field(default_factory=list)
    pairs: list = field(default_factory=list)
    left_out: set = field(default_factory=set)
    problems: list = field(default_factory=list)
    shapes: Counter = field(default_factory=Counter)
    formats: Counter = field(default_factory=Counter)
    coloured: float = 0.0
    size: tuple = (LEAST, LEAST)
    color: str = "grey"

    @property
    def is_split(self):
        return "" not in self.parts

    def usable(self):
        """The images that an experiment uses: {part: {class: paths}}, without those that are left out."""
        return {
            part: {name: [path for path in paths if path not in self.left_out] for name, paths in classes.items()}
            for part, classes in self.parts.items()
        }

    def shared(self):
        """The pairs of identical images that lie on both sides of a given split."""
        return [pair for pair in self.pairs if pair[2] and pair[3] == "split"]


def survey(root):
    """Lists the parts of a folder, `{part: {class: paths}}`, and what was passed over in each, `{part: text}`.

    What lies beside `train/` and `test/` has the part `""`.

    A part is `"train"` or `"test"`, or `""` where there is no split: in a folder of class folders, or where one of the
    two parts is missing.

    Raises:
        ValueError: there are no class folders with images.
    """
    root = Path(root)
    train = folders.training_root(root)
    is_split = train != root and (root / "test").is_dir()
    roots = {part: root / part for part in ("train", "test")} if is_split else {"": train}
    found = {part: folders.survey(place) for part, place in roots.items()}
    kinds = {part: kinds + folders.beside(roots[part]) for part, (_, kinds) in found.items()}
    if train != root:
        kinds[""] = kinds.get("", Counter()) + folders.beside(root, tuple(roots) if is_split else ("train",))
    passed = {part: folders.passed_in_words(of) for part, of in kinds.items()}
    return {part: files for part, (files, _) in found.items()}, {part: text for part, text in passed.items() if text}


def look(root, on_class=None, on_image=None):
    """Reads every image of a folder once and says what is there.

    Args:
        root: the folder.
        on_class: called with part, class and thumbnails, uint8 `(count, 64, 64, 3)`, of the first images of each class.
        on_image: called after each image.

    Returns:
        `Findings`.

    Raises:
        ValueError: there are no class folders with images.
    """
    listed, passed = survey(root)
    found = Findings({part: {} for part in listed}, passed)
    paths, seen, groups = [], [], []
    binary = is_black_and_white([path for classes in listed.values() for files in classes.values() for path in files])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for part, classes in listed.items():
            for name, files in classes.items():
                reader, thumbs = Reader(files, binary=binary), []
                readable = found.parts[part][name] = []
                several = pool.map(functools.partial(see, reader=reader), files)
                for path, one in zip(files, several, strict=True):
                    if on_image:
                        on_image()
                    if isinstance(one, str):
                        found.unreadable.append(one)
                        continue
                    readable.append(path)
                    if len(thumbs) < SHEET:
                        thumbs.append(one.thumb)
                    paths.append(path)
                    seen.append(one._replace(thumb=None))
                    groups.append((part, name))
                if on_class and thumbs:
                    on_class(part, name, np.stack(thumbs))
    _sum_up(found, paths, seen, groups)
    return found


def see(path, reader):
    """Reads one image as a `Seen`; of a file that is not readable the message."""
    try:
        image = reader.read(path)
    except ValueError as error:
        return str(error)
    small = codec.convert(image, (HASHED, HASHED), "rgb") if image.shape[:2] != (HASHED, HASHED) else image
    grey = codec.convert(small, None, "grey")[..., 0]
    channels = codec.convert(small, None, "rgb").astype(np.int16)
    return Seen(
        image.shape,
        image.shape[-1] == 3 and float((channels.max(-1) - channels.min(-1)).mean()) > GREY,
        float(image.std()) < BLANK,
        hashlib.blake2b(np.ascontiguousarray(image), digest_size=16, key=str(image.shape).encode()).digest(),
        int(str(imagehash.phash(Image.fromarray(grey))), 16),
        cv2.resize(grey, (SMALL, SMALL), interpolation=cv2.INTER_AREA).astype(np.float32).reshape(-1),
        codec.convert(small, (THUMB, THUMB), "rgb"),
    )


def _sum_up(found, paths, seen, groups):
    """Fills in what follows from all images together."""
    found.shapes = Counter(one.shape for one in seen)
    found.formats = Counter(Path(path).suffix.lower() or "(none)" for path in paths)
    found.blank = [path for path, one in zip(paths, seen, strict=True) if one.blank]
    if seen:
        hashes = np.array([one.hash for one in seen], np.uint64)
        pairs = twins.find([one.digest for one in seen], hashes, np.stack([one.small for one in seen]), groups)
        blank = set(found.blank)  # of which two are alike whatever they are of
        found.pairs = [
            (paths[pair.first], paths[pair.second], pair.exact, pair.where)
            for pair in pairs
            if pair.exact or not {paths[pair.first], paths[pair.second]} & blank
        ]
        if not found.is_split:
            found.left_out = {paths[place] for place in twins.left_out(pairs, groups)}
        found.coloured = float(np.mean([one.coloured for one in seen]))
        found.size = propose_size(found.shapes)
        found.color = "rgb" if found.coloured >= COLOURED else "grey"
    found.problems = list(problems(found))


def propose_size(shapes, most=MOST):
    """Proposes a size `(height, width)` in pixels for images of several shapes.

    The median height and width, both scaled down by one factor until the longer is at most `most`, rounded to multiples
    of 4 and at least 8.

    Args:
        shapes: {(height, width, channels): number of images}.
        most: pixels.
    """
    sides = np.array([np.median(np.repeat([s[axis] for s in shapes], list(shapes.values()))) for axis in (0, 1)])
    sides = sides * min(1, most / sides.max())
    return tuple(max(LEAST, MULTIPLE * round(float(side) / MULTIPLE)) for side in sides)


def problems(found):
    """Yields a sentence for each reason why no experiment can be made of a folder."""
    usable = found.usable()
    names = {part: {name for name, paths in classes.items() if paths} for part, classes in usable.items()}
    every = sorted(set().union(*names.values()), key=folders.natural_key)
    copies = sum(pair[2] for pair in found.pairs)
    if copies and copies >= sum(found.shapes.values()) - 1:
        yield "all images are identical"
        return
    for part, classes in usable.items():
        for name, paths in classes.items():
            if not paths and found.parts[part][name]:
                yield f"class {name!r}: all of its images lie in other classes too, or are copies of one another"
            elif not paths:
                yield f"class {name!r}: none of its images{f' in {part}/' if part else ''} is readable"
    if len(every) < 2:
        yield f"1 class ({every[0]}), a classifier needs at least 2" if every else "no readable image"
    if found.is_split:
        for part, other in (("train", "test"), ("test", "train")):
            for name in every:
                if name in names[other] and name not in names[part] and name not in usable[part]:
                    yield f"class {name!r}: in {other}/ only, {part}/ has none of it"
        return
    for name in every:
        if len(usable[""][name]) == 1:
            yield f"class {name!r}: 1 image, at least 2 are needed, one to learn from and one to test"
