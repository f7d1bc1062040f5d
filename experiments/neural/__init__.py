"""The grid of Eduardo and Kazi (2018): conditional generators, transformed copies, VGG-Nets, tables, figures, one page.

Reads   a data set or a folder with train/<class>/, validation/<class>/ and test/<class>/
Writes  <out>/: data, cdc, gen, classifiers, assess, ... (a folder per cell), cells/ (a record and a log each), report/

Run it again and it goes on where it was, or grows by seeds, arms and sizes (--alpha).

Example ./reproduce.sh neural --alpha 1 --seeds 2
        the first rows of Tables 1 and 2 on MNIST
"""

from common import cli
from experiments.neural import claims, figures, tables
from experiments.neural.grid import ARMS, TWICE, Grid
from experiments.study import Report, Study

QUICK = {
    "dataset": "digits",
    "alpha": [1],
    "width": 0.25,
    "e": 10,
    "cdc_epochs": 10,
    "steps": 100,
    "validation_images": 100,
    "validate_every": 5,
}
AXES = {"source": "", "alpha": None}
FRACTION, FRACTIONS = 0.2917, {"cifar10": 0.15}  # of the training images, set apart: published of MNIST, and others
PROTOCOLS = {
    "validated": "The published rule: 200 passes over the images of the arm, weights of the best validation accuracy, "
    "one look at the test set. Arms with added images take twice as many optimiser steps as ORIG.",
    "fair": "Every arm takes the optimiser steps of AUGORIG and keeps its last weights; one look at the test set.",
}


def add_arguments(parser, passed):
    parser.add_argument(
        "--alpha",
        nargs="+",
        type=cli.positive,
        default=[1, 2, 5],
        help="percent of the published 4,250 training images per class",
    )
    arms = (*ARMS, TWICE)
    parser.add_argument(
        "--arms",
        nargs="+",
        choices=arms,
        default=list(arms),
        help=f"columns of Table 2; {TWICE}: twice the passes",
    )
    parser.add_argument(
        "--validation-fraction",
        type=cli.fraction,
        help="of the training images, set apart to pick weights (default, as published: "
        f"{FRACTIONS['cifar10']} with --dataset cifar10, else {FRACTION}, MNIST's)",
    )
    passed.add_argument("--width", type=cli.positive_float, default=1.0, help="train_cnn.py")
    passed.add_argument("--validation-images", type=cli.positive, default=1000, help="train_cnn.py (published: all)")
    passed.add_argument("--validate-every", type=cli.positive, default=5, help="train_cnn.py (published: 1)")
    passed.add_argument("--cdc-epochs", type=cli.positive, default=500, help="train_cdc.py")


def cells(args, classes):
    """The grid's cells; `classes` are images per class."""
    return Grid(args, classes).cells


def settle(args):
    """Sets `--validation-fraction` to the published one of the data set, where it is not given."""
    if args.validation_fraction is None:
        args.validation_fraction = FRACTIONS.get(args.dataset, FRACTION)


def write_parts(root, frame, folder):
    """What the page shows of the grid in `root`; the figures are drawn into `folder`."""
    headline = {"title": "Do images of conditional generators beat rotated and blurred copies?"}
    headline["lead"] = claims.lead(frame)
    made, drawn = tables.all_tables(root, frame), figures.all_figures(root, frame, folder)
    return Report(headline, claims.judge(root, frame), made, drawn, PROTOCOLS)


STUDY = Study(
    name="neural",
    about=__doc__,
    data="MNIST's or CIFAR-10's",
    add_arguments=add_arguments,
    cells=cells,
    report=write_parts,
    axes=AXES,
    defaults={"protocol": "published", "e": 200, "seeds": 2},
    quick=QUICK,
    settle=settle,
    shared=("validation_fraction", "width", "validation_images", "validate_every", "cdc_epochs"),
)
