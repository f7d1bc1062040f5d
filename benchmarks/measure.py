"""Holds what the benchmarks share: lines of results, clocks, the machine's peak, child processes, data."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from images import codec, sources

ROOT = Path(__file__).resolve().parent.parent
SIDE, PRODUCTS = 2048, 8  # of the matrices whose products are the peak; eight, for copying takes time too


@dataclass
class Line:
    """One measured ratio.

    Attributes:
        subject, what: the benchmark that it belongs to, and the ratio's two sides.
        value, unit: the number and what it counts, e.g. `"times"`, `"of peak"`, `"MB"`.
        target: the value that it should reach, or "".
        detail: the numbers that it was computed from.
    """

    subject: str
    what: str
    value: float
    unit: str
    target: str = ""
    detail: str = ""

    def __str__(self):
        target = f" (target {self.target})" if self.target else ""
        return f"{self.subject:<14}{self.what:<62}{self.value:>9.3g} {self.unit}{target}; {self.detail}"


def best(function, repeats=3):
    """Measures the fastest of several calls (seconds): other load of the machine can only slow a call down."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def steps_per_second(train, window=10):
    """Measures steps per second over the fastest `window` steps in a row of a training.

    `train(on_step)` trains and calls `on_step` after each step. The beginning and the end of the training are left out.
    A window takes about as long as a measurement of the peak.
    """
    ends = []
    train(lambda: ends.append(time.perf_counter()))
    return window / np.min(np.subtract(ends[window:], ends[:-window]))


def peak(dtype):
    """Measures operations per second of products of square matrices in `"float32"` or `"bfloat16"` in Keras."""
    import keras

    products = [keras.layers.Dense(SIDE, use_bias=False, dtype=dtype) for _ in range(PRODUCTS)]
    multiply = keras.Sequential([keras.Input((SIDE,)), *products])
    matrix = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    multiply.predict_on_batch(matrix)
    return PRODUCTS * 2 * SIDE**3 / best(lambda: multiply.predict_on_batch(matrix), 10)


def operations(model):
    """Counts the floating-point operations of a forward pass of one image, two for each multiplication in its products.

    A training step does three times as many: the backward pass multiplies with the inputs and with the weights too.
    """
    import keras

    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += operations(layer)
        elif isinstance(layer, keras.layers.Conv2DTranspose):
            total += 2 * np.prod(layer.input.shape[1:3]) * np.prod(layer.kernel.shape)
        elif isinstance(layer, keras.layers.Conv2D):
            total += 2 * np.prod(layer.output.shape[1:3]) * np.prod(layer.kernel.shape)
        elif isinstance(layer, keras.layers.Dense):
            total += 2 * np.prod(layer.kernel.shape)
    return float(total)


def child(*command):
    """Runs a Python command line to its end: (seconds, peak resident bytes, printed text); raises as `printed` does."""
    started = time.perf_counter()
    out = "".join(printed(*command))
    return time.perf_counter() - started, peak_memory(out), out


def printed(*command):
    """Runs a Python command line and yields each line as soon as it is printed.

    Raises:
        RuntimeError: the command failed; the text is the end of its standard error.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
        )
        with process:
            yield from process.stdout
        if process.returncode:
            err.seek(0)
            raise RuntimeError(f"{' '.join(map(str, command))}: {err.read()[-2000:]}")


def report_memory():
    """Prints the peak memory of this process; a child calls it last, and `peak_memory` finds the line."""
    print(f"peak resident kilobytes: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}", flush=True)


def peak_memory(printed):
    lines = [line for line in printed.splitlines() if line.startswith("peak resident kilobytes: ")]
    return 1024 * int(lines[-1].split()[-1]) if lines else None


def last_json(printed):
    return json.loads(printed.strip().splitlines()[-1])


def write_digits(root, num_classes=10, num_train=5, num_test=1, shape=(28, 28, 1)):
    """Writes real digits as class folders; beyond the digits that there are, they repeat a little brighter."""
    data = sources.digits(seed=0, side=shape[0])
    for part, x, y, count in (
        ("train", data.x_train, data.y_train, num_train),
        ("test", data.x_test, data.y_test, num_test),
    ):
        for k in range(num_classes):
            own = x[y == k % 10]
            images = own[(np.arange(count) + 7 * (k // 10)) % len(own)]
            images = np.maximum(images, np.arange(count)[:, None, None] // len(own)).astype(np.uint8)
            images = np.repeat(images[..., None], shape[-1], axis=-1)
            codec.write_images(Path(root) / part / str(k), range(count), images)
    return Path(root)
