"""Folders of random names, formats, sizes and damage: every run ends well, or with one line and status 2. Slow."""

import shutil
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import run_here
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.slow
NAMES = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=20)
CLASSES = st.one_of(
    st.sampled_from(["cat", "train", "test", "joint", "-rf", "__MACOSX", "caf\u00e9", "e\u0301"]), NAMES
)
KINDS = st.sampled_from([".png", ".jpg", ".bmp", ".webp", ".tif", ".gif", ".pgm", ".txt", ".PNG", ""])
DAMAGE = st.sampled_from(["none", "none", "none", "cut", "zeros", "byte", "empty", "text"])
FILE = st.tuples(NAMES, KINDS, st.integers(0, 20), st.integers(1, 20), st.sampled_from([1, 3, 4]), DAMAGE)
FOLDER = st.dictionaries(CLASSES, st.lists(FILE, max_size=8), max_size=4)
FLAGS = st.sampled_from([[], ["--skip-unreadable"], ["--validation-fraction", "0.3"], ["--test-fraction", "0.5"]])


def encode(kind, height, width, channels, damage, seed):
    """Bytes of an image of noise, or of what is left of one."""
    if damage == "empty":
        return b""
    if damage == "text" or kind in (".txt", "") or height == 0:
        return b"no image"
    image = np.random.default_rng(seed).integers(256, size=(height, width, channels), dtype=np.uint8)
    kind = ".png" if kind.lower() in (".png", ".gif", ".pgm") else kind  # what OpenCV writes, under a name of its own
    data = bytearray(cv2.imencode(kind, image[..., :3] if kind == ".jpg" else image)[1])
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "zeros":
        data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    elif damage == "byte":
        data[len(data) // 2] ^= 0x55
    return bytes(data)


def write(root, folder):
    """Writes what can be written; a file system refuses some names."""
    for seed, (name, files) in enumerate(folder.items()):
        try:
            (root / name).mkdir(parents=True, exist_ok=True)
            for stem, kind, *shape, damage in files:
                (root / name / (stem + kind)).write_bytes(encode(kind, *shape, damage, seed))
        except OSError:
            continue


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(FOLDER, FLAGS)
def test_any_folder_is_prepared_or_refused_in_one_line(folder, flags):
    place = Path(tempfile.mkdtemp())
    try:
        (place / "photographs").mkdir()
        write(place / "photographs", folder)
        before = {path: path.read_bytes() for path in (place / "photographs").rglob("*") if path.is_file()}
        ended = run_here("prepare_data.py", "--folder", place / "photographs", "--out", place / "out", *flags)
        assert {path: path.read_bytes() for path in before} == before
        if ended.returncode == 0:
            assert (place / "out" / "dataset.json").exists()
            assert (place / "out" / "train").is_dir()
            return
        assert ended.returncode == 2, ended.stderr
        errors = [line for line in ended.stderr.splitlines() if ": error: " in line]
        assert len(errors) == 1
        assert "Traceback" not in ended.stderr
        assert {entry.name for entry in place.iterdir()} == {"photographs"}
    finally:
        shutil.rmtree(place)
