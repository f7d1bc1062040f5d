"""The tables of a comparison."""

from pathlib import Path

import pandas as pd

from common import runs
from experiments.own_data import answer, verdict
from experiments.own_data.grid import ARMS, MOST_ASSESSED
from grid import cost
from report import tables
from report.parts import Table

OWN = "these images"


def all_tables(root, frame):
    """Every table of the page, in its order: first what was looked at."""
    wide = answer.scores(frame)
    made = [of_folder(root), of_images(root), of_arms(root, frame, wide), of_classes(root, frame, wide)]
    return [table for table in [*made, of_generators(root), of_curve(frame)] if table is not None]


def look(root):
    return runs.read_json(Path(root) / "look" / "look.json")


def of_folder(root):
    """What the look at the folder found."""
    found = look(root)
    rows = [{"what": what, "found": text} for what, text in found["lines"]]
    return Table("look", "What lies in the folder", OWN, pd.DataFrame(rows), found["note"])


def of_images(root):
    """Readable images per class and part."""
    counts = look(root)["counts"]
    names = list(dict.fromkeys(name for classes in counts.values() for name in classes))
    rows = [{"class": name} | {part or "images": of.get(name, 0) for part, of in counts.items()} for name in names]
    return Table("counts", "Images per class", OWN, pd.DataFrame(rows), "Readable ones.")


def of_arms(root, frame, wide):
    """Scores of the arms, best first."""
    told, without = answer.facts(root), answer.best(wide, "without")
    accuracy, rows = answer.scores(frame, "accuracy"), []
    split = int(frame["seed"].min()) if len(frame) else 0
    for name in wide.mean().sort_values(ascending=False).index:
        found = answer.gain(wide, name, without, told["overlap"]) if without not in (None, name) else None
        rows.append(
            {
                "arm": ARMS[name].title,
                "kind": {"with": "generator", "without": "", "control": "control"}[ARMS[name].group],
                "macro F1, %": tables.as_text(wide[name].dropna(), scale=100, digits=1),
                "accuracy, %": tables.as_text(accuracy[name].dropna(), scale=100, digits=1),
                "gain over the best without": f"{found.mean:+.1f} [{found.low:+.1f}, {found.high:+.1f}]"
                if found
                else "",
                "verdict": verdict.judge(found) if found else "",
                "cost": cost.words(answer.seconds_of(root, name, split)),
            }
        )
    note = (
        "Scores: mean ± standard deviation (splits) [95 % bootstrap interval]. Gain: points of macro F1 "
        f"[95 % interval, corrected for what splits share] over {ARMS[without].title if without else 'none'}. Cost: of "
        "the first split, on one core, generator included."
    )
    return Table("arms", "The arms", OWN, pd.DataFrame(rows), note, list(frame["command"]))


def of_classes(root, frame, wide):
    """F1 per class of the best arms."""
    names = [name for name in (answer.best(wide, "without"), answer.best(wide, "with")) if name]
    if not names:
        return None
    seeds = answer.shared_splits(frame, names)
    columns = {ARMS[name].title: answer.class_f1(root, frame, name, seeds) for name in names}
    table = pd.DataFrame(
        {column: {of: f"{100 * x:.1f}" for of, x in found.items()} for column, found in columns.items()}
    )
    if len(names) == 2:
        one, other = columns.values()
        table["gain"] = [f"{100 * (other[of] - one[of]):+.1f}" for of in table.index]
    table.insert(0, "class", table.index)
    note = "F1 in percent, mean over the splits that both have; gain in points."
    return Table("classes", "F1 of each class", OWN, table.reset_index(drop=True), note)


def of_generators(root):
    """What the generated images are like."""
    rows = []
    for name, found in answer.assessments(root).items():
        accuracy, copies = found["accuracy"] or {}, found["copies"]
        rows.append(
            {
                "images": name,
                "accuracy of a classifier of them alone": f"{accuracy['generated']:.3f}" if accuracy else "",
                "of the real ones": f"{accuracy['real']:.3f}" if "real" in accuracy else "",
                "Frechet, classifier": f"{found['features']['classifier']['frechet']:.2f}",
                "Frechet, pixels": f"{found['features']['pixels']['frechet']:.2f}",
                "exact copies": copies["exact"],
                "nearer than 95 % of test images, %": f"{100 * copies['nearer_than_95_percent_of_real']:.1f}",
            }
        )
    note = (
        f"Of the first split, of {MOST_ASSESSED:,} images at most of the real, the generated and the test ones; the "
        "classifier is that of the arms, with as many steps. Few images bias the Frechet distance upward; compare it "
        "within the column alone."
    )
    if most := answer.facts(root).get("learned_from"):
        note += f" CDCVAE and cGLO learned from {most:,} images at most, drawn of all classes alike."
    return Table("generators", "What the generated images are like", OWN, pd.DataFrame(rows), note) if rows else None


def of_curve(frame):
    """The plain classifier by number of training images."""
    curve = answer.learning_curve(frame)
    if len(curve) < 2:
        return None
    table = pd.DataFrame({"training images": curve.index, "macro F1, %": [f"{100 * x:.1f}" for x in curve]})
    return Table("curve", "Is more data worth more?", OWN, table, "Real images alone, means over the splits.")
