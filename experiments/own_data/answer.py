"""The answer of a comparison: the verdict first, then what to use and what else there is to know, a line each."""

import json
from pathlib import Path

import numpy as np

from common import runs
from experiments.own_data import budget, verdict
from experiments.own_data.grid import ARMS
from grid import cost
from report import results
from report.parts import Claim

PROTOCOLS = {
    "fair": "All arms of a split learn from the same images; those that are trained by steps take equally many, keep "
    "their last weights, and are tested once. Verdicts by one rule: no difference worth having if the 95 % interval "
    f"of the mean gain lies within {verdict.WORTH:g} point of zero; otherwise helps or harms if it lies above or below "
    "zero; otherwise cannot tell. The interval is Student's, corrected for the images that splits share (Nadeau and "
    "Bengio 2003), of a standard deviation of at least one test image's worth of score. The best arm with and the "
    "best arm without a generator are chosen by these very scores, so that the group of more arms has some advantage."
}
SOURCE = "paired over splits, macro F1"


def facts(root):
    """What compare.py noted in `comparison.json`: `overlap`, `arms`, `plan`, `learned_from` and `steps`."""
    return runs.read_json(Path(root) / "comparison.json")


def scores(frame, metric="f1"):
    """Scores as a table: a row per split (seed), a column per arm, in the order of `ARMS`.

    Its `attrs["image"]` is what one image of the smallest test part is worth, in points.
    """
    rows = frame[frame["variant"] == ""]
    wide = rows.pivot_table(index="seed", columns="source", values=metric, aggfunc="mean", observed=True)
    wide = wide[[name for name in ARMS if name in wide]]
    wide.attrs["image"] = 100 / rows["support"].min() if len(rows) else 0.0
    return wide


def best(wide, group):
    """The arm of a group with the highest mean over the splits that all arms have; None without one."""
    names = [name for name in wide if ARMS[name].group == group]
    means = wide[names].dropna().mean()
    return means.idxmax() if len(means.dropna()) else None


def gain(wide, one, other, overlap):
    """The `verdict.Gain` of one arm over another; None if no split has both."""
    gaps = 100 * (wide[one] - wide[other]).dropna()
    return verdict.estimate(gaps, overlap, wide.attrs["image"]) if len(gaps) else None


def title(name):
    return ARMS[name].title


def lines(root, frame):
    """The answer in about ten sentences; the first is the verdict."""
    wide, told = scores(frame), facts(root)
    generated, without = best(wide, "with"), best(wide, "without")
    if generated is None or without is None:
        return ["No verdict yet: an arm with images of a generator and one without are needed on the same split."]
    found = gain(wide, generated, without, told["overlap"])
    said = [verdict.sentence(title(generated), title(without), found, told["overlap"])]
    chosen = recommended(wide, told["overlap"])
    said.append(
        f"Use {title(chosen)}: macro F1 {wide[chosen].mean():.3f}, accuracy "
        f"{scores(frame, 'accuracy')[chosen].mean():.3f}, means over {wide[chosen].count()} splits."
    )
    said.append(price(root, frame, chosen, generated))
    said += short_of(told["plan"], told.get("steps"))
    said += [text for text in (controls(wide), by_class(root, frame, generated, without)) if text]
    said += [text for text in (*assessed(root), learning(frame, wide), always_wrong(root, frame)) if text]
    return said


def short_of(plan, asked=None):
    """How much shorter than at most the trainings were: a sentence, or none; generators suffer most by it.

    `asked` is --steps, or None where the budget set the steps.
    """
    if plan["steps"] >= budget.FULL.steps:
        return []
    epochs = max(plan[name] for name in ("vae_epochs", "cdc_epochs", "cglo_epochs"))
    return [
        f"All this after short trainings: {plan['steps']:,} steps of a classifier and {epochs} epochs of a generator; "
        f"{'without --steps, ' if asked else ''}with time enough (--budget) and another --out they are "
        f"{budget.FULL.steps:,} and {budget.FULL.vae_epochs}."
    ]


def recommended(wide, overlap):
    """The arm to use: the best without generated images, unless a generator's help."""
    generated, without = best(wide, "with"), best(wide, "without")
    found = gain(wide, generated, without, overlap) if generated and without else None
    return generated if found and verdict.judge(found) == verdict.HELPS else without


def claims(root, frame):
    """The verdict on each arm with a generator: against the best arm without one, and against the same arm without."""
    wide, told = scores(frame), facts(root)
    without, made = best(wide, "without"), []
    for name in (name for name in wide if ARMS[name].group == "with"):
        base = "classic" if ARMS[name].classic else "plain"
        for other in dict.fromkeys(filter(None, (without, base if base in wide else None))):
            found = gain(wide, name, other, told["overlap"])
            if found:
                text = f"{title(name)} against {title(other)}"
                made.append(Claim(text, SOURCE, "fair", verdict.judge(found), f"{found.in_words()}."))
    return made


def seconds_of(root, name, split):
    """Seconds that an arm took on one split: its classifier, its images and the models that made them."""
    parts = [f"classifiers/{name}-seed{split}"]
    if ARMS[name].images:
        parts += [f"gen/{ARMS[name].images}-seed{split}", f"models/{ARMS[name].images}-seed{split}"]
    found = {key: record["seconds"] for kind in ("classifiers", "gen", "models") for key, record in seen(root, kind)}
    return sum(found.get(part, 0) for part in parts)


def seen(root, kind):
    return results.records(root, kind, whole=False)


def price(root, frame, *names):
    """What arms cost."""
    split = int(frame["seed"].min())
    parts = [f"{title(name)} {cost.words(seconds_of(root, name, split))}" for name in dict.fromkeys(names)]
    return f"Cost on one split, on one core, generator included: {', '.join(parts)}."


def controls(wide):
    """What the controls show."""
    if "plain" not in wide:
        return ""
    parts = [
        f"{title(name)} {100 * (wide[name] - wide['plain']).mean():+.1f} points"
        for name in wide
        if ARMS[name].group == "control"
    ]
    return f"Controls beside the real images alone, at equal steps: {', '.join(parts)}." if parts else ""


def class_f1(root, frame, name, seeds):
    """F1 per class of an arm, averaged over the splits of these seeds: {class: fraction}."""
    found, rows = {}, frame[(frame["source"] == name) & (frame["variant"] == "") & frame["seed"].isin(seeds)]
    for key in rows["key"]:
        result = runs.read_json(Path(root) / key / "result.json")
        matrix = np.array(result["confusion"])
        sums = matrix.sum(0) + matrix.sum(1)
        for k, of in enumerate(result["classes"]):
            found.setdefault(of, []).append(2 * matrix[k, k] / sums[k] if sums[k] else 0.0)
    return {of: float(np.mean(values)) for of, values in found.items()}


def shared_splits(frame, names):
    """The seeds of the splits that all these arms have."""
    return scores(frame)[names].dropna().index


def by_class(root, frame, one, other):
    """Which classes gain most and least from generated images."""
    seeds = shared_splits(frame, [one, other])
    a, b = class_f1(root, frame, one, seeds), class_f1(root, frame, other, seeds)
    if not a:
        return ""
    gaps = sorted(((100 * (a[of] - b[of]), of) for of in a), reverse=True)
    up = sum(gap > 0 for gap, _ in gaps)
    (most, of), (least, other_of) = gaps[0], gaps[-1]
    return (
        f"With {title(one)} in place of {title(other)} F1 rises in {up} of {len(gaps)} classes: from {least:+.0f} "
        f"points in {other_of} to {most:+.0f} in {of}."
    )


def assessments(root):
    """What assess.py found of the first split's generated images: {arm's images: dict}."""
    found = {}
    for key, record in results.records(root, "assess"):
        path = Path(root) / key / "assessment.json"
        if path.exists():
            found[record["facts"]["source"]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def assessed(root):
    """Three sentences on what the generated images are like."""
    found = assessments(root)
    if not found:
        return
    parts = [f"{name} {row['accuracy']['generated']:.2f}" for name, row in found.items() if row["accuracy"]]
    if parts:
        real = next(row["accuracy"]["real"] for row in found.values() if row["accuracy"])
        yield f"Accuracy of a classifier of generated images alone: {', '.join(parts)}; of real ones {real:.2f}."
    parts = [f"{name} {row['features']['classifier']['frechet']:.1f}" for name, row in found.items()]
    yield f"Frechet distance to the real images in the classifier's space: {', '.join(parts)}."
    exact = [f"{name} {row['copies']['exact']} of {row['images']['generated']:,}" for name, row in found.items()]
    near = [f"{name} {100 * row['copies']['nearer_than_95_percent_of_real']:.0f} %" for name, row in found.items()]
    real = next(iter(found.values()))["images"]["real"]
    yield (
        f"Exact copies of one of {real:,} training images: {', '.join(exact)}; nearer to one than 95 % of the test "
        f"images are: {', '.join(near)}."
    )


def learning_curve(frame):
    """Macro F1 of the plain classifier by number of training images: Series of means, smallest first."""
    rows = frame[frame["source"] == "plain"]
    return rows.groupby(rows["size"].astype(int))["f1"].mean()


def learning(frame, wide):
    """What twice as many images would be worth, beside the best trick."""
    curve = learning_curve(frame)
    if len(curve) < 2 or "plain" not in wide:
        return ""
    slope = 100 * np.polyfit(np.log2(curve.index.to_numpy(float)), curve.to_numpy(), 1)[0]
    others = wide.drop(columns="plain")
    gains = {
        name: 100 * (wide[name] - wide["plain"]).mean()
        for name in (best(others, "without"), best(others, "with"))
        if name
    }
    name = max(gains, key=gains.get, default=None)
    beside = f"; {title(name)} is worth {gains[name]:+.1f}" if name else ""
    return f"Twice as many images are worth about {slope:+.1f} points to the classifier of real images alone{beside}."


def hard_images(root, frame):
    """Test images, `<class>/<name>`, that every arm but the controls always gets wrong; and how many were tested.

    Only splits count in which all these arms were tested.
    """
    right, seen_, wide = set(), {}, scores(frame)
    whole = wide[[name for name in wide if ARMS[name].group != "control"]].dropna().index
    rows = frame[(frame["variant"] == "") & frame["seed"].isin(whole)]
    for key, source in zip(rows["key"], rows["source"], strict=True):
        path = Path(root) / key / "predictions.npz"
        if ARMS[source].group == "control" or not path.exists():
            continue
        with np.load(path, allow_pickle=False) as found:
            for name, label, guess in zip(
                found["files"].tolist(), found["labels"], found["probabilities"].argmax(1), strict=True
            ):
                seen_[name] = None
                if label == guess:
                    right.add(name)
    return [name for name in seen_ if name not in right], len(seen_)


def always_wrong(root, frame):
    """How many images no arm gets right."""
    hard, total = hard_images(root, frame)
    if not total:
        return ""
    if not hard:
        return f"None of {total} tested images is wrong in every arm."
    return f"{len(hard)} of {total} tested images are wrong in every arm; look whether their labels are right."
