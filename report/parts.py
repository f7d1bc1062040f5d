"""The parts of a report: tables, figures, claims."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd


@dataclass
class Table:
    """A table of the report.

    Attributes:
        name: file name without extension, e.g. `"ciarp-2"`.
        title, source: what it shows; the table, section or page that it stands beside.
        frame: DataFrame of text and numbers as they are printed; an empty cell was not run.
        note: how to read it.
        commands: command lines that made its numbers.
        tidy: the same with a row a number, for the CSV file; None takes `frame`.
    """

    name: str
    title: str
    source: str
    frame: pd.DataFrame
    note: str = ""
    commands: list = field(default_factory=list)
    tidy: pd.DataFrame | None = None


@dataclass
class Figure:
    """A figure of the report: `<folder>/<name>.png` and `.pdf`; `inches` is its width and height, the other attributes
    are as a `Table`'s.
    """

    name: str
    title: str
    source: str
    folder: Path
    inches: tuple
    note: str = ""
    commands: list = field(default_factory=list)


@dataclass
class Claim:
    """A claim of a paper and what the obtained scores say to it.

    Attributes:
        text, source: the claim in our words; where it stands.
        protocol: `"fair"` or `"published"`.
        verdict: `"holds"`, `"does not hold"` or `"not decided"`.
        evidence: one sentence with the numbers.
    """

    text: str
    source: str
    protocol: str
    verdict: str
    evidence: str
