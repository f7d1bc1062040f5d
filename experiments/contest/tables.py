"""The leaderboards of the contest: per classifier and number of training images, arms sorted by mean macro F1."""

import numpy as np
import pandas as pd

from common import runs
from experiments.contest.arms import THESIS, makers, parse
from report import results, statistics, tables
from report.parts import Table

FEWEST = 5  # pairs: with fewer the interval is too narrow, see `statistics.summary`
RBMS = {"b-rbm": "rbm"}  # sources whose name is not their generator's
TUNED = (
    "The sizes of the preset stroke and the factors and grid of the deformation come from trials on MNIST with 5 "
    "images per class of the seeds 0 and 1, which are none of these; all other settings are published ones or defaults."
)


def best_of(root):
    """The best hand-made augmentation that a grid was run against."""
    return runs.read_json(root / "grid.json")["settings"]["best"]


def scores(frame, model, size):
    """Macro F1 of one leaderboard: a row per seed, a column per arm; missing where it was not run."""
    rows = frame[(frame["model"] == model) & (frame["per_class"] == size)]
    return rows.pivot_table(index="seed", columns="entry", values="f1")


def boards(frame):
    """The leaderboards that have rows: (classifier, images per class)."""
    return list(dict.fromkeys(zip(frame["model"], frame["per_class"], strict=True)))


def gains(wide, arm, other):
    """Paired gains of an arm over another, in points, one per seed that both have."""
    if arm == other or other not in wide:
        return np.empty(0)
    return np.round(100 * (wide[arm] - wide[other]).dropna().to_numpy(float), 10)


def strongest(wide, best):
    """The arm that a generator has to beat: the one network without a generator that does best on a leaderboard.

    It is chosen by the test scores, as the best arm with a generator is. There are more of those, which favours them.

    Args:
        wide: macro F1 as of `scores`.
        best: name of the best hand-made augmentation, which the grid was run against.

    Returns:
        `best`, or another arm without a generator whose mean is higher on the seeds that both have: 5 at least, or as
        many as such an arm has at most.
    """
    single = [arm for arm in wide if parse(arm).networks == 1 and not parse(arm).is_learned]
    found = {arm: gains(wide, arm, best) for arm in single}
    enough = max(1, min(FEWEST, max(map(len, found.values()), default=0)))
    ahead = {arm: values.mean() for arm, values in found.items() if len(values) >= enough}
    first = max(ahead, key=ahead.get, default=best)
    return first if ahead.get(first, 0) > 0 else best


def gain_as_text(values):
    """A gain: its mean and 95 % interval, and how many of the seeds gained."""
    if not len(values):
        return ""
    found = statistics.summary(values)
    interval = f" [{found.low:+.2f}, {found.high:+.2f}]" if found.n > 1 else ""
    return f"{found.mean:+.2f}{interval}, {np.sum(values > 0)} of {found.n} seeds"


def seconds_of_generators(root, num_classes):
    """What the generators took: {(source, images per class, seed): seconds}, training and images together."""
    found = {}
    for kind in ("deform", "models", "cdc", "cglo", "rbm", "gen"):
        for _, record in results.records(root, kind, whole=False):  # models are not shipped
            facts = record["facts"]
            size = facts.get("per_class", facts.get("available", 0) // num_classes)
            # The records of RBMs, which the scarce paper's grid has too, name no source.
            source = facts.get("source") or RBMS.get(facts["generator"], facts["generator"])
            place = source, size, facts["seed"]
            found[place] = found.get(place, 0) + record["seconds"]
    return found


def views_of(root, keys):
    """Macro F1 by the means over views of every test image: {key of a classifier: fraction}, of those that have it."""
    found = {key: runs.read_json(root / key / "result.json").get("views") for key in keys}
    return {key: views["scores"]["f1"] for key, views in found.items() if views}


def all_tables(root, frame, best):
    """Every leaderboard.

    Args:
        root: the grid's folder.
        frame: `results.collect(root)`.
        best: name of the best hand-made augmentation.
    """
    num_classes = int((frame["size"] // frame["per_class"]).max()) if len(frame) else 1
    made = seconds_of_generators(root, num_classes)
    frame = frame.assign(views=frame["key"].map(views_of(root, frame["key"])))
    return [leaderboard(frame, model, size, best, made) for model, size in boards(frame)]


def leaderboard(frame, model, size, best, made):
    """One leaderboard.

    Args:
        frame: `results.collect(root)`, with a column `views` as of `views_of`, missing where there is none.
        model, size: classifier and training images per class.
        best: name of the best hand-made augmentation.
        made: as of `seconds_of_generators`.
    """
    wide = scores(frame, model, size)
    rival = strongest(wide, best)
    over = [other for other in dict.fromkeys([rival, best, THESIS]) if other in wide]
    rows = frame[(frame["model"] == model) & (frame["per_class"] == size)]
    shown, tidy = [], []
    for rank, arm in enumerate(wide.mean().sort_values(ascending=False).index, 1):
        values, own = wide[arm].dropna(), rows[rows["entry"] == arm]
        parts = makers(parse(arm).source)
        known = [seed for seed in own["seed"] if all((part, size, seed) in made for part in parts)]
        generator = [sum(made[part, size, seed] for part in parts) for seed in known] if parts else []
        row = {"rank": rank, "arm": arm, "macro F1, percent": tables.as_text(values, scale=100, digits=2)}
        row |= {f"gain over {other}": gain_as_text(gains(wide, arm, other)) for other in over}
        if rows["views"].notna().any():
            row |= {"over views": tables.as_text(own["views"].dropna(), scale=100, digits=2)}
        row |= {"seconds to train": f"{own['seconds'].mean():.0f}"}
        row |= {"seconds of the generator": f"{np.mean(generator):.0f}" if generator else ""}
        shown.append(row)
        gain = statistics.summary(gains(wide, arm, rival))
        tidy.append({"model": model, "per_class": size, "rank": rank, "arm": arm} | tables.as_row(values, np.nan, 100))
        tidy[-1] |= {
            "views": 100 * own["views"].mean(),
            "over": rival,
            "gain": gain.mean,
            "gain_low": gain.low,
            "gain_high": gain.high,
            "pairs": gain.n,
        }
        del tidy[-1]["inside"]
    note = (
        "Mean ± standard deviation (seeds) [95 % bootstrap interval of the mean]; gains in points, paired by seed, "
        f"with their interval; {rival} does best of the single networks without a generator "
        f"(of those with {FEWEST} seeds, where some have). *Over views*: every "
        "test image is predicted as it is and transformed several times by the arm's augmentation, and the mean "
        "decides; it is another use of the same networks, and takes no part in ranks and gains. "
        "+3 is the average of 3 networks, which takes 3 times the steps. Both times are of whatever else the machine "
        f"did. {TUNED}"
    )
    title = f"{size} images per class, {model}: arms by mean macro F1"
    name = f"leaderboard-{model}-{size}"
    return Table(name, title, "the contest", pd.DataFrame(shown), note, list(rows["command"]), pd.DataFrame(tidy))
