"""Measures how time grows: stage one with images per class and with classes, stage two with training images.

Example python -m benchmarks.growth --plot docs/growth.png
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import classifier
from benchmarks.measure import Line, child, write_digits
from common import backend
from images import sources

IMAGES, CLASSES, TRAINING = (5, 50, 200, 1000), (10, 50, 200), (50, 100, 200, 400)
EPOCHS = 6
LONG = 15_000  # images that a measurement sees at least, so that it lasts seconds


def seconds(folder):
    """Measures seconds at each size: {what grows: (sizes, seconds)}."""
    backend.configure(42)
    found = {}
    for what, numbers in (("images per class", IMAGES), ("classes", CLASSES), ("training images", TRAINING)):
        found[what] = numbers, [run(what, number, folder / f"{what}{number}".replace(" ", "")) for number in numbers]
    return found


def run(what, number, folder):
    """Measures seconds at size `number`: of all of stage one, of one of its epochs, or of an epoch of published AUG."""
    if what == "training images":
        data = sources.digits(seed=0)
        images = np.resize(data.x_train, (number, 28, 28, 1)).astype(np.float32) / 255
        labels = np.eye(10, dtype=np.float32)[np.resize(data.y_train, number)]
        return classifier.published_epoch("AUG", (images, labels), num_test=50)
    if what == "classes":
        data = write_digits(folder / "data", number)
        flags = ["--all", "-path", data, "--images", 5, "--latent", 3, "--epochs", EPOCHS, "--out", folder / "models"]
        return child("train_vae.py", *flags, "--gen", folder / "gen", "--count", 50)[0]
    data = write_digits(folder / "data", 1, number)
    flags = ["--all", "-path", data, "--images", number, "--latent", 3, "--epochs"]
    many = max(3, LONG // number)
    # Subtracting a training of one epoch takes out the start, which does not grow.
    once, whole = (child("train_vae.py", *flags, e, "--out", folder / f"run{e}")[0] for e in (1, 1 + many))
    return (whole - once) / many


def measure(plot=None):
    with tempfile.TemporaryDirectory() as folder:
        found = seconds(Path(folder))
    for what, (numbers, took) in found.items():
        # From the two largest sizes: at smaller ones what does not grow weighs more and makes the exponent too low.
        exponent = np.log(took[-1] / took[-2]) / np.log(numbers[-1] / numbers[-2])
        stage = "stage two" if what == "training images" else "stage one"
        detail = ", ".join(f"{number}: {second:.3g} s" for number, second in zip(numbers, took, strict=True))
        yield Line("growth", f"{stage} with {what}", exponent, "exponent", "<= 1", detail)
    if plot:
        draw(plot, found)


def draw(path, found):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), layout="constrained")
    for axes, (what, (numbers, took)) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        axes.loglog(numbers, took, "o-", color="#0072B2", label="measured")
        axes.loglog(numbers, took[-1] * np.divide(numbers, numbers[-1]), "--", color="#7F7F7F", label="linear")
        axes.set(xlabel=what, ylabel="seconds" if what == "classes" else "seconds per epoch", xticks=numbers)
        axes.set_xticklabels([f"{number:,}" for number in numbers])
        axes.minorticks_off()
        axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", help="PNG to draw")
    for line in measure(parser.parse_args().plot):
        print(line, flush=True)
