"""Prints one table of finished run folders.

Reads   <root>/*/result.json and config.json, as train_cnn.py writes them
Writes  the table, to standard output

Example python -m experiments.tables runs/quick
"""

from pathlib import Path

import pandas as pd

import cli
import runs
from cnn.protocols import ARMS


def collect(root):
    """One row a run folder under `root`, in the order of the arms.

    Returns:
        DataFrame with columns arm, protocol, accuracy, macro F1 (fractions), train, test, generated (images), steps,
        seconds, seed and folder.

    Raises:
        ValueError: there is no finished run.
    """
    rows = []
    for path in sorted(Path(root).glob("*/result.json")):
        result, config = runs.read_json(path), runs.read_json(path.with_name("config.json"))
        rows.append(
            {
                "arm": result["arm"],
                "protocol": result["protocol"],
                "accuracy": result["scores"]["accuracy"],
                "macro F1": result["scores"]["f1"],
                **result["images"],
                "steps": result["steps"],
                "seconds": result["seconds"],
                "seed": config["settings"]["seed"],
                "folder": str(path.parent),
            }
        )
    if not rows:
        raise ValueError(f"{root}: no finished runs in it (train_cnn.py makes them)")
    table = pd.DataFrame(rows)
    table["arm"] = pd.Categorical(table["arm"], ARMS)
    return table.sort_values(["protocol", "arm", "seed"])


def main(argv=None):
    parser = cli.ArgumentParser(__doc__)
    parser.add_argument("root", help="folder that holds run folders")
    table = collect(parser.parse_args(argv).root)
    print(table.to_string(index=False, float_format="{:.4f}".format))


if __name__ == "__main__":
    cli.run(main)
