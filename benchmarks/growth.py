"""How time grows: stage one with images a class and with classes, stage two with training images; the exponents.

Example python -m benchmarks.growth --plot docs/growth.png
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measure import Line, child, write_digits

IMAGES, CLASSES, TRAINING = (5, 50, 200, 1000), (10, 50, 200), (50, 200, 800)
EPOCHS = 6


def seconds(folder):
    """{what: (numbers, seconds)}."""
    found = {}
    for what, numbers in (("images a class", IMAGES), ("classes", CLASSES), ("training images", TRAINING)):
        found[what] = numbers, [run(what, number, folder / f"{what}{number}".replace(" ", "")) for number in numbers]
    return found


def run(what, number, folder):
    """Seconds that grow with `number`: of stage one, or of one epoch of the published AUG arm."""
    if what == "training images":
        data = write_digits(folder / "data", num_train=number // 10, num_test=5)
        flags = ["-path", data, "-limtr", -1, "--protocol", "published", "--aug", "-e"]
        short, long = (child("train_cnn.py", *flags, e, "--out", folder / f"run{e}")[0] for e in (1, 2))
        return long - short
    classes, images = (number, 5) if what == "classes" else (2, number)
    data = write_digits(folder / "data", classes, images)
    flags = ["--all", "-path", data, "--images", images, "--latent", 3, "--epochs"]
    whole, _, _ = child(
        "train_vae.py", *flags, EPOCHS, "--out", folder / "models", "--gen", folder / "gen", "--count", 50
    )
    if what == "classes":
        return whole
    once, _, _ = child("train_vae.py", *flags, 1, "--out", folder / "models1")
    return whole - once


def measure(plot=None):
    with tempfile.TemporaryDirectory() as folder:
        found = seconds(Path(folder))
    for what, (numbers, took) in found.items():
        # Of the largest two: below, what does not grow weighs more, and the exponent would flatter.
        exponent = np.log(took[-1] / took[-2]) / np.log(numbers[-1] / numbers[-2])
        stage = "stage two" if what == "training images" else "stage one"
        detail = ", ".join(f"{number}: {second:.1f} s" for number, second in zip(numbers, took, strict=True))
        yield Line("growth", f"{stage} with {what}", exponent, "exponent", "<= 1", detail)
    if plot:
        draw(plot, found)


def draw(path, found):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), layout="constrained")
    for axes, (what, (numbers, took)) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        axes.loglog(numbers, took, "o-", color="#0072B2", label="measured")
        axes.loglog(numbers, took[-1] * np.divide(numbers, numbers[-1]), "--", color="#7F7F7F", label="linear")
        axes.set(xlabel=what, ylabel="seconds")
        axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", help="PNG to draw")
    for line in measure(parser.parse_args().plot):
        print(line, flush=True)
