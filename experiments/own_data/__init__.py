"""Your own images: do generated images help a classifier of them, against what you would do without?

`python compare.py -path FOLDER` runs it.
"""

from experiments.own_data import answer, figures, tables
from experiments.own_data.grid import ARMS
from experiments.study import Report, Study

AXES = {"source": ""}


def report(root, frame, folder):
    """What the page shows of the comparison in `root`; the figures are drawn into `folder`."""
    lines = answer.lines(root, frame)
    headline = {"title": "Do generated images help on these images?", "lead": lines}
    claims, made = answer.claims(root, frame), tables.all_tables(root, frame)
    return Report(headline, claims, made, figures.all_figures(root, frame, folder), answer.PROTOCOLS)


STUDY = Study(
    name="own_data",
    about=__doc__,
    data="",
    add_arguments=lambda parser, passed: None,
    cells=lambda args, classes: {},
    report=report,
    axes=AXES,
)

__all__ = ["ARMS", "STUDY", "report"]
