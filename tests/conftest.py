"""Real images for the tests: scikit-learn's digits as class folders, small enough for two cores."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # bit-equal reruns are asserted, which GPUs need not give

import numpy as np
import pytest

from images import folders, sources

ROOT = Path(__file__).resolve().parent.parent


def write_digits(root, classes=(0, 1, 2), num_train=8, num_test=4, side=12):
    """Writes real digits as `root/train/<digit>/*.png` and `root/test/<digit>/*.png`, grey, `side` x `side` pixels."""
    data = sources.digits(seed=0, side=side)
    for part, x, y, count in (("train", *data[:2], num_train), ("test", *data[2:4], num_test)):
        for label in classes:
            rows = np.flatnonzero(y == label)[:count]
            folders.write_images(Path(root) / part / str(label), [f"example{k}" for k in rows], x[rows][..., None])
    return Path(root)


@pytest.fixture
def digits(tmp_path):
    """Folder with 3 classes of 8 training and 4 test digits, 12x12 grey."""
    return write_digits(tmp_path / "data")


@pytest.fixture
def script():
    """Runs a script in a process of its own: `script("generate.py", "--count", 3)` gives a CompletedProcess."""
    import subprocess

    def run(name, *flags, **options):
        command = [sys.executable, str(ROOT / name), *map(str, flags)]
        return subprocess.run(command, capture_output=True, text=True, timeout=240, **options)

    return run
