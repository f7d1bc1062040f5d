"""Tables 1 and 2 of Eduardo and Kazi (2018), each published number beside what was obtained."""

from pathlib import Path

import numpy as np
import pandas as pd

from common import runs
from experiments.neural import published
from experiments.neural.grid import ARMS, TWICE
from grid import dataset
from report import results, tables
from report.parts import Table

DATASETS = {"mnist": "MNIST", "cifar10": "CIFAR-10"}
PAPER = "Eduardo & Kazi 2018"
SPACES = ("pixels", "classifier")
TEST_IMAGES = 10_000  # published, of both
UNBLURRED = (("BLUR", "AUGORIG"), ("ROT", "ROTBLUR"))  # arms of the same images, if the published blur was none
FIT_POINTS = 3  # sizes from which on a curve of two parameters says anything
LOOKUP = tables.Lookup(lambda frame, *cell: scores(frame, *cell), ("arm", "alpha"))


def all_tables(root, frame):
    """Every table of the report.

    Args:
        root: the grid's folder.
        frame: `results.collect(root)`.
    """
    name, rows = dataset_of(root), of_grid(frame)
    return [accuracies(rows, name), updates(rows), distances(root, name), fits(rows, name), health(root)]


def dataset_of(root):
    """Which of the paper's two data sets the grid's is compared with: CIFAR-10's if its name says so."""
    name = dataset.read(root)["name"]
    return "cifar10" if "cifar" in name and "cifar100" not in name else "mnist"


def of_grid(frame):
    """The rows of the arms, without the classifier whose features are compared."""
    return frame[frame["variant"] == ""]


def scores(frame, protocol, arm, alpha):
    """The obtained accuracies of one cell of Table 2, one per seed."""
    rows = frame[(frame["protocol"] == protocol) & (frame["source"] == arm) & (frame["alpha"] == alpha)]
    return rows["accuracy"].to_numpy(float)


def numbers(name, data):
    """A published table of one data set, in percent or as a distance, with its numbers as printed."""
    table = published.read(name)
    table = table[table["dataset"] == data]
    return table.assign(printed=[f"{value:.2f}" for value in table["value"]])


def accuracies(rows, data):
    """Table 2: a row per size, a group of columns per arm."""
    cells = numbers("neural_2", data)
    wide, tidy = tables.side_by_side(rows, cells, ["alpha"], "arm", LOOKUP, scale=100)
    low, high = noise_floor(cells)
    note = (
        f"{tables.NOTE} alpha: percent of the published 42,500 training images; here as many of each class, 42 for the "
        "published 42.5. Published: one run per cell. If the published blur was never applied, one published run has "
        f"a standard deviation of {low:.2f} to {high:.2f} points.{tested_on(rows)}"
    )
    title, source = f"Test accuracy in percent, beside the published one on {DATASETS[data]}", f"{PAPER}, Table 2"
    return Table("neural-2", title, source, wide, note, list(rows["command"]), tidy)


def noise_floor(cells):
    """Two estimates of the standard deviation of one published run, in points, the smaller one first.

    If the blur was never applied, as the distances of Table 1 say, then the arms of each pair below learned from the
    same images and differ as two seeds do, by the square root of 2 times that much.

    Args:
        cells: `numbers("neural_2", data)`.
    """
    wide = cells.pivot(index="alpha", columns="arm", values="value")
    return sorted(float((wide[one] - wide[other]).std() / np.sqrt(2)) for one, other in UNBLURRED)


def tested_on(rows):
    """A sentence on how many test images there were, for a note; empty where nothing was run."""
    counts = sorted(set(rows["support"]))
    if not counts:
        return ""
    if counts == [TEST_IMAGES]:
        return f" Obtained on {TEST_IMAGES:,} test images, as published."
    words = " or ".join(f"{count:,}" for count in counts)
    return (
        f" Obtained on {words} test images, published on {TEST_IMAGES:,}; where "
        "the data has been prepared with --rest-to-test, they include training images that this grid leaves out."
    )


def updates(rows):
    """What AUGORIG's copies give beside twice the passes over the same images, which the paper did not try."""
    arms, wide = ("ORIG", TWICE, "AUGORIG"), []
    rows = rows[rows["source"].isin(arms)]
    for (protocol, alpha), group in rows.groupby(["protocol", "alpha"]):
        values = {arm: tables.as_text(100 * group.loc[group["source"] == arm, "accuracy"], digits=2) for arm in arms}
        wide.append({"protocol": protocol, "alpha": alpha, **values})
    note = (
        f"{tables.NOTE} {TWICE}: twice the passes of ORIG, which are about as many optimiser steps as AUGORIG's, and "
        "twice as many looks at the validation images. Under `fair` all arms take the same steps."
    )
    title, source = "Test accuracy in percent of copies, beside about as many updates without them", f"{PAPER}, Table 2"
    return Table("neural-updates", title, source, pd.DataFrame(wide), note, list(rows["command"]))


def assessments(root):
    """What assess.py found: a row per cell and space, with columns arm, alpha, seed, space, frechet, kid, command."""
    found = []
    for key, record in results.records(root, "assess"):
        path, facts = Path(root) / key / "assessment.json", record["facts"]
        if path.exists():
            for space, row in runs.read_json(path)["features"].items():
                place = {"arm": facts["source"], "alpha": facts["alpha"], "seed": facts["seed"], "space": space}
                found.append(place | {"frechet": row["frechet"], "kid": row["kid"], "command": record["command"]})
    return pd.DataFrame(found, columns=["arm", "alpha", "seed", "space", "frechet", "kid", "command"])


def distances(root, data):
    """Table 1: published distances in Inception's space, and those obtained in two others."""
    made, wide = assessments(root), []
    cells = numbers("neural_1", data)
    for alpha in sorted(set(made["alpha"])):
        for arm in (arm for arm in ARMS if arm in set(made["arm"])):
            rows = made[(made["alpha"] == alpha) & (made["arm"] == arm)]
            printed = cells.loc[(cells["alpha"] == alpha) & (cells["arm"] == arm), "printed"]
            row = {"alpha": alpha, "images from": arm, "published, Inception": next(iter(printed), "")}
            for space in SPACES:
                values = rows[rows["space"] == space]
                row[f"obtained, {space}"] = tables.as_text(values["frechet"], digits=2)
                row[f"kernel distance, {space}"] = tables.as_text(values["kid"], digits=4)
            wide.append(row)
    note = (
        "Squared Frechet distance to the real images that the set was made from; obtained: mean ± standard deviation "
        "(seeds) [95 % bootstrap interval]. Other spaces have other units, so only the order within a column compares; "
        "few images bias it upward. Classifier: the layer before the last of a VGG-Net of all training images."
    )
    title = f"Distance of added images to real ones, beside the published one on {DATASETS[data]}"
    return Table("neural-1", title, f"{PAPER}, Table 1", pd.DataFrame(wide), note, list(dict.fromkeys(made["command"])))


def log_fit(alphas, values):
    """Least squares of values = a + b ln(alpha): a, b and R^2."""
    x, y = np.log(np.asarray(alphas, float)), np.asarray(values, float)
    b, a = np.polyfit(x, y, 1)
    left, total = np.sum(np.square(y - a - b * x)), np.sum(np.square(y - y.mean()))
    return float(a), float(b), float(1 - left / total) if total else float("nan")


def fits(rows, data):
    """The logarithmic curves: of the published numbers at all sizes and at ours, and of the obtained ones."""
    cells, wide = numbers("neural_2", data), []
    for protocol in tables.protocols_in(rows):
        of_protocol = rows[rows["protocol"] == protocol]
        alphas = sorted(set(of_protocol["alpha"].dropna()))
        for arm in ARMS:
            of_arm = cells[cells["arm"] == arm]
            row = {"arm": arm, "protocol": protocol, "published, all 13 sizes": as_curve(of_arm)}
            ours = of_arm[of_arm["alpha"].isin(alphas)]
            if len(ours) >= FIT_POINTS:
                row["published, our sizes"] = as_curve(ours)
            means = of_protocol[of_protocol["source"] == arm].groupby("alpha")["accuracy"].mean() * 100
            if len(means) >= FIT_POINTS:
                row["obtained"] = as_curve(pd.DataFrame({"alpha": means.index, "value": means.to_numpy()}))
            wide.append(row)
    note = (
        "Accuracy in percent = a + b ln(alpha), least squares. The paper says that R^2 is above 0.90 for all curves "
        "and gives no fit; of its printed numbers it is on CIFAR-10, and on MNIST it is 0.80 to 0.85."
    )
    frame = pd.DataFrame(wide).fillna("")
    return Table(
        "neural-fits",
        f"Logarithmic curves, beside those of the published numbers on {DATASETS[data]}",
        f"{PAPER}, section 3",
        frame,
        note,
    )


def as_curve(cells):
    """A fit as text."""
    a, b, r2 = log_fit(cells["alpha"], cells["value"])
    return f"{a:.2f} + {b:.3f} ln(alpha), R^2 {r2:.3f}"


def health(root):
    """What the trainings of the conditional models flagged, a row per model; none is dropped."""
    wide, commands = [], []
    for key, record in results.records(root, "cdc"):
        path = Path(root) / key / "config.json"
        if path.exists():
            facts, cell = runs.read_json(path)["facts"], record["facts"]
            row = {"model": cell["source"], "alpha": cell["alpha"], "seed": cell["seed"]}
            last = facts["last"]
            row |= {name: f"{last[name]:.3f}" for name in ("label_fidelity", "copy_ratio") if name in last}
            wide.append(row | {"flags": "; ".join(facts["flags"]) or "none"})
            commands.append(record["command"])
    note = (
        "After the last epoch: label fidelity is the share of generated images whose nearest training image is of the "
        "class that was asked for, copy ratio their distance to it over that of training images to one another."
    )
    title = "How the conditional models fared"
    return Table("neural-health", title, f"{PAPER}, section 3", pd.DataFrame(wide), note, commands)
