"""Measures the quick grid: wall time against its arithmetic at the machine's peak; one worker, two, two of Dask."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import ROOT, Line, child, operations, peak
from common import runs

WORKERS = os.cpu_count() or 1
COMPARED = 100  # steps of a classifier where schedulers are compared, for time's sake


def arithmetic(root):
    """Counts the floating-point operations of a finished grid of one size from what its folders record."""
    from cnn import thesis_cnn
    from vae_aug import conv

    forward = operations(thesis_cnn.build((28, 28, 1), 10))
    encoder, decoder = conv.build_encoder((28, 28, 1), 3), conv.build_decoder((28, 28, 1), 3)
    total = 0
    for path in root.glob("classifiers/*/result.json"):
        result = runs.read_json(path)
        total += forward * (3 * 32 * result["steps"] + result["images"]["test"])
    for path in root.glob("models/*/*/split.json"):
        split, settings = runs.read_json(path), runs.read_json(path.parent / "config.json")["settings"]
        images = {part: sum(map(len, split[part].values())) for part in ("train", "validation")}
        total += (
            settings["epochs"]
            * (3 * images["train"] + images["validation"])
            * (operations(encoder) + operations(decoder))
        )
    for path in root.glob("gen/*/*/*.png"):
        total += operations(decoder) * (path.suffix == ".png")
    return total


@contextlib.contextmanager
def dask(folder):
    """Starts a scheduler and one single-threaded worker per core; yields the scheduler's address."""
    address_file, started = folder / "scheduler.json", []

    def launch(command, *flags):
        line = [sys.executable, "-m", f"distributed.cli.dask_{command}", *map(str, flags), "--no-dashboard"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(line, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, **quiet))

    launch("scheduler", "--host", "127.0.0.1", "--port", 0, "--scheduler-file", address_file)
    while not (address_file.exists() and address_file.read_text().endswith("}")):
        time.sleep(0.1)
    for k in range(WORKERS):
        flags = ["--nthreads", 1, "--no-nanny", "--local-directory", folder / f"worker{k}"]
        launch("worker", "--scheduler-file", address_file, *flags)
    try:
        yield json.loads(address_file.read_text())["address"]
    finally:
        for process in started:
            process.kill()
            process.wait()


def measure():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)

        def quick(name, *flags):
            return child("reproduce.py", "--quick", "--out", folder / name, *flags)[0]

        whole = quick("whole", "--jobs", WORKERS)
        few = "--steps", COMPARED
        loky, one = quick("loky", *few, "--jobs", WORKERS), quick("one", *few, "--jobs", 1)
        with dask(folder) as address:
            cluster = quick("dask", *few, "--scheduler", address)
        from common import backend

        backend.configure(42)
        work, fastest = arithmetic(folder / "whole"), peak("float32")
    ideal = work / fastest
    what = f"overhead over arithmetic at peak, {WORKERS} workers"
    detail = f"{whole:.0f} s, {work / 1e12:.1f} TFLOP at {fastest / 1e9:.0f} GFLOP/s are {ideal:.0f} s"
    yield Line("grid", what, 100 * (whole / ideal - 1), "%", "< 25", detail)
    detail = f"{one:.0f} against {loky:.0f} s, {COMPARED} steps"
    yield Line("grid", f"1 worker / {WORKERS} loky workers", one / loky, "times", "", detail)
    detail = f"{cluster:.0f} against {loky:.0f} s, start included, {COMPARED} steps"
    yield Line("grid", f"{WORKERS} Dask workers / {WORKERS} loky workers", cluster / loky, "times", "", detail)
