"""Measures whether bfloat16 changes the scores: macro F1 on digits against float32, seed by seed."""

import argparse
import tempfile
from pathlib import Path

from benchmarks.measure import Line, child
from report import results, statistics

SEEDS, STEPS = 10, 300


def measure(out=None):
    with tempfile.TemporaryDirectory() as folder:
        scores = {}
        for precision in ("float32", "mixed_bfloat16"):
            root = Path(out or folder) / precision
            flags = ["--dataset", "digits", "--sizes", 50, "--arms", "cnn", "--parts", "arms", "--seeds", SEEDS]
            flags += ["--steps", STEPS, "-e", 10, "--limte", -1, "--precision", precision, "--out", root]
            child("reproduce.py", "thesis", *flags)
            scores[precision] = results.collect(root).set_index("seed")["f1"]
    found = statistics.summary(100 * (scores["mixed_bfloat16"] - scores["float32"]).to_numpy())
    means = " and ".join(f"{100 * values.mean():.2f}" for values in scores.values())
    detail = (
        f"95 % interval {found.low:+.2f} to {found.high:+.2f}; {found.n} seeds, 50 digits, {STEPS} steps; means {means}"
    )
    yield Line("precision", "macro F1, bfloat16 - float32, paired", found.mean, "points", "~ 0", detail)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", help="folder to keep the runs in; a run goes on where it stopped")
    for line in measure(parser.parse_args().out):
        print(line)
