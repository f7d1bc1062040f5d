"""What finished runs left behind, as one table of scores, and the parts that a report is made of.

Example python -m report.results runs
        prints the table of the classifiers that train_cnn.py, or a grid, left in a folder
"""

from pathlib import Path

import pandas as pd

from cnn import protocols
from common import cli, runs
from grid.cells import record_path

ARMS = (*protocols.ARMS, *protocols.SCARCE_ARMS)
METRICS = ("loss", "accuracy", "precision", "recall", "f1", "support")
COLUMNS = ["protocol", "arm", "injection", "variant", "size", "latent", "seed", *METRICS, "generated", "steps"]
COLUMNS += ["epochs", "epoch_kept", "seconds", "key", "command"]
COLUMNS += ["model", "generator", "chain_length", "labels", "available", "error"]
ORDER = ["protocol", "variant", "model", "arm", "injection", "size", "generator", "chain_length", "labels"]


def collect(root):
    """One row a finished classifier below `root`, a grid's or any, in the order of arms, sizes, latents and seeds.

    Returns:
        DataFrame with columns `protocol`, `arm` (CNN, VAE, AUG, AUG+VAE), `injection` ("pages", "all" or ""),
        `variant` ("" for the arms themselves, else what a check or a figure changed), `size` (training images in all),
        `latent` (Int64, missing without generated images and outside grids), `seed`, the six METRICS (fractions; loss
        in nats an image), `generated` (images that it read), `steps`, `epochs`, `epoch_kept`, `seconds`, `key` (folder
        below `root`), `command`, `model` ("thesis", "fc1", ...), `error` (fraction) and, of chains, `generator`,
        `chain_length` (Int64), `labels` ("y" or "n") and `available` (images that the generator learned, Int64); ""
        or missing without chains. Empty if nothing is finished.
    """
    root = Path(root)
    paths = sorted([*root.glob("*/result.json"), *root.glob("classifiers/*/result.json")])
    frame = pd.DataFrame([_row(root, path.parent) for path in paths], columns=COLUMNS)
    frame = frame.astype({name: "Int64" for name in ("latent", "chain_length", "available")})
    frame["arm"] = pd.Categorical(frame["arm"], ARMS)
    return frame.sort_values([*ORDER, "latent", "seed"], ignore_index=True)


def _row(root, folder):
    result, config = runs.read_json(folder / "result.json"), runs.read_json(folder / "config.json")
    key = folder.relative_to(root).as_posix()
    record, settings = record_path(root, key), config["settings"]
    # A grid's record says what the folder does not; a run of its own has none.
    record = runs.read_json(record) if record.exists() else {"command": config["environment"]["command"], "facts": {}}
    everything = settings["schedule"]["page_size"] < 0
    facts = {"model": "thesis", "chain_length": None, "labels": None, **result, **record["facts"]}
    without = "chain" if "CHAIN" in result["arm"] else ""  # outside grids, where the folder's name is all there is
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
        "model": facts["model"],
        "generator": facts.get("generator") or without,
        "chain_length": facts["chain_length"],
        "labels": facts["labels"] or "",
        "available": facts.get("available"),
        "error": round(1 - result["scores"]["accuracy"], 12),  # 1 - 0.5529 is 0.4471, whatever its last bits
    }


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
    columns = "protocol arm variant model generator chain_length labels size latent seed accuracy f1 generated".split()
    columns = [
        name for name in [*columns, "steps", "seconds", "key"] if name != "model" or any(frame[name] != "thesis")
    ]
    used = [name for name in columns if not (frame[name].isna() | (frame[name].astype(object) == "")).all()]
    partial = [name for name in used if frame[name].dtype == "Int64"]  # numbers that some rows have not
    table = frame[used].assign(**{name: frame[name].astype(object).fillna("") for name in partial})
    print(table.to_string(index=False, float_format="{:.4f}".format))


if __name__ == "__main__":
    cli.run(main)
