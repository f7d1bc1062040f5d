"""The grid of Maronas, Paredes and Ramos (2018): RBMs, VAEs, classifiers, tables, figures, one page.

Reads   a data set or a folder with train/<class>/ and test/<class>/
Writes  <out>/: data, rbm, vae, classifiers, ... (a folder per cell), cells/ (a record and a log each), report/

Run it again and it goes on where it was, or grows by seeds, scenarios, models, generators, chain lengths and labelings.

Example ./reproduce.sh scarce --scenario 10 --chain-length 500 --seeds 5 --parts tables
        Table 1 on MNIST
"""

from common import cli
from experiments.scarce import claims, figures, tables
from experiments.scarce.grid import ALL_MODELS, GENERATORS, MODELS, PARTS, PUBLISHED, Grid
from experiments.study import Report, Study

QUICK = {
    "dataset": "digits",
    "scenario": [10],
    "models": ["fc1"],
    "chain_length": [500],
    "rbm_epochs": [50, 200],
    "epochs": 100,
}
AXES = {"generator": "", "chain_length": None, "labels": "", "available": None}
PROTOCOLS = {
    "fair": "Every classifier takes the same number of optimiser steps and keeps its last weights; the test set is "
    "looked at once, at the end.",
    "published": "The paper does not say how long it trained nor how it picked weights. Assumed: the epoch of lowest "
    "test error, which picks on the test set.",
}


def add_arguments(parser, passed):
    parser.add_argument(
        "--scenario",
        nargs="+",
        type=cli.positive,
        default=[10, 100, 1000],
        help="labelled images in all; ten times as many are available to generators and to the ladder network",
    )
    parser.add_argument("--models", nargs="+", choices=ALL_MODELS, default=list(MODELS), help="thesis: the thesis' CNN")
    parser.add_argument(
        "--generators",
        nargs="+",
        choices=GENERATORS,
        default=list(PUBLISHED),
        help="bad RBM, good RBM, binary VAE; and a bad RBM with persistent chains, which the paper has not",
    )
    parser.add_argument(
        "--chain-length", nargs="+", type=cli.positive, default=[500, 1000], help="states from each labelled image"
    )
    parser.add_argument(
        "--labels",
        nargs="+",
        choices=("y", "n"),
        default=["y", "n"],
        help="use the states that the classifier gives their start's label, or all",
    )
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=PARTS,
        default=list(PARTS),
        help="tables: Tables 1 to 3; ladder: the ladder network of Table 4; figures: figs 1 to 4",
    )
    passed.add_argument("-b", type=cli.positive, help="train_cnn.py: batch size")
    passed.add_argument("--epochs", type=cli.positive, help="train_vae.py (default: 1,000 to 1 by images)")
    passed.add_argument(
        "--rbm-epochs",
        nargs=2,
        type=cli.positive,
        metavar=("BAD", "GOOD"),
        help="train_rbm.py (default: as its presets)",
    )


def cells(args, classes):
    """The grid's cells; `classes` are images per class."""
    return Grid(args, classes).cells


def write_parts(root, frame, folder):
    """What the page shows of the grid in `root`; the figures are drawn into `folder`."""
    title = "Do chains from generative models help where labels are very scarce?"
    headline = {"title": title, "lead": claims.lead(frame)}
    made, drawn = tables.all_tables(root, frame), figures.all_figures(root, folder)
    return Report(headline, claims.judge(frame), made, drawn, PROTOCOLS)


STUDY = Study(
    name="scarce",
    about=__doc__,
    data="binarised MNIST's",
    add_arguments=add_arguments,
    cells=cells,
    report=write_parts,
    axes=AXES,
    quick=QUICK,
    shared=("b", "epochs", "rbm_epochs"),
)
