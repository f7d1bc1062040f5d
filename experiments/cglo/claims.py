"""Claims of Azuri and Weinshall (2020), and what the obtained scores say to each, by `report.claims`' rule.

Scores are accuracies as fractions; a point is 0.01. A pair is one number of images per class and seed.
"""

import pandas as pd

from experiments.cglo.grid import ARMS
from experiments.cglo.tables import BIRDS, PAPER, numbers, of_grid
from report import statistics
from report.claims import Gap, Statement, judge_family

UNIT = "points of accuracy"
CATCHES_UP, ERASING_LOSES = 100, 25  # images per class
STATEMENTS = (
    Statement("(a) cGLO beats the baseline", f"{PAPER}, Tables 1 and 2", (Gap("CGLO", "BASELINE"),)),
    Statement(
        "cGLO beats the baseline once its learning rate and weight decay are tuned",
        "the paper lacks this control",
        (Gap("TUNED+CGLO", "TUNED"),),
    ),
    Statement(
        "(b) With 100 images per class Cutout has caught up with cGLO",
        f"{PAPER}, Table 1",
        (Gap("CUTOUT", "CGLO", {"size": CATCHES_UP}, f" with {CATCHES_UP}"),),
    ),
    Statement(
        "(c) MixMatch without unlabelled images, and the cosine loss of Barz and Denzler, stay below cGLO",
        f"{PAPER}, Tables 1 and 2",
        (Gap("CGLO", "MIXMATCH"), Gap("CGLO", "BARZ")),
    ),
    Statement(
        "(c) With 25 images per class random erasing is worse than the baseline",
        f"{PAPER}, Table 1",
        (Gap("BASELINE", "ERASING", {"size": ERASING_LOSES}, f" with {ERASING_LOSES}"),),
    ),
    Statement(
        "(d) Each part helps: the classifier, slerp, the noise",
        f"{PAPER}, Table 3",
        (Gap("CGLO", "NO-CLASSIFIER"), Gap("CGLO", "LERP"), Gap("CGLO", "NO-NOISE")),
    ),
    Statement(
        "(d) The classifier matters more than slerp, and slerp more than the noise",
        f"{PAPER}, Table 3",
        (Gap("LERP", "NO-CLASSIFIER"), Gap("NO-NOISE", "LERP")),
    ),
    Statement("(e) The test images as unlabelled ones help", f"{PAPER}, Table 3", (Gap("TRANSDUCTIVE", "CGLO"),)),
    Statement(
        "(f) cGLO adds to AutoAugment",
        f"{PAPER}, Table 6",
        (Gap("TRANSDUCTIVE+AUTOAUGMENT", "AUTOAUGMENT"),),
    ),
    Statement(
        "(g) With all the other training images as unlabelled ones MixMatch beats cGLO",
        f"{PAPER}, Table 5",
        (Gap("MIXMATCH-ALL", "CGLO-ALL"),),
    ),
    Statement(
        "Images between two of a class do more than reconstructions of each",
        "implied by the paper, which never ran it",
        (Gap("CGLO", "RECONSTRUCTION"),),
    ),
    Statement(
        "On the way through the sphere, which a generator that does not renormalise sees, lerp is worse than slerp",
        "implied by the paper, whose generator renormalises",
        (Gap("RAW", "RAW-LERP"),),
    ),
)


def judge(frame, data, alpha=statistics.ALPHA):
    """What the obtained scores say to each claim, protocol by protocol.

    Args:
        frame: `results.collect(root)`.
        data: name of the data set; only on CIFAR-100 and on birds published gaps have a say.
        alpha: level of significance.

    Returns:
        List of `Claim`.
    """
    rows, reference = of_grid(frame), published_scores(data)
    found = []
    for protocol in rows["protocol"].unique():
        obtained = by_cell(rows[rows["protocol"] == protocol].assign(size=rows["shots"]))
        for statement in STATEMENTS:
            found += judge_family([statement], obtained, by_cell(reference), protocol, alpha, UNIT)
    return found


def published_scores(data):
    """Published top-1 accuracies on a data set, none where there are none, as `of_grid` has the obtained ones.

    Table 6 has a baseline and a transductive cGLO of its own, 2.5 points above those of Table 1 for the same number of
    images, so that only its arms with AutoAugment are taken from there.
    """
    of_birds = any(word in data for word in BIRDS)
    parts = [numbers("cglo_2")] if of_birds else [numbers(name) for name in ("cglo_1", "cglo_3", "cglo_5")]
    if not of_birds:
        parts.append(numbers("cglo_6").query("arm.str.contains('AUTOAUGMENT')"))
    if not (of_birds or "cifar100" in data):
        parts = [part.iloc[:0] for part in parts]
    rows = pd.concat(parts).query("metric == 'top-1'").drop_duplicates(["arm", "shots"])
    return rows.assign(size=rows["shots"], seed=0, source=rows["arm"], accuracy=rows["value"] / 100)


def by_cell(rows):
    """Accuracies: a row per (size, seed), size being images per class, and a column per arm."""
    wide = rows.groupby(["size", "seed", "source"])["accuracy"].mean().unstack("source")
    return wide.reindex(columns=list(ARMS)).astype(float)


def lead(frame):
    """The page's first sentences: what each arm did beside the baseline, protocol by protocol."""
    rows, sentences = of_grid(frame), []
    for protocol in rows["protocol"].unique():
        cells, parts = by_cell(rows[rows["protocol"] == protocol].assign(size=rows["shots"])), []
        for arm in ARMS:
            gains = pd.Series(dtype=float) if arm == "BASELINE" else 100 * Gap(arm, "BASELINE").difference(cells)
            if len(gains):
                found = statistics.summary(gains)
                parts.append(f"{arm} {found.mean:+.1f} points ({found.in_words()})")
        if parts:
            sentences.append(f"Accuracy beside the baseline's, {protocol} protocol: {'; '.join(parts)}.")
    return sentences or ["No arm can be compared with the baseline yet."]
