"""Tables 1 to 4 of Maronas, Paredes and Ramos (2018), each published error beside what was obtained."""

from pathlib import Path

import pandas as pd

from experiments.scarce import published
from experiments.scarce.grid import ALL_MODELS, AVAILABLE, GENERATORS
from grid.graph import PRESETS
from report import results, tables
from report.parts import Table

NAMES = {"fc1": "FC1", "fc2": "FC2", "conv1": "CONV1", "thesis": "the thesis' CNN", "ladder": "ladder network"}
NAMES |= {"b-rbm": "B-RBM", "g-rbm": "G-RBM", "p-rbm": "P-RBM (persistent)", "vae": "VAE", "": "none (baseline)"}
NUMBERS = {10: "1", 100: "2", 1000: "3"}  # labelled images by table
CELL = ("model", "generator", "chain_length", "labels", "labelled")  # what a published number is of
FOOTNOTES = {
    10: "The paper's CONV1 had chains of 850 in place of 1,000.",
    100: "The paper's CONV1, and its VAE with all models, had chains of 100 in place of 500; a dash was not published.",
}
FOOTNOTES[1000] = FOOTNOTES[100]
SETTING = ("b-rbm", 500, "y")  # of Table 4's RBM DA, where the paper has no number
MONITORS = ("reconstruction_error", "free_energy_gap", "pseudo_likelihood")


def all_tables(root, frame):
    """Every table of the report: one a scenario, the comparison with the ladder network, and how far the RBMs came.

    Args:
        root: the grid's folder.
        frame: `results.collect(root)`.
    """
    rows = of_grid(frame)
    sizes = [*NUMBERS, *sorted(set(rows.loc[rows["model"] != "ladder", "size"]) - set(NUMBERS))]
    return [*(scenario(rows, size) for size in sizes), ladder(rows), convergence(root)]


def of_grid(frame):
    """The rows that the tables and claims are about: no classic augmentation, no variant."""
    return frame[frame["arm"].isin(["CNN", "CHAIN", "LADDER"]) & (frame["variant"] == "")]


def scores(frame, protocol, model, generator, chain_length, labels, labelled):
    """The obtained errors of one cell of a table, one a seed."""
    rows = frame[(frame["protocol"] == protocol) & (frame["model"] == model) & (frame["size"] == labelled)]
    rows = rows[(rows["generator"] == generator) & (rows["labels"] == labels)]
    return (rows[rows["chain_length"] == chain_length] if generator else rows)["error"].to_numpy(float)


LOOKUP = tables.Lookup(scores, CELL)


def numbers(name):
    """A published table as `tables.side_by_side` takes it; a baseline has chain length 0 and no labels."""
    table = published.read(name).fillna({"generator": "", "labels": "", "chain_length": 0, "note": ""})
    table = table.astype({"chain_length": int}).assign(metric="error", value=table["error_percent"])
    return table.assign(printed=["-" if pd.isna(value) else f"{value:.2f}" for value in table["value"]])


def with_obtained(cells, rows):
    """Adds to published cells those that only we have: another model, chain length or scenario."""
    keys = rows[list(CELL[:-1])].drop_duplicates().fillna({"chain_length": 0}).astype({"chain_length": int})
    extra = keys.merge(cells[list(CELL[:-1])].drop_duplicates(), how="left", indicator="place")
    extra = extra[extra["place"] == "left_only"].drop(columns="place")
    cells = pd.concat([cells, extra.assign(metric="error", value=float("nan"), printed="")], ignore_index=True)
    cells = cells.fillna({"table": "", "section": "", "note": ""})
    places = [
        (("", *GENERATORS).index(generator), length, labels == "n", ALL_MODELS.index(model))
        for generator, length, labels, model in zip(
            cells["generator"], cells["chain_length"], cells["labels"], cells["model"], strict=True
        )
    ]
    return cells.loc[sorted(cells.index, key=lambda k: places[k])]


def scenario(frame, labelled):
    """Table 1, 2 or 3, or one like them: a row a generator, chain length and labeling, a group of columns a model."""
    rows = frame[(frame["size"] == labelled) & (frame["model"] != "ladder")]
    number = NUMBERS.get(labelled)
    cells = numbers(f"scarce_{number or 1}")
    cells = with_obtained(cells if number else cells[:0], rows).assign(labelled=labelled)
    cells["model's name"] = cells["model"].map(NAMES)
    cells["chains of"] = cells["generator"].map(NAMES)
    cells["states"] = cells["chain_length"].map("{:,}".format).where(cells["generator"] != "", "")
    wide, tidy = tables.side_by_side(rows, cells, ["chains of", "states", "labels"], "model's name", LOOKUP, scale=100)
    tidy = tidy.assign(note=cells["note"].repeat(len(tables.protocols_in(rows))).to_numpy())
    title = f"Error in percent with {labelled:,} labelled of {AVAILABLE * labelled:,} images"
    source = f"Maronas et al. 2018, Table {number}" if number else "As Maronas et al. 2018, Tables 1 to 3"
    note = f"{tables.NOTE} Labels y: only states that the classifier gives their start's label; n: all states. "
    return Table(
        f"scarce-{number or labelled}",
        title,
        source,
        wide,
        note + FOOTNOTES.get(labelled, ""),
        list(rows["command"]),
        tidy,
    )


def ladder(frame):
    """Table 4: the ladder network against FC2 with and without chains."""
    cells = numbers("scarce_4")
    more = sorted(set(frame.loc[frame["model"] == "ladder", "size"]) - set(cells["labelled"]))
    first = cells[cells["labelled"] == cells["labelled"].iloc[0]]
    for labelled in more:
        extra = first.assign(labelled=labelled, table="", section="", value=float("nan"), printed="", note="")
        generator, length, labels = SETTING
        extra.loc[extra["generator"] != "", ["generator", "chain_length", "labels"]] = generator, length, labels
        cells = pd.concat([cells, extra], ignore_index=True)
    names = {"Baseline": "baseline (FC2)", "Ladder Network": "ladder network", "RBM DA": "RBM chains (FC2)"}
    cells["what"] = cells["method"].map(names)
    cells["labelled images"] = cells["labelled"]
    wide, tidy = tables.side_by_side(frame, cells, ["labelled images"], "what", LOOKUP, scale=100)
    chosen = cells[(cells["generator"] != "") & ~cells["labelled"].isin(more)]
    settings = [f"{row.chain_length:,} with {row.labelled:,}" for row in chosen.itertuples()]
    note = (
        f"{tables.NOTE} RBM chains: B-RBM, labels y, chains of {', '.join(settings)} labelled images, from which the "
        "published numbers come, each the lowest of four in Tables 1 to 3. The paper does not say which images the "
        "ladder network had unlabelled; here they are the available ones."
    )
    rows = frame[frame["model"].isin(["fc2", "ladder"])]
    title, source = "Error in percent beside the ladder network", "Maronas et al. 2018, Table 4"
    return Table("scarce-4", title, source, wide, note, list(rows["command"]), tidy)


def convergence(root):
    """What the presets made of the RBMs: the last line of each one's monitors, means over the seeds."""
    root, rows, lines = Path(root), [], []
    for key, record in results.records(root, "rbm"):
        if (root / key / "monitors.csv").exists():
            last = pd.read_csv(root / key / "monitors.csv").iloc[-1]
            rows.append({**record["facts"], **last[["epoch", *MONITORS]]})
            lines.append(record["command"])
    made = pd.DataFrame(rows, columns=["generator", "available", "epoch", *MONITORS])
    wide = []
    for (available, generator), group in made.groupby(["available", "generator"]):
        row = {"images": f"{available:,}", "RBM": NAMES[generator], "preset": PRESETS[generator]}
        row |= {"epochs": f"{group['epoch'].mean():.0f}"}
        row["reconstruction error (a pixel)"] = tables.as_text(group["reconstruction_error"], digits=4)
        row["free-energy gap (nats)"] = tables.as_text(group["free_energy_gap"].dropna(), digits=2)
        row["pseudo-likelihood (nats an image)"] = tables.as_text(group["pseudo_likelihood"], digits=2)
        wide.append(row)
    note = (
        "After the last epoch: mean ± standard deviation (seeds) [95 % bootstrap interval]. The gap is the mean free "
        "energy of held-out images less that of the training images. The paper gives no such numbers."
    )
    title = "How far the bad and the good RBM were trained"
    return Table("scarce-rbm", title, "As Maronas et al. 2018, section 2.2", pd.DataFrame(wide), note, lines)
