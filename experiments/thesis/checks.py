"""What the published protocol's two peculiarities are worth: its selection rules, and its unequal steps.

The released arms pick their weights on the test set, CNN and AUG by another rule than VAE and AUG+VAE, and stop by it.
An arm trained for all its epochs holds, in its history, what each rule would have picked; one training shows them all.
"""

from pathlib import Path

import pandas as pd

from cnn.protocols import ARMS, PATIENCE
from common import runs
from report.parts import Table

RULES = {
    "lowest test loss, patience 10": lambda history: by_loss(history),
    "highest test accuracy": lambda history: history["val_accuracy"].max(),
    "last epoch": lambda history: history["val_accuracy"].iloc[-1],
}
OWN, FAIR = "its own rule, as released", "fair: equal steps, last weights"


def by_loss(history, patience=PATIENCE):
    """Test accuracy at the epoch of lowest test loss, among those before `patience` epochs brought no lower one."""
    best, waited = 0, 0
    losses = history["val_loss"].to_numpy()
    for epoch in range(1, len(losses)):
        if losses[epoch] < losses[best]:
            best, waited = epoch, 0
        else:
            waited += 1
            if waited >= patience:
                break
    return history["val_accuracy"].iloc[best]


def full_runs(frame, arm):
    """The published runs of an arm that went through all their epochs."""
    rows = frame[(frame["protocol"] == "published") & (frame["arm"] == arm) & (frame["injection"] != "all")]
    return rows[rows["variant"] == ("" if "VAE" in arm else "by-accuracy")]


def selection_rules(root, frame):
    """Test accuracy of the published arms under the same rule for all, beside their own and the fair protocol's."""
    tidy = pd.DataFrame(_picked(root, frame), columns=["size", "rule", "arm", "seed", "accuracy"])
    rows = []
    for size in sorted(tidy["size"].unique()):
        for rule in (OWN, *RULES, FAIR):
            row = {"training images": size, "weights picked by": rule}
            for arm in ARMS:
                mine = tidy[(tidy["size"] == size) & (tidy["rule"] == rule) & (tidy["arm"] == arm)]
                row[arm] = _as_text(100 * mine.groupby("seed")["accuracy"].mean())  # over the latent dimensions
            rows.append(row)
    note = (
        "Test accuracy in percent: mean ± standard deviation (seeds). The first row picks as the released code does; "
        "the next three use one rule for all arms, read off the same trainings, on the test set as well. The last row "
        "is the fair protocol's, which looks at the test set once."
    )
    commands = list(frame.loc[frame["variant"] == "by-accuracy", "command"])
    title = "The published arms under one selection rule, and at equal steps"
    return Table("check-selection", title, "Our check of the released code", pd.DataFrame(rows), note, commands, tidy)


def _picked(root, frame):
    """(size, rule, arm, seed, test accuracy) of every published and fair run."""
    for arm in ARMS:
        for _, run in full_runs(frame, arm).iterrows():
            history = pd.read_csv(Path(root) / run["key"] / "history.csv")
            for rule, pick in RULES.items():
                yield run["size"], rule, arm, run["seed"], pick(history)
        own = frame[(frame["arm"] == arm) & (frame["variant"] == "") & (frame["injection"] != "all")]
        for _, run in own.iterrows():
            yield run["size"], OWN if run["protocol"] == "published" else FAIR, arm, run["seed"], run["accuracy"]


def _as_text(values):
    if values.empty:
        return ""
    spread = f" ± {values.std():.2f}" if len(values) > 1 else ""
    return f"{values.mean():.2f}{spread} ({len(values)})"


def without_generated(root, frame):
    """The released AUG+VAE beside the same training without any generated image, number for number."""
    rows = []
    for _, released in full_runs(frame, "AUG+VAE").iterrows():
        same = full_runs(frame, "AUG")
        same = same[(same["size"] == released["size"]) & (same["seed"] == released["seed"])]
        for _, without in same.iterrows():
            ours, theirs = (runs.read_json(Path(root) / run["key"] / "result.json") for run in (without, released))
            equal = ours["scores"] == theirs["scores"] and ours["confusion"] == theirs["confusion"]
            rows.append(
                {
                    "training images": released["size"],
                    "seed": released["seed"],
                    "AUG+VAE as released: loss": f"{released['loss']:.6f}",
                    "AUG+VAE as released: macro F1": f"{released['f1']:.6f}",
                    "AUG, same rule, no generated folder: loss": f"{without['loss']:.6f}",
                    "AUG, same rule, no generated folder: macro F1": f"{without['f1']:.6f}",
                    "equal, confusion matrix included": "yes" if equal else "no",
                }
            )
    note = "Both trainings have the same images, weights, noise, steps and rule; only one is given generated images."
    commands = [*full_runs(frame, "AUG+VAE")["command"], *full_runs(frame, "AUG")["command"]]
    title = "The released AUG+VAE sees no generated image"
    return Table("check-blind", title, "Our check of the released code", pd.DataFrame(rows), note, commands)
