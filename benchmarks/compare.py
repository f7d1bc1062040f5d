"""Measures compare.py: its wall time against the time that its cells take, on real digits."""

import os
import tempfile
from pathlib import Path

from benchmarks.measure import Line, child
from report import results

WORKERS, STEPS, SPLITS = os.cpu_count() or 1, 300, 2
ARMS = ("plain", "neighbours", "copies", "classic", "mixup", "smote", "cdcvae", "classic+cdcvae")


def measure():
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "data", Path(folder) / "out"
        child("prepare_data.py", "--dataset", "digits", "--limit-train", 20, "--limit-test", 20, "--out", data)
        flags = ["--steps", STEPS, "--seeds", SPLITS, "--jobs", WORKERS, "--arms", *ARMS]
        wall = child("compare.py", "-path", data, *flags, "--out", out)[0]
        cells = sum(record["seconds"] for _, record in results.records(out))
    what = f"wall time over the time of its cells, {WORKERS} workers"
    detail = f"{wall:.0f} s, cells of {cells:.0f} s on {WORKERS} workers, {STEPS} steps, {SPLITS} splits"
    yield Line("compare", what, wall * WORKERS / cells, "times", "< 1.3", detail)
