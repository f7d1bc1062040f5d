"""What finished runs left behind, as one table of scores, and the parts that a report is made of.

Example python -m report.results runs
        prints the table of the classifiers that train_cnn.py, or a grid, left in a folder
"""

from collections import Counter
from pathlib import Path

import pandas as pd

from common import cli, runs
from grid.cells import read_record, record_path

ARMS = ("CNN", "VAE", "AUG", "AUG+VAE")  # first in every table, in this order; after them the others by name
METRICS = ("loss", "accuracy", "precision", "recall", "f1", "support")
LEADING = ["protocol", "variant", "model", "arm", "injection", "size"]  # by which rows are sorted, before the axes
COLUMNS = [*LEADING, "seed", *METRICS, "error", "generated", "steps", "epochs", "epoch_kept", "seconds"]
COLUMNS += ["key", "command"]


def collect(root, axes=None):
    """One row a finished classifier below `root`, a grid's or any, in the order of arms, sizes, axes and seeds.

    In a grid's folder a run without its record is not counted, for only the record says which cell it is of; a line
    says how many there are, and the grid runs them again.

    Args:
        root: folder that holds run folders, or a grid's folder.
        axes: columns that come from the cells' facts, as `Study.axes`; None takes the facts that are found.

    Returns:
        DataFrame with columns `protocol`, `variant` ("" for the arms themselves, else what a check or a figure
        changed), `model` ("thesis", "fc1", ...), `arm` (CNN, VAE, AUG, AUG+VAE, ...), `injection` ("pages", "all" or
        ""), `size` (training images in all), `seed`, the six METRICS (fractions; loss in nats per image), `error`
        (fraction), `generated` (images that it read), `steps`, `epochs`, `epoch_kept`, `seconds`, `key` (folder below
        `root`), `command`, and the axes: text, or Int64 with missing values. Empty if nothing is finished.
    """
    root = Path(root)
    own = sorted(path.parent.name for path in root.glob("*/result.json"))
    recorded = [key for key, _ in records(root) if (root / key / "result.json").is_file()]
    _say_what_is_not_counted(root, recorded)
    rows = [row for row in (_row(root, key) for key in (*own, *recorded)) if row]
    frame = pd.DataFrame([row for row, _ in rows], columns=COLUMNS)
    facts = pd.DataFrame([found for _, found in rows], dtype=object)
    axes = _found_axes(facts) if axes is None else axes
    for name, absent in axes.items():
        values = facts[name] if name in facts else pd.Series(absent, frame.index, dtype=object)
        frame[name] = values.astype("Int64") if absent is None else values.where(values.notna(), absent).astype(object)
    arms = sorted(set(frame["arm"]) - set(ARMS), key=lambda arm: (arm.count("+"), arm))
    frame["arm"] = pd.Categorical(frame["arm"], [*ARMS, *arms])
    return frame.sort_values([*LEADING, *axes, "seed"], ignore_index=True)


def records(root, kind="*", whole=True):
    """Yields the key and the record of a grid's finished cells, passing over records that cannot be read.

    Args:
        root: the grid's folder.
        kind: the first part of the keys, e.g. `"gen"`; all without it.
        whole: leave out cells whose folder is not there.
    """
    folder = Path(root) / "cells"
    for path in sorted(folder.glob(f"{kind}/*.json")):
        key = path.relative_to(folder).with_suffix("").as_posix()
        record = read_record(root, key)
        if record and (not whole or (Path(root) / key).is_dir()):
            yield key, record


def _say_what_is_not_counted(root, recorded):
    if not (root / "cells").is_dir():
        return
    left = {path.parent.relative_to(root).as_posix() for path in root.glob("*/*/result.json")} - set(recorded)
    for kind, number in sorted(Counter(key.partition("/")[0] for key in left).items()):
        print(f"{root / kind}: {number} not counted, without a record in {root}/cells/{kind}; the grid runs them again")


def _found_axes(facts):
    """The facts that are columns of a score table of its own: {name: None for whole numbers, "" for others}."""
    names = [name for name in facts if name not in COLUMNS and facts[name].notna().any()]
    whole = {name: facts[name].dropna().map(lambda value: type(value) is int).all() for name in names}
    return {name: None if whole[name] else "" for name in names}


def _row(root, key):
    """The columns of one classifier that all have, and the facts from which its axes come; None if not tested."""
    folder = root / key
    result, config = runs.read_json(folder / "result.json"), runs.read_json(folder / "config.json")
    path, settings = record_path(root, key), config["settings"]
    if not result["scores"]:
        return None
    # A grid's record says what the folder does not; a run of its own has none.
    record = runs.read_json(path) if path.exists() else {"command": config["environment"]["command"], "facts": {}}
    facts = {name: value for name, value in result.items() if name in ("chain_length", "labels")} | record["facts"]
    everything = settings["schedule"]["page_size"] < 0
    row = {
        "protocol": result["protocol"],
        "variant": facts.get("variant", ""),
        "model": facts.get("model", result.get("model", "thesis")),
        "arm": result["arm"],
        "injection": ("all" if everything else "pages") if "VAE" in result["arm"] else "",
        "size": result["images"]["train"],
        "seed": settings["seed"],
        **{metric: result["scores"][metric] for metric in METRICS},
        "error": round(1 - result["scores"]["accuracy"], 12),  # 1 - 0.5529 is 0.4471, whatever its last bits
        "generated": result["images"]["generated"],
        **{name: result[name] for name in ("steps", "epochs", "epoch_kept", "seconds")},
        "key": key,
        "command": record["command"],
    }
    return row, {name: value for name, value in facts.items() if name not in ("labelled", *COLUMNS)}


def main(argv=None):
    parser = cli.ArgumentParser(__doc__)
    parser.add_argument("root", help="folder that holds run folders, or a grid's folder")
    args = parser.parse_args(argv)
    frame = collect(args.root)
    if frame.empty:
        raise ValueError(f"{args.root}: no finished runs in it (train_cnn.py makes them)")
    show(frame)


def show(frame):
    """Prints the scores, a row per classifier."""
    if frame.empty:
        print("No classifier is finished yet.")
        return
    axes = [name for name in frame if name not in COLUMNS]
    columns = ["protocol", "arm", "variant", "model", *axes, "size", "seed", "accuracy", "f1", "generated"]
    columns = [
        name for name in [*columns, "steps", "seconds", "key"] if name != "model" or any(frame[name] != "thesis")
    ]
    used = [name for name in columns if not (frame[name].isna() | (frame[name].astype(object) == "")).all()]
    partial = [name for name in used if frame[name].dtype == "Int64"]  # numbers that some rows have not
    table = frame[used].assign(**{name: frame[name].astype(object).fillna("") for name in partial})
    print(table.to_string(index=False, float_format="{:.4f}".format))


if __name__ == "__main__":
    cli.run(main)
