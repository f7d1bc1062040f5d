"""Claims of Eduardo and Kazi (2018), and what the obtained scores say to each, by `report.claims`' rule.

Scores are accuracies as fractions; a point is 0.01. A pair is one alpha and seed.
"""

import pandas as pd
from scipy import stats

from experiments.neural.grid import ARMS, MODELS, TWICE
from experiments.neural.tables import DATASETS, FIT_POINTS, PAPER, assessments, dataset_of, log_fit, numbers, of_grid
from report import statistics
from report.claims import FAILS, HOLDS, NOT_RUN, Gap, Statement, fewest_pairs, judge_family
from report.parts import Claim

UNIT = "points of accuracy"
TABLE = f"{PAPER}, section 3, Table 2"
SMALLEST, FIFTH = (1, 2), 5  # alphas at which the VAE is said to beat the GAN, and from which on the GAN the VAE
OTHERS = (10, 20, 30, 40, 50, 60, 70, 80, 90, 100)  # the published alphas after it
FALLS = -0.5  # Kendall's tau of sizes and distances from which on these fall
SEEDS = 3  # of every size, below which means over the seeds decide nothing on the shape of a curve
ENOUGH, FLAT = 30, 1.1  # alpha from which on the paper trusts a distance; largest over smallest one that stay the same


def gaps(winner, *others):
    return tuple(Gap(winner, other) for other in others)


def gaps_at(winner, other, alphas):
    return tuple(Gap(winner, other, {"size": alpha}, f" at {alpha} %") for alpha in alphas)


COMMON = (
    Statement("Each image twice (AUGORIG) does better than once (ORIG)", TABLE, gaps("AUGORIG", "ORIG")),
    Statement(
        "Neural augmentation does no better than rotation and blur",
        f"{PAPER}, section 5",
        tuple(Gap(arm, model) for arm in ("ROT", "BLUR", "ROTBLUR") for model in MODELS),
    ),
    Statement(
        "With 1 and 2 % of the images the CDCVAE beats the CDCGAN",
        TABLE,
        gaps_at("CDCVAE", "CDCGAN", SMALLEST),
    ),
)
CONTROL = Statement(
    "The gain of AUGORIG is more than that of its updates: it beats ORIG with twice the passes",
    "the paper lacks this control",
    gaps("AUGORIG", TWICE),
)
OF_DATA = {
    "mnist": (
        Statement("The CDCVAE is among the best: it beats AUGORIG", TABLE, gaps("CDCVAE", "AUGORIG")),
        Statement("The CDCGAN is the worst", TABLE, tuple(Gap(arm, "CDCGAN") for arm in ARMS if arm != "CDCGAN")),
        Statement("The CDCVAE is marginally better than the CDCGAN", TABLE, gaps("CDCVAE", "CDCGAN")),
    ),
    "cifar10": (
        Statement(
            "The CDCVAE does worse than ORIG and AUGORIG",
            TABLE,
            (*gaps("ORIG", "CDCVAE"), *gaps("AUGORIG", "CDCVAE")),
        ),
        Statement("The CDCGAN does worse than AUGORIG", TABLE, gaps("AUGORIG", "CDCGAN")),
        # Two claims, for a subset of CIFAR-10 may hold enough images for the first one alone.
        Statement(
            f"With {FIFTH} % of the images the CDCGAN beats the CDCVAE", TABLE, gaps_at("CDCGAN", "CDCVAE", [FIFTH])
        ),
        Statement(
            f"From {OTHERS[0]} % of the images on the CDCGAN beats the CDCVAE",
            TABLE,
            gaps_at("CDCGAN", "CDCVAE", OTHERS),
        ),
        Statement(
            "Rotation and blur have no positive effect", TABLE, (*gaps("AUGORIG", "ROT"), *gaps("AUGORIG", "BLUR"))
        ),
    ),
}


def judge(root, frame, alpha=statistics.ALPHA):
    """What the obtained scores say to each claim, protocol by protocol.

    Args:
        root: the grid's folder.
        frame: `results.collect(root)`.
        alpha: level of significance.

    Returns:
        List of `Claim`.
    """
    rows, data, found = of_grid(frame), dataset_of(root), []
    reference = numbers("neural_2", data)
    reference = reference.assign(
        size=reference["alpha"], seed=0, source=reference["arm"], accuracy=reference["value"] / 100
    )
    for protocol in rows["protocol"].unique():
        cells = by_cell(rows[rows["protocol"] == protocol].assign(size=rows["alpha"]))
        controls = () if protocol == "fair" else (CONTROL,)
        for statement in (*COMMON, *controls, *OF_DATA[data]):
            found += judge_family([statement], cells, by_cell(reference), protocol, alpha, UNIT)
        found += trends(rows[rows["protocol"] == protocol], protocol)
        found.append(ranking(assessments(root), rows[rows["protocol"] == protocol], data, protocol))
    protocol = next(iter(rows["protocol"].unique()), "validated")  # what follows is of images alone
    made = assessments(root)
    return [*found, blur(made, data, protocol), *nearing(made, data, protocol), *staying(made, data, protocol)]


def by_cell(rows):
    """Accuracies: a row per (size, seed), size being alpha, and a column per arm."""
    wide = rows.groupby(["size", "seed", "source"])["accuracy"].mean().unstack("source")
    return wide.reindex(columns=[*ARMS, TWICE]).astype(float)


def trends(rows, protocol):
    """The two claims on the shape of the curves, from the means over seeds; decided where there are enough sizes."""
    rows = rows[rows["source"].isin(ARMS)]  # the paper's curves, not that of our control
    wide = rows.groupby(["source", "alpha"])["accuracy"].mean().unstack("alpha")
    curves = [row.dropna() for _, row in wide.iterrows() if row.notna().sum() >= FIT_POINTS]
    texts = ("All curves are logarithmic, with R^2 above 0.90", "Accuracy rises with the number of images")
    if not curves or has_few_seeds(rows[rows["source"].isin([curve.name for curve in curves])], "source"):
        evidence = f"fewer than {SEEDS} seeds were run" if curves else f"fewer than {FIT_POINTS} sizes were run"
        return [Claim(text, f"{PAPER}, section 3", protocol, statistics.OPEN, evidence) for text in texts]
    fits = [log_fit(curve.index, curve)[2] for curve in curves]
    rising = sum(bool(curve.is_monotonic_increasing) for curve in curves)
    return [
        Claim(
            texts[0],
            f"{PAPER}, section 3",
            protocol,
            HOLDS if min(fits) > 0.9 else FAILS,
            f"R^2 from {min(fits):.3f} to {max(fits):.3f} in {len(fits)} curves over {wide.shape[1]} sizes.",
        ),
        Claim(
            texts[1],
            f"{PAPER}, section 3",
            protocol,
            HOLDS if rising == len(curves) else FAILS,
            f"means over the seeds rise from size to size in {rising} of {len(curves)} curves.",
        ),
    ]


def has_few_seeds(rows, by):
    """Whether some size of some arm (column `by`) has fewer than `SEEDS` seeds."""
    return bool((rows.groupby([by, "alpha"], observed=True)["seed"].nunique() < SEEDS).any())


def ranking(made, rows, data, protocol):
    """Whether a set that lies nearer to the real images makes the better classifier: the paper finds that it need not.

    Kendall's tau of distances and accuracies is -1 for a perfect ranking and 0 for none. The claim, that the distance
    does not rank, holds if the 95 % interval of the mean tau lies above -0.5, and does not if it lies below; it takes
    as many sizes and seeds as one test.
    """
    text = "The distance of the added images does not rank the accuracies"
    printed = pd.merge(numbers("neural_1", data), numbers("neural_2", data), on=["alpha", "arm"])
    published = taus(printed, ["alpha"], "value_x", "value_y").mean()
    near = made[made["space"] == "classifier"]
    scores = rows[["alpha", "source", "seed", "accuracy"]].rename(columns={"source": "arm"})
    both = pd.merge(near, scores, on=["alpha", "arm", "seed"])
    found = taus(both, ["alpha", "seed"], "frechet", "accuracy")
    if not len(found):
        return Claim(text, f"{PAPER}, section 5", protocol, statistics.OPEN, NOT_RUN)
    tau = statistics.summary(found)
    interval = f"95 % interval {tau.low:.2f} to {tau.high:.2f}" if len(found) > 1 else "no interval"
    evidence = (
        f"Kendall's tau of distance (classifier space) and accuracy over the arms with added images: {tau.mean:.2f} "
        f"({interval}, n = {len(found)} sizes and seeds); published, Inception: {published:.2f}; "
        "-1 would be a perfect ranking."
    )
    needed = fewest_pairs(1, statistics.ALPHA)
    if len(found) < needed:
        evidence += f" At least {needed} sizes and seeds are needed."
    if len(found) < needed or tau.low <= -0.5 <= tau.high:
        return Claim(text, f"{PAPER}, section 5", protocol, statistics.OPEN, evidence)
    return Claim(text, f"{PAPER}, section 5", protocol, HOLDS if tau.low > -0.5 else FAILS, evidence)


def taus(rows, by, distance, accuracy):
    """Kendall's tau of two columns per group of rows; groups of fewer than three, or of equal values, say nothing."""
    groups = [group for _, group in rows.groupby(by) if len(group) >= 3]
    found = [stats.kendalltau(group[distance], group[accuracy]).statistic for group in groups]
    return pd.Series(found, dtype=float).dropna()


def nearing(made, data, protocol):
    """Whether generated images come nearer to the real ones with more of these, from the means over seeds.

    The distance falls if Kendall's tau of sizes and mean distances is -0.5 or less: three of four pairs of sizes in
    order. A fall from each size to the next would refuse the paper's own numbers (CDCVAE on MNIST: 11.81 at 50 %, 11.99
    at 60 %).
    """
    claims = []
    for arm in ("CDCVAE", "CDCGAN") if data == "mnist" else ("CDCGAN",):
        means = distances_of(made, arm)
        text = f"The distance of the {arm}'s images falls with the number of training images"
        verdict, evidence = statistics.OPEN, f"fewer than {FIT_POINTS} sizes were run"
        few = has_few_seeds(made[made["arm"] == arm], "arm")
        if len(means) >= FIT_POINTS and few:
            evidence = f"fewer than {SEEDS} seeds were run"
        elif len(means) >= FIT_POINTS:
            ours, theirs = (stats.kendalltau(x.index, x).statistic for x in (means, published_distances(data, arm)))
            verdict = HOLDS if ours <= FALLS else FAILS
            values = ", ".join(f"{value:.1f} at {size} %" for size, value in means.items())
            evidence = (
                f"classifier space: {values}; Kendall's tau of size and distance {ours:.2f} (published, Inception: "
                f"{theirs:.2f}), a fall from {FALLS} on; few images bias a distance upward, so some of any fall is "
                "theirs."
            )
        claims.append(Claim(text, f"{PAPER}, section 3, Table 1", protocol, verdict, evidence))
    return claims


def staying(made, data, protocol):
    """Whether distances that the paper calls constant are: of rotated images, and on CIFAR-10 of the CDCVAE's.

    From the means over seeds at 30 % and more, for the paper trusts no distance of fewer images. They stay the same if
    the largest is at most 1.1 times the smallest; published are 1.01 and 1.02 for rotations and 1.04 for the CDCVAE,
    and 1.25 for the CDCVAE on MNIST, whose distance falls. That they stay about 140 is of Inception's space alone.
    """
    texts = {"ROT": f"The distance of rotated images stays the same from {ENOUGH} % of the images on"}
    if data == "cifar10":
        texts["CDCVAE"] = (
            f"The distance of the CDCVAE's images stays the same from {ENOUGH} % on (published: about 140)"
        )
    claims = []
    for arm, text in texts.items():
        ours, theirs = (x[x.index >= ENOUGH] for x in (distances_of(made, arm), published_distances(data, arm)))
        printed = f"published, Inception: {theirs.min():.2f} to {theirs.max():.2f}"
        verdict = statistics.OPEN
        evidence = (
            f"sizes of {ENOUGH} % and more that were run: {len(ours)}, at least {FIT_POINTS} are needed; {printed}."
        )
        if len(ours) >= FIT_POINTS and has_few_seeds(made[(made["arm"] == arm) & (made["alpha"] >= ENOUGH)], "arm"):
            evidence = f"fewer than {SEEDS} seeds were run; {printed}."
        elif len(ours) >= FIT_POINTS:
            verdict = HOLDS if ours.max() <= FLAT * ours.min() else FAILS
            evidence = (
                f"classifier space: {ours.min():.1f} to {ours.max():.1f} at {len(ours)} sizes ({printed}); the same "
                f"where the largest is at most {FLAT} times the smallest."
            )
        claims.append(Claim(text, f"{PAPER}, section 3, Table 1", protocol, verdict, evidence))
    return claims


def distances_of(made, arm):
    """The mean distance of an arm's images in the classifier's space, a Series indexed by alpha."""
    rows = made[(made["arm"] == arm) & (made["space"] == "classifier")]
    return rows.groupby("alpha")["frechet"].mean()


def published_distances(data, arm):
    """The published distances of an arm, a Series indexed by alpha."""
    cells = numbers("neural_1", data)
    return cells[cells["arm"] == arm].groupby("alpha")["value"].mean()


def blur(made, data, protocol):
    """Finding no. 1: the published distance of blurred images is 0.00 everywhere; a blur that is applied leaves one."""
    text = "Blurred images lie at distance 0 from the real ones (BLUR 0.00, ROTBLUR equal to ROT)"
    blurred = made[made["arm"] == "BLUR"]
    source = f"{PAPER}, section 3, Table 1"
    printed = numbers("neural_1", data)
    zeros = (printed.loc[printed["arm"] == "BLUR", "value"] == 0).sum()
    if not len(blurred):
        return Claim(text, source, protocol, statistics.OPEN, NOT_RUN)
    parts = [
        f"{space}: {group['frechet'].min():.2f} to {group['frechet'].max():.2f} in {len(group)} sets"
        for space, group in blurred.groupby("space")
    ]
    evidence = (
        f"published 0.00 in {zeros} of {zeros} sizes of {DATASETS[data]}, where the blur was almost surely never "
        f"applied; obtained {'; '.join(parts)}."
    )
    return Claim(text, source, protocol, FAILS if (blurred["frechet"] > 0).all() else HOLDS, evidence)


def lead(frame):
    """The page's first sentences: what each arm did beside AUGORIG, protocol by protocol."""
    rows, sentences = of_grid(frame), []
    for protocol in rows["protocol"].unique():
        cells, parts = by_cell(rows[rows["protocol"] == protocol].assign(size=rows["alpha"])), []
        for arm in (*ARMS, TWICE):
            gains = pd.Series(dtype=float) if arm == "AUGORIG" else 100 * Gap(arm, "AUGORIG").difference(cells)
            if len(gains):
                found = statistics.summary(gains)
                parts.append(f"{arm} {found.mean:+.1f} points ({found.in_words()})")
        if parts:
            sentences.append(f"Accuracy beside each image twice (AUGORIG), {protocol} protocol: {'; '.join(parts)}.")
    return sentences or ["No arm can be compared with AUGORIG yet."]
