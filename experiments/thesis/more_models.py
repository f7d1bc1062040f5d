"""What the thesis' grid holds beyond the thesis: its arms with other classifiers, and arms with Markov chains."""

import pandas as pd

from report import tables
from report.parts import Table

NAMES = {"thesis": "the thesis' CNN", "fc1": "FC1", "fc2": "FC2", "conv1": "CONV1", "": ""}
NAMES |= {"b-rbm": "bad RBM", "g-rbm": "good RBM", "p-rbm": "persistent RBM"}


def all_tables(frame):
    """A list of one table, or of none where there is nothing to show; `frame` is `results.collect` of the grid."""
    others = frame[(frame["model"] != "thesis") | (frame["pixels"] != "")]
    others = others[(others["generator"] == "") | (others["pixels"] == "binary")]
    if others.empty:
        return []
    own = frame[(frame["variant"] == "") & frame["size"].isin(others["size"])]
    shown = pd.concat([own, others]).sort_values(["size", "model", "pixels", "arm"])
    rows = []
    for key, group in shown.groupby(
        ["size", "model", "pixels", "arm", "injection", "generator", "latent"], observed=True, dropna=False
    ):
        size, model, pixels, arm, injection, generator, latent = key
        row = {"training images": f"{size:,}", "classifier": NAMES[model], "pixels": pixels or "as they are"}
        row["arm"] = arm
        row["generator"] = NAMES[generator] or ("" if pd.isna(latent) else f"VAE, {latent}D")
        row["generator"] += ", all at once" if injection == "all" else ""
        for protocol in tables.protocols_in(shown):
            scores = group.loc[group["protocol"] == protocol, "f1"]
            row[f"obtained, {protocol}"] = tables.as_text(scores, scale=100, digits=2)
        rows.append(row)
    note = (
        "Macro F1 in percent: mean ± standard deviation (seeds) [95 % bootstrap interval of the mean]. Chains start "
        "from the training images, which the RBM learned; a state is used if the classifier gives it its start's "
        "label. Rows with binary pixels had all images binarised at half brightness, for training and test, generated "
        "ones too: an RBM's states are binary, so arms with chains compare with these rows alone."
    )
    title = "The arms with other classifiers and generators"
    return [Table("more-models", title, "Beyond the thesis", pd.DataFrame(rows), note, list(shown["command"]))]
