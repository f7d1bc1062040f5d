"""The papers' tables, each published number beside what was obtained.

A cell that was not run is empty. An obtained cell reads `mean ± standard deviation (number of seeds) [95 % bootstrap
interval of the mean], in` or `out`: whether the published number lies inside the interval. One seed has no interval.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from common import runs
from experiments.thesis import checks, published
from report import results
from report.parts import Table
from report.tables import NOTE, Lookup, as_row, as_text, commands, protocols_in, side_by_side

BLIND = "The published protocol's AUG+VAE is fed no generated image, so its number is the same for every latent size."
CELL = ("method", "size", "latent", "injection", "metric")  # what a published number is of
# Tables of the thesis' section 6.3 by size: averages, then the per-class ones where the thesis prints them.
BY_SIZE = {50: "6.3 to 6.8", 100: "6.10 to 6.15", 250: "6.16 to 6.19", 500: "6.20 to 6.23", 1000: "6.24 to 6.27"}


def all_tables(root, frame, comparison):
    """Every table of the report.

    Args:
        root: the grid's folder.
        frame: `results.collect(root)`.
        comparison: dict from protocol to `compare_arms` of its rows.

    Returns:
        List of `Table`.
    """
    tables = [ciarp_2(frame), ciarp_3(frame, comparison)]
    if (frame["variant"] == "by-accuracy").any():
        tables += [checks.without_generated(root, frame), checks.selection_rules(root, frame)]
    tables += [summary_6_39(frame), comparison_6_38(frame), vae_loss(root)]
    tables += [by_size(frame, size, numbers) for size, numbers in BY_SIZE.items()]
    tables += [
        feeding(frame, number) for number in published.read("thesis_methods")["table"].unique() if _feeding(number)
    ]
    return tables + per_class(root, frame)


def scores(frame, protocol, arm, size, latent=None, injection="pages", metric="f1"):
    """The obtained scores of one cell of a table, one a seed."""
    rows = frame[(frame["protocol"] == protocol) & (frame["variant"] == "") & (frame["arm"] == arm)]
    rows = rows[rows["size"] == size]
    if "VAE" in arm:
        rows = rows[rows["injection"] == injection]
        if not (arm == "AUG+VAE" and protocol == "published"):
            rows = rows[rows["latent"] == latent]
    return rows[metric].to_numpy(float)


LOOKUP = Lookup(scores, CELL)


def grid_table(name):
    """A published table of macro F1 by latent size and training size, as `side_by_side` takes it."""
    table = published.read(name)
    value = "f1_percent" if "f1_percent" in table else "f1"
    return table.assign(injection="pages", metric="f1", value=table[value], printed=table[value].map(_printed(value)))


def _printed(column):
    return ("{:.2f}" if column == "f1_percent" else "{:.4f}").format


def ciarp_2(frame):
    wide, tidy = side_by_side(frame, grid_table("ciarp_2"), ["latent", "size"], "method", LOOKUP, scale=100)
    title = "Macro F1 in percent, by latent size and number of training images"
    return Table("ciarp-2", title, "CIARP 2018, Table 2", wide, f"{NOTE} {BLIND}", commands(frame), tidy)


def ciarp_3(frame, comparison):
    """Which arm beats which, by Wilcoxon's test: published, and obtained with Holm's correction and effect sizes."""
    rows = []
    for protocol in protocols_in(frame):
        for _, pair in comparison.get(protocol, pd.DataFrame()).iterrows():
            row = {
                "arms": f"{pair['row']} against {pair['column']}",
                "published": pair["published"],
                "protocol": protocol,
            }
            if pair["n"]:
                row |= {
                    "obtained": pair["outcome"],
                    "with Holm's correction": pair["outcome_holm"],
                    "pairs": str(pair["n"]),
                    "mean difference (points)": f"{100 * pair['mean_difference']:+.2f}",
                    "p": f"{pair['p']:.2g}",
                    "p, Holm": f"{pair['p_holm']:.2g}",
                    "smallest p possible": f"{pair['min_p']:.2g}",
                    "rank-biserial r": f"{pair['rank_biserial']:+.2f}",
                    "d_z": "" if np.isnan(pair["d_z"]) else f"{pair['d_z']:+.2f}",
                }
            rows.append(row)
    columns = ["arms", "published", "protocol", "obtained", "with Holm's correction", "pairs"]
    columns += ["mean difference (points)", "p", "p, Holm", "smallest p possible", "rank-biserial r", "d_z"]
    wide = pd.DataFrame(rows, columns=columns).fillna("")
    note = (
        "Wilcoxon's signed-rank test on macro F1, two-sided, p < 0.01, as published. A pair is one size and seed, "
        "averaged over the latent sizes. Where the smallest p that so few pairs can give is not below 0.01, no outcome "
        "is decided. Effect sizes: r is the matched-pairs rank-biserial correlation, d_z Cohen's d of the differences."
    )
    tidy = pd.concat([table.assign(protocol=name) for name, table in comparison.items()]) if comparison else None
    return Table("ciarp-3", "Which arm beats which", "CIARP 2018, Table 3", wide, note, commands(frame), tidy)


def summary_6_39(frame):
    wide, tidy = side_by_side(frame, grid_table("thesis_6.39"), ["latent", "size"], "method", LOOKUP)
    title = "Macro F1 by latent size and number of training images"
    return Table(
        "thesis-6.39", title, "Thesis, Table 6.39, section 6.7", wide, f"{NOTE} {BLIND}", commands(frame), tidy
    )


def comparison_6_38(frame):
    wide, tidy = side_by_side(frame, grid_table("thesis_6.38"), ["size"], "method", LOOKUP)
    title = "Macro F1 of classic augmentation, alone and with generated images (latent size 3)"
    return Table("thesis-6.38", title, "Thesis, Table 6.38, section 6.6.2", wide, NOTE, commands(frame), tidy)


def methods(tables=None):
    """The thesis' tables by method and metric, as `side_by_side` takes them: OLD VAE is what the table calls so."""
    table = published.read("thesis_methods")
    table = table.assign(
        label=table["method"],
        method=table["method"].replace({"OLD VAE": "VAE", "NEW VAE": "VAE"}),
        injection=table["injection"].fillna(""),
        printed=[
            f"{value:.0f}" if metric == "support" else f"{value:.4f}"
            for value, metric in zip(table["value"], table["metric"], strict=True)
        ],
    )
    return table if tables is None else table[table["table"].isin(tables)]


def _feeding(number):
    return 28 <= int(number.partition(".")[2]) <= 37


def by_size(frame, size, numbers):
    """The average results of one size (thesis 6.3): the VAE's images all at once, two latent dimensions."""
    cells = methods()
    cells = cells[(cells["size"] == size) & ~cells["table"].map(_feeding)]
    wide, tidy = side_by_side(frame, cells, ["table", "metric"], "label", LOOKUP)
    title = f"Average results with {size} training images, 2-D latent space, all generated images at once"
    source = f"Thesis, Tables {numbers}, section {cells['section'].iloc[0]}"
    note = f"{NOTE} Tables that print one method repeat what the last of them sums up."
    return Table(f"thesis-{numbers.replace(' to ', '-')}", title, source, wide, note, commands(frame, size), tidy)


def feeding(frame, number):
    """Tables 6.28 to 6.37: all generated images at once or in pages, two latent dimensions or three."""
    cells = methods([number])
    size, second = cells["size"].iloc[0], int(number.partition(".")[2]) > 32
    wide, tidy = side_by_side(frame, cells, ["metric"], "label", LOOKUP)
    what = (
        "in pages: OLD VAE with 2 latent dimensions, NEW VAE with 3"
        if second
        else "OLD VAE all at once, NEW VAE in pages"
    )
    title = f"Generated images {what}; {size} training images"
    source = f"Thesis, Table {number}, section {cells['section'].iloc[0]}"
    return Table(f"thesis-{number}", title, source, wide, NOTE, commands(frame, size), tidy)


def per_class(root, frame):
    """Tables 6.2, 6.4, 6.6, 6.9, 6.11 and 6.13: precision, recall and F1 of each digit, means over the seeds."""
    tables = []
    for number, cells in published.read("thesis_per_class").groupby("table", sort=False):
        size, method = cells["size"].iloc[0], cells["method"].iloc[0]
        wide = cells.pivot(index="class", columns="metric", values="value")[["precision", "recall", "f1"]]
        wide = wide.map("{:.2f}".format)
        wide.columns = pd.MultiIndex.from_product([wide.columns, ["published"]])
        chosen = frame[(frame["variant"] == "") & (frame["size"] == size) & (frame["arm"] == method)]
        if method == "VAE":
            chosen = chosen[(chosen["injection"] == "all") & (chosen["latent"] == 2)]
        for protocol in protocols_in(frame):
            rows = chosen[chosen["protocol"] == protocol]
            found = [_by_class(root, key) for key in rows["key"]]
            for k, metric in enumerate(("precision", "recall", "f1")):
                for name in wide.index:
                    values = [by_class[str(name)][k] for by_class in found if str(name) in by_class]
                    wide.loc[name, (metric, f"obtained, {protocol}")] = (
                        f"{np.mean(values):.2f} ({len(values)})" if values else ""
                    )
        wide = wide[[(m, c) for m in ("precision", "recall", "f1") for c in wide[m].columns]].reset_index()
        title = f"{method} with {size} training images, by digit"
        source = f"Thesis, Table {number}, section {cells['section'].iloc[0]}"
        note = "Obtained: mean (seeds). An empty cell was not run."
        tables.append(Table(f"thesis-{number}", title, source, wide, note, list(chosen["command"])))
    return tables


def _by_class(root, key):
    """Precision, recall and F1 of each class of one classifier, from its confusion matrix."""
    result = runs.read_json(Path(root) / key / "result.json")
    matrix = np.array(result["confusion"], float)  # rows true, columns predicted
    hits = np.diag(matrix)
    precision, recall = hits / np.maximum(matrix.sum(axis=0), 1), hits / np.maximum(matrix.sum(axis=1), 1)
    f1 = 2 * hits / np.maximum(matrix.sum(axis=0) + matrix.sum(axis=1), 1)
    return {name: (precision[k], recall[k], f1[k]) for k, name in enumerate(result["classes"])}


def vae_loss(root):
    """Table 6.1: the validation loss of a VAE of one class, by epochs and images."""
    root, cells = Path(root), published.read("thesis_6.1")
    wide, tidy, lines = {}, [], []
    histories = [
        (record, pd.read_csv(path))
        for key, record in results.records(root, "vae-loss")
        for path in sorted((root / key).glob("*/loss.csv"))
    ]
    for _, cell in cells.iterrows():
        row = wide.setdefault(cell["images"], {})
        found = []
        for record, history in histories:
            if record["facts"]["images"] == cell["images"]:
                found += list(history.loc[history["epoch"] == cell["epochs"], "val_loss"])
                lines.append(record["command"])
        row[f"{cell['epochs']} epochs", "published"] = f"{cell['val_loss']:.2f}"
        row[f"{cell['epochs']} epochs", "obtained"] = as_text(found, cell["val_loss"], digits=2)
        facts = {name: cell[name] for name in ("table", "section", "images", "epochs")}
        tidy.append({**facts, "published": cell["val_loss"], **as_row(found, cell["val_loss"])})
    table = pd.DataFrame(list(wide.values()))
    table.columns = pd.MultiIndex.from_tuples(table.columns)
    table.insert(0, ("images", ""), list(wide))
    title = "Validation loss of a VAE of one digit (nats an image)"
    return Table(
        "thesis-6.1", title, "Thesis, Table 6.1, section 6.2.1", table, NOTE, sorted(set(lines)), pd.DataFrame(tidy)
    )
