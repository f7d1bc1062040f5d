"""What finished runs left behind, as one table of scores, and the parts that a report is made of.

Example python -m experiments.results runs
        prints the table of the classifiers that train_cnn.py, or a grid, left in a folder
"""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

import cli
import runs
from cnn.protocols import ARMS
from experiments.cells import record_path

PUBLISHED = Path(__file__).parent / "published"
METRICS = ("loss", "accuracy", "precision", "recall", "f1", "support")
COLUMNS = ["protocol", "arm", "injection", "variant", "size", "latent", "seed", *METRICS, "generated", "steps"]
COLUMNS += ["epochs", "epoch_kept", "seconds", "key", "command"]


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
    """A figure of the report: `<folder>/<name>.png` and `.pdf`; other attributes as a `Table`'s."""

    name: str
    title: str
    source: str
    folder: Path
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


def collect(root):
    """One row a finished classifier below `root`, a grid's or any, in the order of arms, sizes, latents and seeds.

    Returns:
        DataFrame with columns `protocol`, `arm` (CNN, VAE, AUG, AUG+VAE), `injection` ("pages", "all" or ""),
        `variant` ("" for the arms themselves, else what a check or a figure changed), `size` (training images in all),
        `latent` (Int64, missing without generated images and outside grids), `seed`, the six METRICS (fractions; loss
        in nats an image), `generated` (images that it read), `steps`, `epochs`, `epoch_kept`, `seconds`, `key` (folder
        below `root`) and `command`. Empty if nothing is finished.
    """
    root = Path(root)
    paths = sorted([*root.glob("*/result.json"), *root.glob("classifiers/*/result.json")])
    frame = pd.DataFrame([_row(root, path.parent) for path in paths], columns=COLUMNS)
    frame["latent"] = frame["latent"].astype("Int64")
    frame["arm"] = pd.Categorical(frame["arm"], ARMS)
    return frame.sort_values(["protocol", "variant", "arm", "injection", "size", "latent", "seed"], ignore_index=True)


def _row(root, folder):
    result, config = runs.read_json(folder / "result.json"), runs.read_json(folder / "config.json")
    key = folder.relative_to(root).as_posix()
    record, settings = record_path(root, key), config["settings"]
    # A grid's record says what the folder does not; a run of its own has none.
    record = runs.read_json(record) if record.exists() else {"command": config["environment"]["command"], "facts": {}}
    everything = settings["schedule"]["page_size"] < 0
    return {
        "protocol": result["protocol"],
        "arm": result["arm"],
        "injection": ("all" if everything else "pages") if "VAE" in result["arm"] else "",
        "variant": record["facts"].get("variant", ""),
        "size": result["images"]["train"],
        "latent": record["facts"].get("latent"),
        "seed": settings["seed"],
        **{metric: result["scores"][metric] for metric in METRICS},
        "generated": result["images"]["generated"],
        **{name: result[name] for name in ("steps", "epochs", "epoch_kept", "seconds")},
        "key": key,
        "command": record["command"],
    }


def published(name):
    """One of the published tables, `experiments/published/<name>.csv`; table and section are text."""
    return pd.read_csv(PUBLISHED / f"{name}.csv", dtype={"table": str, "section": str, "latent": "Int64"})


def main(argv=None):
    parser = cli.ArgumentParser(__doc__)
    parser.add_argument("root", help="folder that holds run folders, or a grid's folder")
    args = parser.parse_args(argv)
    frame = collect(args.root)
    if frame.empty:
        raise ValueError(f"{args.root}: no finished runs in it (train_cnn.py makes them)")
    show(frame)


def show(frame):
    """Prints the scores, a row a classifier."""
    if frame.empty:
        print("No classifier is finished yet.")
        return
    columns = "protocol arm variant size latent seed accuracy f1 generated steps seconds key".split()
    used = [name for name in columns if not (frame[name].isna() | (frame[name].astype(object) == "")).all()]
    table = frame[used].assign(**({"latent": frame["latent"].astype(object).fillna("")} if "latent" in used else {}))
    print(table.to_string(index=False, float_format="{:.4f}".format))


if __name__ == "__main__":
    cli.run(main)
