"""Tables 1 to 6 of Azuri and Weinshall (2020), each published number beside what was obtained, and our own."""

from pathlib import Path

import pandas as pd

from common import runs
from experiments.cglo import published
from experiments.cglo.grid import ARMS
from grid import dataset
from report import results, tables
from report.claims import Gap
from report.parts import Table

PAPER = "Azuri & Weinshall 2020"
BIRDS = ("cub", "bird")  # in the name of a data set that Table 2 is of
TITLES = {
    "cglo_1": "cGLO and what it competes with",
    "cglo_2": "cGLO and what it competes with, on birds",
    "cglo_3": "What parts of cGLO do",
    "cglo_4": "Other choices",
    "cglo_5": "With unlabelled images",
    "cglo_6": "With AutoAugment, the generator having seen the test images",
}
LOOKUP = tables.Lookup(lambda frame, *cell: scores(frame, *cell), ("arm", "shots", "metric"))


def all_tables(root, frame):
    """Every table of the report.

    Args:
        root: the grid's folder.
        frame: `results.collect(root)`.
    """
    rows, name = of_grid(frame), dataset.read(root)["name"]
    printed = [beside(table, rows, name) for table in TITLES]
    return [own(rows), *printed, newer(), generators(root)]


def of_grid(frame):
    """The rows of the arms, in the order of the arms."""
    rows = frame[frame["variant"] == ""]
    return rows[rows["source"].isin(list(ARMS))]


def numbers(name):
    """A published table, in percent, its numbers as printed: with their standard error where there is one."""
    table = published.read(name)
    errors = table["error"].map(lambda error: "" if pd.isna(error) else f" ± {error:.2f}")
    return table.assign(printed=[f"{value:.2f}" for value in table["value"]] + errors)


def scores(frame, protocol, arm, shots, metric):
    """The obtained accuracies of one cell, one per seed; top-5 accuracies are not taken."""
    rows = frame[(frame["protocol"] == protocol) & (frame["source"] == arm) & (frame["shots"] == shots)]
    return rows["accuracy"].to_numpy(float) if metric == "top-1" else rows["accuracy"].to_numpy(float)[:0]


def beside(name, rows, data):
    """One of the paper's tables: a row per arm (Tables 1 and 2: per number of images), beside what was obtained."""
    cells, number = numbers(name), name[-1]
    of_birds = any(word in data for word in BIRDS)
    if of_birds != (number == "2"):
        rows = rows.iloc[:0]
    by = ["shots"] if number in "12" else ["arm", "shots"]
    wide, tidy = tables.side_by_side(rows, cells, by, "arm" if number in "12" else "metric", LOOKUP, scale=100)
    of = "CUB-200, ResNet-50 from ImageNet" if number == "2" else "CIFAR-100, WRN-28-10"
    note = f"{tables.NOTE} shots: training images per class. Published: {of}, mean ± standard error of 3 seeds."
    title = f"{TITLES[name]}: accuracy in percent, beside that published on {of.partition(',')[0]}"
    commands = list(rows.loc[rows["source"].isin(set(cells["arm"])), "command"])
    return Table(f"cglo-{number}", title, f"{PAPER}, Table {number}", wide, note, commands, tidy)


def own(rows):
    """Every arm that was run, by number of images, and its paired gain over the baseline."""
    wide = []
    for protocol in tables.protocols_in(rows):
        part = rows[rows["protocol"] == protocol]
        for shots in sorted(set(part["shots"].dropna())):
            cells = part[part["shots"] == shots].assign(size=shots)
            columns = cells.groupby(["size", "seed", "source"])["accuracy"].mean().unstack("source")
            for arm in (arm for arm in ARMS if arm in columns):
                row = {"protocol": protocol, "shots": int(shots), "arm": arm}
                row["accuracy, %"] = tables.as_text(columns[arm].dropna(), scale=100, digits=2)
                if arm != "BASELINE" and "BASELINE" in columns:
                    gains = Gap(arm, "BASELINE").difference(columns)
                    row["gain over BASELINE, points"] = tables.as_text(gains, scale=100, digits=2)
                wide.append(row)
    note = "Mean ± standard deviation (seeds) [95 % bootstrap interval of the mean]. A gain is of the same seeds."
    frame = pd.DataFrame(wide).fillna("")
    return Table("cglo-arms", "Every arm, at equal steps", "Our own", frame, note, list(rows["command"]))


def newer():
    """What was published since, each with its own splits, network and test set."""
    note = "Other splits, networks, recipes and test sets (ciFAIR has no near-copies): not to be read as one column."
    title = "Newer published numbers for few training images"
    return Table("cglo-newer", title, "as named in each row", published.read("newer").fillna(""), note)


def generators(root):
    """How the trainings of the generators ended, a row per generator; none is dropped."""
    wide, commands = [], []
    for key, record in results.records(root, "cglo"):
        path = Path(root) / key / "config.json"
        if path.exists():
            made, facts = runs.read_json(path), record["facts"]
            last = made["facts"]["last"]
            row = {name: facts[name] for name in ("generator", "shots", "seed")} | {"loss": made["settings"]["loss"]}
            names = {
                "reconstruction_loss": "reconstruction loss",
                "label_accuracy": "label accuracy",
                "angle_within": "angle within classes",
                "angle_between": "angle between classes",
            }
            wide.append(row | {words: f"{last[name]:.3g}" for name, words in names.items() if name in last})
            commands.append(record["command"])
    note = (
        "After the last epoch. Reconstruction loss: 1 is what the mean image would score. Label accuracy: of the weak "
        "classifier, on reconstructions. Angles: means, degrees, between the codes of two images. The loss vgg, and a "
        "start from features, use a VGG-16 that learned from ImageNet: outside data."
    )
    frame = pd.DataFrame(wide).fillna("")
    return Table("cglo-generators", "How the generators fared", f"{PAPER}, section 3", frame, note, commands)
