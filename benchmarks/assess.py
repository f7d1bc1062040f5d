"""Measures assess.py: pixels and a classifier's space of as many images as the paper asks for, beside as many."""

import tempfile
from pathlib import Path

from benchmarks.measure import Line, child, write_digits

IMAGES, CLASSES, WIDTH = 10_000, 10, 0.25  # of each of the two folders; 28x28 grey


def measure():
    with tempfile.TemporaryDirectory() as folder:
        data, gen, run = (Path(folder) / name for name in ("data", "gen", "run"))
        write_digits(data, CLASSES, num_train=IMAGES // CLASSES)
        child("generate.py", "--sampler", "rotate", "-path", data, "-out", gen)
        network = ["--model", "vgg", "--width", WIDTH, "-limtr", 4, "-limte", 1, "--steps", 1]
        child("train_cnn.py", "-path", data, *network, "--out", run)
        spaces = ["--features", "pixels", "classifier", "--classifier", run, "--steps", 0]
        # Without a test part, so that the yardstick of copies is of all real images, too.
        wall = child("assess.py", "-real", data / "train", "-gen", gen, *spaces, "--out", Path(folder) / "out")[0]
    what = f"{IMAGES:,} images beside {IMAGES:,}, pixels and classifier"
    detail = f"28x28 grey, the whole command with its imports, VGG-Net of width {WIDTH}"
    yield Line("assess", what, wall, "s", "< 60", detail)
