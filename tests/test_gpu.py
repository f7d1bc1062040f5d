"""benchmarks/gpu.py on a processor: VAEs side by side, the time limit. JAX runs in processes of its own."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from conftest import GUARD, ROOT

from benchmarks import gpu

SIDE_BY_SIDE = """
import json
import numpy as np
from benchmarks import side_by_side
from common import backend
backend.configure(3)
from vae_aug import training
classes = np.random.default_rng(0).random((10, 3, 8, 8, 1), np.float32)
model = training.build("dense", (8, 8, 1), 2, "elbo")
states = side_by_side.start(model, range(10), classes[0])
alone, together = (side_by_side.make_program(model, value) for value in (False, True))
first = [side_by_side.weights(alone(state, x, 5)) for state, x in zip(states, classes)]
both = [side_by_side.weights(state) for state in
        side_by_side.unstack(together(side_by_side.stack(states), classes, 5), 10)]
before = [side_by_side.weights(state) for state in states]
print(json.dumps({
    "apart": max(float(np.abs(a - b).max()) for a, b in zip(first, both)),
    "learned": min(float(np.abs(a - b).max()) for a, b in zip(first, before)),
    "distinct": len({w.tobytes() for w in both}),
}))
"""
needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")


def run(*command, **options):
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=GUARD, **options)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
@needs_jax
def test_ten_vaes_side_by_side_are_ten_one_after_another():
    found = json.loads(run(sys.executable, "-c", SIDE_BY_SIDE).splitlines()[-1])
    assert found["distinct"] == 10
    assert found["apart"] < 1e-4 < found["learned"]  # to rounding, which RMSprop's first steps enlarge


@pytest.mark.slow
@needs_jax
def test_the_script_measures_and_goes_on_with_the_grid(tmp_path):
    line = [str(ROOT / "benchmarks/gpu.sh"), "--side", "64", "--timed-steps", "10", "--precision", "float32"]
    line += [
        "--out",
        str(tmp_path / "gpu"),
        "--quick",
        "--arms",
        "cnn",
        "--protocol",
        "fair",
        "-e",
        "2",
        "--limte",
        "2",
        "--steps",
        "4",
    ]
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "tensorflow.py").write_text("raise ImportError('there is no TensorFlow')")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}/none:$PYTHONPATH" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    options = {"capture_output": True, "text": True, "timeout": GUARD, "cwd": tmp_path}
    options["env"] = {**os.environ, "GPU_PYTHON": str(python)}

    def call():
        ended = subprocess.run(line, **options)
        assert ended.returncode == 0, ended.stderr
        assert "CIARP Table 2: done" in ended.stdout
        return {path: path.read_bytes() for path in (tmp_path / "gpu/grid/cells").rglob("*.json")}

    records = call()
    assert records
    assert call() == records  # nothing is trained a second time
    found = json.loads((tmp_path / "gpu" / "benchmark.json").read_text())
    assert found["vaes"]["difference"] < 1e-3  # of one step, to rounding
    assert found["cnn"]["images_per_second"] > 0


def test_flags_of_the_grid_are_passed_on():
    args, passed = gpu.parse_args(["--minutes", "2", "--source", "mnist.npz", "--sizes", "50"])
    assert (args.minutes, passed) == (2, ["--source", "mnist.npz", "--sizes", "50"])


PROGRAM = """
import sys, time
if "--report" in sys.argv:
    open("reported", "w").close()
    sys.exit()
open("started", "w").close()
try:
    time.sleep({seconds})
except KeyboardInterrupt:
    open("interrupted", "w").close()
    sys.exit(130)
sys.exit({status})
"""


@pytest.fixture
def grid(tmp_path, monkeypatch):
    """Puts a program in the place of reproduce.py that sleeps and ends: `grid(seconds, status)`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gpu, "ROOT", tmp_path)
    (tmp_path / "grid").mkdir()
    (tmp_path / "grid" / "grid.json").touch()

    def write(seconds, status=0):
        (tmp_path / "reproduce.py").write_text(PROGRAM.format(seconds=seconds, status=status))
        return tmp_path / "grid"

    return write


def test_a_grid_that_fits_is_done(grid, tmp_path):
    assert gpu.run_grid(grid(0), [], 60)
    assert not (tmp_path / "reported").exists()


@pytest.mark.slow
def test_a_grid_that_does_not_fit_is_interrupted_and_reported(grid, tmp_path):
    assert not gpu.run_grid(grid(3600), [], 10 / 60)
    assert (tmp_path / "started").exists()
    assert (tmp_path / "interrupted").exists()
    assert (tmp_path / "reported").exists()


def test_a_grid_that_fails_is_one_line(grid):
    with pytest.raises(ValueError, match="the grid ended with status 2; the same command tries again what failed"):
        gpu.run_grid(grid(0, 2), [], 60)
