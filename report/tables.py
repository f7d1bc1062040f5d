"""Lays published numbers beside obtained ones.

A cell that was not run is empty. An obtained cell reads `mean ± standard deviation (number of seeds) [95 % bootstrap
interval of the mean], in` or `out`: whether the published number lies inside the interval. One seed has no interval.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from report import statistics

NOTE = (
    "Obtained: mean ± standard deviation (seeds) [95 % bootstrap interval of the mean], and whether the published "
    "number lies in it. An empty cell was not run."
)


def has_numbers(table):
    """Whether anything that the table asks for was run."""
    asked = [column for column in table.frame if isinstance(column, tuple) and column[1].startswith("obtained")]
    return bool((table.frame[asked] != "").any(axis=None)) if asked else not table.frame.empty


def as_text(values, reference=None, scale=1, digits=4):
    """An obtained cell as text, `reference` being the published number in the same unit."""
    if not len(values):
        return ""
    found = statistics.summary(np.asarray(values) * scale)
    mean, sd, low, high = (f"{x:.{digits}f}" for x in (found.mean, found.sd, found.low, found.high))
    if found.n == 1:
        return f"{mean} (1)"
    text = f"{mean} ± {sd} ({found.n}) [{low}, {high}]"
    if reference is None or np.isnan(reference):
        return text
    return f"{text}, {'in' if found.low <= reference <= found.high else 'out'}"


def as_row(values, reference, scale=1):
    """An obtained cell as numbers, for the CSV file."""
    if not len(values):
        return {"mean": np.nan, "sd": np.nan, "n": 0, "low": np.nan, "high": np.nan, "inside": ""}
    found = statistics.summary(np.asarray(values) * scale)
    inside = "" if found.n == 1 or np.isnan(reference) else bool(found.low <= reference <= found.high)
    return {"mean": found.mean, "sd": found.sd, "n": found.n, "low": found.low, "high": found.high, "inside": inside}


def protocols_in(frame):
    """The protocols that were run, `fair` first; where nothing was, `fair` alone."""
    return [name for name in ("fair", "published", "validated") if (frame["protocol"] == name).any()] or ["fair"]


class Lookup(NamedTuple):
    """How obtained scores are found for a published number.

    Attributes:
        find: (frame, protocol, and the value of each of `facts`) to an array of scores, one per seed.
        facts: names of the columns that say what a published number is of.
    """

    find: Callable
    facts: tuple


def side_by_side(frame, cells, rows, columns, lookup, scale=1):
    """Lays published numbers and obtained ones side by side.

    Args:
        frame: `results.collect(root)`.
        cells: DataFrame of published numbers: the columns named in `rows`, `columns` and `lookup`, `table`, `section`,
            `metric`, `value` and, as text, `printed`.
        rows: names of the columns that make a row of the table.
        columns: name of the column that makes a group of its columns.
        lookup: `Lookup` of the obtained scores.
        scale: 100 for percent.

    Returns:
        wide: DataFrame of text with columns (group, "published" or "obtained, <protocol>").
        tidy: one row a number and protocol, with numbers.
    """
    wide, tidy = {}, []
    for cell in cells.to_dict("records"):
        row = wide.setdefault(tuple(cell[name] for name in rows), {})
        group, metric, value = cell[columns], cell["metric"], float(cell["value"])
        row[group, "published"] = cell["printed"]
        unit = {"loss": 1, "support": 1}.get(metric, scale)
        digits = {"support": 0}.get(metric, 2 if unit == 100 else 4)
        for protocol in protocols_in(frame):
            found = lookup.find(frame, protocol, *(cell[name] for name in lookup.facts))
            row[group, f"obtained, {protocol}"] = as_text(found, value, unit, digits)
            place = {name: cell[name] for name in ("table", "section", *lookup.facts)}
            tidy.append({**place, "published": cell["printed"], "protocol": protocol, **as_row(found, value, unit)})
    table = pd.DataFrame(list(wide.values()))
    table.columns = pd.MultiIndex.from_tuples(table.columns)
    for k, name in reversed(list(enumerate(rows))):
        table.insert(0, (name, ""), [key[k] for key in wide])
    return table.fillna(""), pd.DataFrame(tidy)


def commands(frame, size=None):
    """The command lines behind a table."""
    rows = frame[frame["variant"] == ""]
    return list(rows["command"] if size is None else rows.loc[rows["size"] == size, "command"])


def read_published(folder, name):
    """One of the published tables, `<folder>/<name>.csv`; table and section are text."""
    return pd.read_csv(folder / f"{name}.csv", dtype={"table": str, "section": str, "latent": "Int64"})
