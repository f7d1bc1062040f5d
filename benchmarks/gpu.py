"""Measures a GPU on the JAX back end, then runs as much of CIARP's Table 2 as fits a time limit. No TensorFlow needed.

Reads   what ./reproduce.sh thesis reads: --dataset, --source or -path
Writes  <out>/benchmark.json (peak, images per second of the CNN, ten VAEs side by side and one after another) and
        <out>/grid, a grid of ./reproduce.sh thesis: one seed, both protocols

Run it again and it goes on where it was. Flags that it does not know go to ./reproduce.sh thesis.

Example benchmarks/gpu.sh --minutes 8 --source mnist.npz
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.measure import ROOT, best, operations
from common import backend, cli, runs
from common.errors import BadInput
from images import codec, sources

GRID = ("--protocol", "both", "--seeds", "1", "--parts", "arms", "--jobs", "1")
GRACE = 120  # seconds in which an interrupted grid has to end


def parse_args(argv=None):
    """The flags of this script, and those that are passed on."""
    parser = cli.ArgumentParser(__doc__)
    parser.prog = "benchmarks/gpu.sh"
    parser.add_argument("--minutes", type=cli.positive_float, default=8, help="time limit of the grid")
    parser.add_argument("--out", default="runs/gpu", help="folder to write into")
    parser.add_argument("--precision", choices=backend.PRECISIONS, default="mixed_bfloat16", help="of the CNN")
    parser.add_argument("--side", type=cli.positive, default=8192, help="of the matrices whose products are the peak")
    parser.add_argument("--timed-steps", type=cli.positive, default=300, help="of each training that is timed")
    parser.add_argument("--measure-only", action="store_true", help="run no grid")
    return parser.parse_known_args(argv)


def peak(dtype, side, products=8):
    """Measures operations per second of products of square matrices, on the device that JAX uses."""
    import jax

    matrix = jax.numpy.asarray(np.random.default_rng(0).random((side, side), np.float32) / side).astype(dtype)

    @jax.jit
    def multiply(start):
        return jax.lax.fori_loop(0, products, lambda _, current: current @ matrix, start)

    multiply(matrix).block_until_ready()
    return products * 2 * side**3 / best(lambda: multiply(matrix).block_until_ready(), 5)


def classifier(digits, labels, steps, fastest):
    """Measures the thesis' CNN as train_cnn.py trains it, batches of 32, batches made on the processor included.

    Args:
        digits: float32 `(num_images, 28, 28, 1)` in [0, 1].
        labels: one-hot, float32 `(num_images, 10)`.
        steps: optimiser steps.
        fastest: operations per second of the peak.

    Returns:
        dict of `images_per_second` and `of_peak`.
    """
    from cnn import injection, protocols, thesis_cnn, training

    model = thesis_cnn.build(digits.shape[1:], labels.shape[1])
    schedule = protocols.fair("CNN", epochs=1, steps=steps)
    training.compile_classifier(model, steps)

    def train():
        training.train(model, injection.batches((digits, labels), None, schedule, 0), schedule)

    train()  # compiles
    rate = 32 * steps / best(train, 2)
    return {"images_per_second": rate, "of_peak": 3 * operations(model) * rate / fastest}


def vaes(classes, steps):
    """Measures ten VAEs side by side against one after another, and how far their weights are apart.

    Args:
        classes: float32 `(num_classes, num_images, height, width, channels)` in [0, 1].
        steps: optimiser steps of each VAE.

    Returns:
        dict of the rates (images per second, all classes), their ratio, and how far the weights are apart after one
        step: the norm of the difference over the norm of what the step changed, the largest of all classes. RMSprop's
        steps are as long where a gradient is nothing but rounding, so that the two ways drift apart after that.
    """
    import jax

    from benchmarks import side_by_side
    from vae_aug import training

    model = training.build("conv", classes.shape[2:], 3)
    states = side_by_side.start(model, range(len(classes)), classes[0])
    alone, together = (side_by_side.make_program(model, value) for value in (False, True))

    def one_after_another(number=steps):
        trained = [alone(state, images, number) for state, images in zip(states, classes, strict=True)]
        return jax.block_until_ready(trained)

    stacked = side_by_side.stack(states)
    at_once = side_by_side.unstack(together(stacked, classes, 1), len(classes))
    triples = [tuple(map(side_by_side.weights, of)) for of in zip(states, one_after_another(1), at_once, strict=True)]
    images = steps * classes.shape[0] * classes.shape[1]
    slow = images / best(one_after_another, 2)
    fast = images / best(lambda: jax.block_until_ready(together(stacked, classes, steps)), 2)
    return {
        "images_per_second": fast,
        "one_after_another": slow,
        "ratio": fast / slow,
        "difference": max(float(np.linalg.norm(a - b) / np.linalg.norm(a - before)) for before, a, b in triples),
    }


def measure(precision, side, steps):
    """Measures the device; returns a dict for benchmark.json."""
    backend.configure(42, precision=precision)
    import jax
    import keras

    dtype = precision.removeprefix("mixed_")
    data = sources.digits(seed=0)
    digits, labels = codec.to_float(data.x_train[..., None]), np.eye(10, dtype=np.float32)[data.y_train]
    found = {"device": str(jax.devices()[0].device_kind), "precision": precision}
    found["peak"] = {name: peak(name, side) for name in dict.fromkeys(("float32", dtype))}
    found["cnn"] = classifier(digits, labels, steps, found["peak"][dtype])
    keras.config.set_dtype_policy("float32")
    found["vaes"] = vaes(np.stack([digits[data.y_train == k][:4] for k in range(10)]), steps)
    return found | {"environment": runs.environment()}


def run_grid(out, flags, minutes):
    """Runs the grid until it is done or the time is over; returns whether it is done.

    Raises:
        BadInput: it failed.
    """
    command = [sys.executable, str(ROOT / "reproduce.py"), "thesis", *GRID, *flags, "--out", str(out)]
    process = subprocess.Popen(command)
    try:
        status = process.wait(timeout=60 * minutes)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # what is unfinished is removed, what is done stays
        try:
            process.wait(timeout=GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if (out / "grid.json").exists():
            subprocess.run([*command[:3], "--out", str(out), "--report"], check=False)
        return False
    if status:
        raise BadInput(f"{out}: the grid ended with status {status}; the same command tries again what failed")
    return True


def main(argv=None):
    args, passed = parse_args(argv)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "benchmark.json").exists():
        runs.write_json(out / "benchmark.json", measure(args.precision, args.side, args.timed_steps))
    found = runs.read_json(out / "benchmark.json")
    for dtype, rate in found["peak"].items():
        print(f"{found['device']}: peak {dtype} {rate / 1e12:.3g} TFLOP/s")
    cnn, ten = found["cnn"], found["vaes"]
    print(f"CNN, {found['precision']}: {cnn['images_per_second']:.0f} images/s, {cnn['of_peak']:.2f} of the peak")
    print(f"ten VAEs side by side: {ten['images_per_second']:.0f} images/s, {ten['ratio']:.1f} times one after another")
    if args.measure_only:
        return
    started = time.monotonic()
    flags = ["--precision", args.precision, *passed]
    done = run_grid(out / "grid", flags, args.minutes)
    print(f"CIARP Table 2: {'done' if done else 'not done'} after {(time.monotonic() - started) / 60:.1f} min")
    if not done:
        print("The same command goes on with it")


if __name__ == "__main__":
    cli.run(main)
