"""The contest: which recipe learns most from a few images per class. A leaderboard of generators and augmentations.

Reads   a data set or a folder with train/<class>/ and test/<class>/
Writes  <out>/: data, deform, models, gen, classifiers, ... (a folder per cell), cells/ (a record and a log each),
        report/

Every arm takes the same optimiser steps and keeps its last weights; the test part is looked at once. Run it again and
it goes on where it was, or grows by seeds, sizes, classifiers and arms. A new arm is a line of
experiments/contest/arms.py.

Example ./reproduce.sh contest --sizes 5 --models thesis --seeds 10 --arms stroke deformation+stroke
        on MNIST: does the learned deformation beat the best hand-made augmentation?
"""

from cnn import presets
from common import cli
from experiments.contest import claims, tables
from experiments.contest.arms import SOURCES, arm_names
from experiments.contest.grid import MODELS, Grid
from experiments.study import Report, Study
from grid import dataset

QUICK = {
    "dataset": "digits",
    "sizes": [5],
    "models": ["fc1"],
    "arms": ["suitable", "stroke", "deformation", "deformation+stroke", "vae+stroke"],
    "views": 2,
    "count": 100,
    "epochs": 50,
}
AXES = {"entry": "", "source": "", "augmentation": "", "per_class": None}
PROTOCOLS = {
    "fair": "Every network takes the same number of optimiser steps and keeps its last weights; nothing is picked on "
    "the test set, which is looked at once, at the end. Averages of several networks (+3) stand in the table, and are "
    "not compared with a single one.",
}


def add_arguments(parser, passed):
    parser.add_argument("--sizes", nargs="+", type=cli.positive, default=[5, 10], help="training images per class")
    parser.add_argument(
        "--best",
        choices=tuple(presets.PRESETS),
        default="stroke",
        help="the best hand-made augmentation, which a generator has to beat",
    )
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=["thesis", "conv1"], help="classifiers, of train_cnn.py"
    )
    parser.add_argument(
        "--arms",
        nargs="+",
        metavar="ARM",
        help=f"a preset of --aug, a source or SOURCE+PRESET, and with +3 the average of 3 such networks (default: "
        f"presets suitable and --best, each source alone and with both, and averages of 3 of --best and of "
        f"deformation with it; sources: {', '.join(SOURCES)})",
    )
    words = "train_cnn.py, arms with an augmentation: the table's column of means over views; 0 for none"
    passed.add_argument("--views", type=cli.whole, default=8, help=words)
    passed.add_argument("--count", type=cli.positive, default=1000, help="generate.py: images per class")
    passed.add_argument(
        "--epochs", type=cli.positive, help="train_vae.py (default: as the thesis, by size; vae-chains: 1000)"
    )
    passed.add_argument("--cdc-epochs", type=cli.positive, default=500, help="train_cdc.py")
    passed.add_argument("--cglo-epochs", type=cli.positive, default=200, help="train_cglo.py")


def cells(args, classes):
    """The grid's cells; `classes` are images per class."""
    return Grid(args, classes, arm_names(args.arms, args.best)).cells


def write_parts(root, frame, folder):
    """What the page shows of the grid in `root`."""
    del folder  # no figures
    best = tables.best_of(root)
    headline = {"title": "Does a generator beat the best hand-made augmentation?"}
    headline["lead"] = claims.lead(frame, best, dataset.read(root)["name"])
    return Report(headline, claims.judge(frame, best), tables.all_tables(root, frame, best), [], PROTOCOLS)


STUDY = Study(
    name="contest",
    about=__doc__,
    data="nobody's",
    add_arguments=add_arguments,
    cells=cells,
    report=write_parts,
    axes=AXES,
    defaults={"seeds": 6},
    quick=QUICK,
    shared=("best", "views", "count", "epochs", "cdc_epochs", "cglo_epochs"),
)
