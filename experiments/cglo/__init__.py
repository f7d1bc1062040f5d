"""The grid of Azuri and Weinshall (2020): cGLO, what it competes with, its ablation, tables, figures, one page.

Reads   a data set or a folder with train/<class>/ and test/<class>/
Writes  <out>/: data, cglo, classifiers (a folder per cell), cells/ (a record and a log each), report/

Run it again and it goes on where it was, or grows by seeds, arms and sizes.

Example ./reproduce.sh cglo --source cifar10.npz --sizes 10 50 --model wrn-16-2
        ./reproduce.sh cglo --dataset mnist --sizes 5 10 --model thesis --aug suitable --arms BASELINE CGLO
"""

from cnn import presets
from common import cli
from experiments.cglo import claims, figures, tables
from experiments.cglo.grid import ARMS, USUAL, Grid
from experiments.study import Report, Study
from grid import dataset

QUICK = {
    "dataset": "digits",
    "sizes": [5],
    "arms": ["BASELINE", "CGLO", "RECONSTRUCTION", "CUTOUT"],
    "model": "wrn-10-2",
    "b": 32,
    "aug": "mild",
    "cglo_epochs": 60,
    "steps": 200,
}
MODELS = ("thesis", "wrn-10-2", "wrn-16-2", "wrn-16-4", "wrn-16-8", "wrn-28-10", "resnet50")
AXES = {"source": "", "shots": None}
PROTOCOLS = {
    "fair": "Every arm takes equally many optimiser steps and keeps its last weights; one look at the test set.",
}


def add_arguments(parser, passed):
    parser.add_argument("--sizes", nargs="+", type=cli.positive, default=[10, 50], help="training images per class")
    parser.add_argument("--arms", nargs="+", choices=tuple(ARMS), default=list(USUAL), help="rows of the tables")
    passed.add_argument("--model", choices=MODELS, default="wrn-16-2", help="train_cnn.py (published: wrn-28-10)")
    passed.add_argument("--aug", choices=("none", *presets.PRESETS), default="flip-crop", help="train_cnn.py, all arms")
    passed.add_argument("-b", type=cli.positive, default=128, help="train_cnn.py: images per step")
    passed.add_argument("--weights", metavar="imagenet|FILE|none", help="train_cnn.py, resnet50 (published: imagenet)")
    words = "train_cnn.py, arms TUNED: --rate (default: Brigato's, for 50 images per class and a batch of 10)"
    passed.add_argument("--tuned-rate", type=cli.positive_float, help=words)
    words = "train_cnn.py, arms TUNED: --weight-decay (default: likewise)"
    passed.add_argument("--tuned-decay", type=cli.deviation, help=words)
    passed.add_argument("--replace", type=cli.proportion, default=0.5, help="train_cnn.py -cglo")
    passed.add_argument("--cutout-size", type=cli.side, default=8, help="train_cnn.py (published: 5)")
    passed.add_argument("--preset", choices=("paper", "released"), default="paper", help="train_cglo.py")
    losses = ("laplacian", "l1", "vgg")
    passed.add_argument("--generator-loss", choices=losses, default="laplacian", help="--loss of train_cglo.py")
    passed.add_argument("--vgg-weights", metavar="FILE", help="train_cglo.py, for that loss and the arm FEATURES")
    passed.add_argument("--cglo-epochs", type=cli.positive, default=200, help="train_cglo.py")


def cells(args, classes):
    """The grid's cells; `classes` are images per class."""
    return Grid(args, classes).cells


def write_parts(root, frame, folder):
    """What the page shows of the grid in `root`; the figures are drawn into `folder`."""
    headline = {"title": "Do images between the training images help, once the baseline has its due?"}
    headline["lead"] = claims.lead(frame)
    made, drawn = tables.all_tables(root, frame), figures.all_figures(root, frame, folder)
    return Report(headline, claims.judge(frame, dataset.read(root)["name"]), made, drawn, PROTOCOLS)


STUDY = Study(
    name="cglo",
    about=__doc__,
    data="CIFAR-100's",
    add_arguments=add_arguments,
    cells=cells,
    report=write_parts,
    axes=AXES,
    quick=QUICK,
    shared=(
        *("model", "aug", "b", "replace", "cutout_size", "preset", "generator_loss", "cglo_epochs"),
        *("weights", "tuned_rate", "tuned_decay"),
    ),
    files=("vgg_weights",),
)
