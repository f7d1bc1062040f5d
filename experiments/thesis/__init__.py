"""The grid of Garay-Maestre's thesis and of the CIARP paper: trainings, tables, figures, one page.

Reads   a data set or a folder with train/<class>/ and test/<class>/
Writes  <out>/: data, models, gen, classifiers, ... (a folder per cell), cells/ (a record and a log each), report/

Run it again and it goes on where it was, or grows by seeds, sizes, latents and arms.

Example ./reproduce.sh thesis --sizes 50 --latent 3 --seeds 5 --parts arms --precision mixed_bfloat16
        5 seeds of the four arms in the fair protocol on MNIST: 95 min on 2 cores busy with other work
"""

from common import cli
from experiments.study import Report, Study
from experiments.thesis import claims, comparison, figures, more_models, tables
from experiments.thesis.grid import ARMS, MODELS, PARTS, Grid
from grid.graph import PRESETS
from report import statistics

QUICK = {"dataset": "digits", "sizes": [50], "latent": [3], "parts": ["arms"], "count": 500, "limte": -1}
AXES = {"generator": "", "chain_length": None, "labels": "", "pixels": "", "latent": None}
PAIRS = (("VAE", "CNN", "the plain CNN"), ("AUG+VAE", "AUG", "classic augmentation"))
PROTOCOLS = {
    "fair": "Every arm takes the same number of optimiser steps and is fed what its name says; nothing is picked on "
    "the test set, which is looked at once, at the end.",
    "published": "As the released code does it: arms differ in steps, stop and pick their weights on the test set, and "
    "AUG+VAE is fed no generated image.",
}


def add_arguments(parser, passed):
    parser.add_argument(
        "--sizes", nargs="+", type=cli.positive, default=[50, 100, 250, 500, 1000], help="training images in all"
    )
    parser.add_argument("--per-class", action="store_true", help="--sizes are images per class")
    parser.add_argument("--latent", nargs="+", type=cli.positive, default=[2, 3, 4, 8], help="latent dimensions")
    parser.add_argument(
        "--arms",
        nargs="+",
        choices=ARMS,
        default=["cnn", "vae", "aug", "aug+vae"],
        help="vae-all: all generated images at once (thesis 6.3); chain, aug+chain: Markov chains of an RBM, whose "
        "states are binary, so with them every arm is trained on binary images too",
    )
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=["thesis"], help="train these classifiers in every arm"
    )
    parser.add_argument(
        "--generators", nargs="+", choices=tuple(PRESETS), default=["b-rbm"], help="RBMs of the arms with chains"
    )
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=PARTS,
        default=list(PARTS),
        help="arms; checks: the published arms by one selection rule; vae-loss: thesis Table 6.1; latent-spaces: "
        "figs 2.3.3, 2.4.5, 2.4.6, 6.2.1, 6.2.2; augmentation: CIARP fig. 3",
    )
    parser.add_argument(
        "--loss-images", nargs="+", type=cli.positive, default=[5, 50, 500, 5000], help="of vae-loss, of one class"
    )
    passed.add_argument("--epochs", type=cli.positive, help="train_vae.py (default: as the thesis, by size)")
    passed.add_argument("--count", type=cli.positive, default=2500, help="generate.py: images per class")


def cells(args, classes):
    """The grid's cells; `classes` are images per class."""
    first, most = next(iter(classes.items()))
    if "vae-loss" in args.parts and max(args.loss_images) > most:
        print(f"--loss-images: left out where there are more than the {most} training images of class {first}")
    return Grid(args, classes).cells


def write_parts(root, frame, folder):
    """What the page shows of the grid in `root`; the figures are drawn into `folder`."""
    by_protocol = {name: frame[frame["protocol"] == name] for name in frame["protocol"].unique()}
    compared = {name: comparison.compare_arms(rows) for name, rows in by_protocol.items()}
    headline = {"title": "Does generated data help where images are scarce?", "lead": lead(by_protocol)}
    made = [*tables.all_tables(root, frame, compared), *more_models.all_tables(frame)]
    return Report(headline, claims.judge(frame), made, figures.all_figures(root, frame, folder), PROTOCOLS)


def lead(by_protocol):
    """The page's first sentences: what generated images gained, protocol by protocol."""
    if not by_protocol:
        return ["No classifier is finished yet."]
    sentences = []
    for protocol, rows in by_protocol.items():
        scores, parts = comparison.by_pair(rows), []
        for with_images, without, words in PAIRS:
            gains = 100 * statistics.over_latents((scores[with_images] - scores[without]).dropna())
            if len(gains):
                found = statistics.summary(gains)
                parts.append(f"{found.mean:+.1f} points of macro F1 to {words} ({found.in_words()})")
        if parts:
            images = "the arms with generated images add" if protocol == "published" else "generated images add"
            sentences.append(f"In the {protocol} protocol {images} {' and '.join(parts)}.")
    if "published" in by_protocol:
        sentences.append("The published AUG+VAE arm, as released, is fed no generated image.")
    return sentences or ["No two arms can be compared yet."]


STUDY = Study(
    name="thesis",
    about=__doc__,
    data="MNIST's",
    add_arguments=add_arguments,
    cells=cells,
    report=write_parts,
    axes=AXES,
    defaults={"seeds": 10, "limte": 700},
    quick=QUICK,
    shared=("epochs", "count"),
)
