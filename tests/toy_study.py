"""Writes a study into a folder, whose two cells need no Keras: a new study is one folder of `experiments/`."""

STUDY = '''"""The toy study: adds numbers.

Example ./reproduce.sh toys --add 3
"""

from pathlib import PurePosixPath

import pandas as pd

from common import cli, runs
from experiments.study import Report, Study
from grid.graph import Graph, given
from report import figures
from report.parts import Claim, Table


def add_arguments(parser, passed):
    parser.add_argument("--add", type=cli.positive, default=1, help="a number")


class Grid(Graph):
    def __init__(self, args, classes):
        super().__init__(args, classes)
        for seed in self.seeds:
            first = self.add_number(f"first/seed{seed}", args.add + seed)
            self.add_number(f"second/seed{seed}", 100, needs=[PurePosixPath(first)])

    def add_number(self, key, number, **flags):
        line = given(add=number, **flags, out=PurePosixPath(key))
        return self.add(key, "toy", line, {"number": number})


def report(root, frame, folder):
    rows = [
        {"cell": cell["key"], "sum": runs.read_json(root / cell["key"] / "number.json")}
        for cell in figures.finished(root, "second")
    ]
    table = Table("sums", "Sums", "Our own", pd.DataFrame(rows))
    claim = Claim("Sums are large", "Our own", "fair", "holds", "See the table.")
    return Report({"title": "Do numbers add up?", "lead": ["They do."]}, [claim], [table], [])


STUDY = Study(
    name="toys",
    about=__doc__,
    data="nobody's",
    add_arguments=add_arguments,
    cells=lambda args, classes: Grid(args, classes).cells,
    report=report,
    defaults={"seeds": 2},
    quick={"add": 7, "dataset": "digits"},
    shared=("add",),
)
'''


def write_study(folder):
    """Writes the study `toys` into `folder`."""
    (folder / "toys").mkdir(parents=True)
    (folder / "toys/__init__.py").write_text(STUDY)
