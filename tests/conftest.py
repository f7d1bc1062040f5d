"""Real images for the tests: scikit-learn's digits as class folders, small enough for two cores."""

import contextlib
import importlib
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # a process a core already: threads of theirs would only get in each other's way
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background, and so in what the tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # bit-equal reruns are asserted, which GPUs need not give
os.environ["KERAS_BACKEND"] = "tensorflow"  # tests of the others start processes of their own

import numpy as np
import pytest

from images import codec, sources

TESTS = Path(__file__).resolve().parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"}
ROOT = TESTS.parent
GUARD = 3600  # seconds after which a wait is a deadlock: a loaded machine must not fail a test


def write_digits(root, classes=(0, 1, 2), num_train=8, num_test=4, side=12):
    """Writes real digits as `root/train/<digit>/*.png` and `root/test/<digit>/*.png`, grey, `side` x `side` pixels."""
    data = sources.digits(seed=0, side=side)
    for part, x, y, count in (("train", *data[:2], num_train), ("test", *data[2:4], num_test)):
        for label in classes:
            rows = np.flatnonzero(y == label)[:count]
            codec.write_images(Path(root) / part / str(label), [f"example{k}" for k in rows], x[rows][..., None])
    return Path(root)


@pytest.fixture
def digits(tmp_path):
    """Folder with 3 classes of 8 training and 4 test digits, 12x12 grey."""
    return write_digits(tmp_path / "data")


@pytest.fixture
def script():
    """Runs a script in a process of its own: `script("generate.py", "--count", 3)` gives a CompletedProcess."""

    def run(name, *flags, **options):
        command = [sys.executable, str(ROOT / name), *map(str, flags)]
        return subprocess.run(command, capture_output=True, text=True, timeout=GUARD, **options)

    return run


def run_here(name, *flags):
    """Runs a script in this process, where its libraries are loaded already: `run_here("generate.py", "--count", 3)`.

    Gives a CompletedProcess, as `script` does, but its standard error lacks what the rooms log: pytest keeps that.
    """
    from common import cli

    out, err, status = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", [name, *map(str, flags)])
        try:
            cli.run(importlib.import_module(Path(name).stem).main)
        except SystemExit as ended:
            status = ended.code or 0
    return subprocess.CompletedProcess(flags, status, out.getvalue(), err.getvalue())


def reproduce_here(*flags):
    return run_here("reproduce.py", *flags)


def wait_until(condition, seconds=GUARD):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def kill_while_it_trains(name, out, *flags):
    """Starts a training script in a process of its own and kills it once its run folder is begun; no `out` is left."""
    line = [sys.executable, ROOT / name, *flags, "--epochs", 100_000, "--out", out]
    process = subprocess.Popen(list(map(str, line)), env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    wait_until(lambda: list(out.parent.glob(f".{out.name}.partial-*")) or process.poll() is not None)
    assert process.poll() is None
    process.kill()
    process.wait()
    assert not out.exists()


@pytest.fixture
def dask(tmp_path, monkeypatch):
    """A Dask scheduler and two workers, each with a disk of its own: (address, workers)."""
    pytest.importorskip("distributed")
    import dask_cluster

    from grid import cluster as pool

    monkeypatch.setattr(pool, "TIMEOUT", GUARD)

    with dask_cluster.running(tmp_path) as cluster:
        yield cluster.address, cluster.workers
