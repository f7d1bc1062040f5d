"""Measures what a run costs, as ratios: `python -m benchmarks --help`. One file per subject; no test asserts a time."""
