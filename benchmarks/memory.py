"""Measures peak resident memory: of a classifier by generated images, of VAEs by classes.

Example python -m benchmarks.memory train_cnn.py -path DATA ...
        runs a script's main in this process and prints the peak
"""

import importlib
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Line, child, report_memory, write_digits

MEGA = 1e6


def script(name, *flags):
    """Measures the peak resident bytes of a script."""
    return child("-m", "benchmarks.memory", name, *flags)[1]


def generated(folder, data, per_class):
    """Fills class folders with `per_class` images; ten file names share the bytes of one file on disk."""
    for source in (data / "train").iterdir():
        (folder / source.name).mkdir(parents=True)
        originals = sorted(source.iterdir())
        for k in range(per_class):
            os.link(originals[k % len(originals)], folder / source.name / f"{k}.png")
    return folder


def measure():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        data = write_digits(folder / "data", num_train=100, num_test=5)
        epochs = 2500  # of one step, so that a page of 100 joins in each and all 250,000 images are used
        flags = ["-path", data, "-limtr", 5, "-b", 4, "--steps", epochs, "-e", epochs]
        peaks = {}
        for per_class in (2500, 25000):
            gen = generated(folder / f"gen{per_class}", data, per_class)
            peaks[per_class] = script("train_cnn.py", *flags, "-vae", gen, "--out", folder / f"run{per_class}")
        few, many = peaks[2500] / MEGA, peaks[25000] / MEGA
        detail = f"{few:.0f} and {many:.0f} MB, every image used once or more"
        what = "train_cnn.py, 250,000 against 25,000 generated images"
        yield Line("memory", what, many - few, "MB more", "< 50", detail)

        peaks = {}
        for num_classes in (10, 40):
            data = write_digits(folder / f"classes{num_classes}", num_classes)
            flags = ["--all", "-path", data, "--latent", 3, "--epochs", 20, "--out", folder / f"models{num_classes}"]
            peaks[num_classes] = script("train_vae.py", *flags)
        few, many = peaks[10] / MEGA, peaks[40] / MEGA
        yield Line(
            "memory",
            "train_vae.py --all, 40 classes against 10",
            many - few,
            "MB more",
            "~ 0",
            f"{few:.0f} and {many:.0f} MB",
        )

        for shape in ((28, 28, 1), (64, 64, 3)):
            name = "x".join(map(str, shape))
            data = write_digits(folder / name, shape=shape, num_train=20, num_test=5)
            flags = ["-path", data, "--out", folder / f"run-{name}", "-limtr", 5, "--steps", 20, "--aug"]
            vae_flags = ["--all", "-path", data, "--images", 20, "--epochs", 5, "--out", folder / f"models-{name}"]
            yield Line("memory", f"train_cnn.py --aug, {name}", script("train_cnn.py", *flags) / MEGA, "MB")
            yield Line("memory", f"train_vae.py --all, {name}", script("train_vae.py", *vae_flags) / MEGA, "MB")


if __name__ == "__main__":
    name, *flags = sys.argv[1:]
    importlib.import_module(name.removesuffix(".py")).main(flags)
    report_memory()
