"""Measures stage one, ten VAEs on 5 images per class and 25,000 PNGs: one command against the released way."""

import tempfile
from pathlib import Path

from benchmarks.measure import Line, child, last_json, write_digits

SLICE = 100  # images that the released way writes; 2,500 per class would take minutes


def measure():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_digits(folder / "data")
        flags = ["--all", "-path", folder / "data", "--images", 5, "--latent", 3]
        ours, _, _ = child("train_vae.py", *flags, "--out", folder / "models", "--gen", folder / "gen")
        whole, _, printed = child("-m", "benchmarks.released", folder / "data", "3", SLICE, folder / "released")
    images = last_json(printed)["images"]
    theirs = 10 * (whole + images * (2500 / SLICE - 1))
    detail = (
        f"{ours:.1f} s here; the released way {theirs:.0f} s, scaled from one class ({whole - images:.1f} s) and "
        f"{SLICE} images ({1000 * images / SLICE:.0f} ms each)"
    )
    yield Line("stage one", "released way / train_vae.py --all --gen", theirs / ours, "times", ">= 20", detail)
