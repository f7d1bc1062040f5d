"""The papers' claims, and what the obtained scores say to each.

Scores are macro F1 as fractions; sentences speak of points of F1, a point being 0.01.
"""

import pandas as pd

from cnn.protocols import ARMS
from experiments.thesis import published
from experiments.thesis.comparison import by_pair, has_latent
from report.claims import FAILS, HOLDS, all_of, judge_direction, judge_figure, make_gain, weigh
from report.parts import Claim
from report.statistics import ALPHA, OPEN, over_latents

TABLE_3 = (
    ("VAE", "CNN", "Generated images improve the plain CNN (VAE above CNN)"),
    ("AUG", "CNN", "Classic augmentation improves the plain CNN (AUG above CNN)"),
    ("AUG", "VAE", "Classic augmentation gains more than generated images (AUG above VAE)"),
    ("AUG+VAE", "CNN", "Both together improve the plain CNN (AUG+VAE above CNN)"),
    ("AUG+VAE", "VAE", "Both together beat generated images alone (AUG+VAE above VAE)"),
    ("AUG+VAE", "AUG", "Both together beat classic augmentation alone (AUG+VAE above AUG)"),
)
ALL_OF_TABLE_3 = "Every difference of Table 3 is significant (p < 0.01)"
BLIND = (
    " As released, AUG+VAE is fed no generated image: where it differs from AUG, it is the rule for stopping and "
    "choosing weights that differs."
)


def judge(frame, alpha=ALPHA):
    """What the obtained scores say to each claim of the papers, protocol by protocol.

    A claim names a gain: the difference between two arms, latent dimensions or ways of feeding, one a (size, seed),
    averaged over latent dimensions. Its test's p is corrected by Holm's method within its family: the six comparisons
    of CIARP's Table 3; latent dimension 3 against 2, 4 and 8; the two gains at 50 images; the others alone. A claim

    - "holds" if the gain is positive and corrected p < alpha;
    - "does not hold" if the gain is negative and corrected p < alpha, or if its 95 % interval ends below half of what
      was published for the same sizes: a gain that small is none worth the name of the published one;
    - is "not decided" otherwise, and always if there are too few pairs for any corrected p below alpha: what cannot
      confirm a claim is not let refute it. One test takes 8 pairs (p = 2 / 2**8 = 0.0078), six take 11.

    A claim of several gains holds if all hold, and does not if one does not. A published figure (14.56 points) holds if
    there is a gain and its interval contains the figure, and does not if the interval leaves it out. Published figures
    are of MNIST and of single runs. In the published protocol arms differ in steps and selection too, so a verdict is
    on the arms as released, not on the images that joined.

    Args:
        frame: `results.collect` of any protocols.
        alpha: level of significance.

    Returns:
        List of `results.Claim`; where nothing was run, "not decided" with evidence "not run".
    """
    found = []
    for protocol in frame["protocol"].unique():
        rows = frame[(frame["protocol"] == protocol) & (frame["variant"] == "")]
        scores, fed = by_pair(rows), rows.loc[has_latent(rows), "arm"].unique()
        blind = ((rows["arm"] == "AUG+VAE") & (rows["generated"] == 0)).any()
        arms = [arm for arm in ARMS if arm in fed] or ["VAE"]
        parts = [*_arms(scores, alpha), _latents(scores, arms, alpha), *_fifty(scores, blind, alpha)]
        for text, source, verdict, evidence in [*parts, _pages(rows, alpha), _sizes(scores, alpha)]:
            if evidence != "not run":
                evidence += "." + (BLIND if blind and "AUG+VAE" in text + evidence else "")
            found.append(Claim(text, source, protocol, verdict, evidence))
    return found


def table_2(latents=()):
    """CIARP's Table 2 as `by_pair` gives obtained scores: of these latent dimensions, or of all if none is named."""
    wide = published.read("ciarp_2").assign(seed=0).astype({"latent": "int64"})
    wide = wide.pivot(index=["size", "seed", "latent"], columns="method", values="f1_percent") / 100
    return wide[wide.index.get_level_values("latent").isin(latents)] if any(latents) else wide


def _arms(scores, alpha):
    reference = table_2(scores.index.unique("latent"))
    gains = [
        make_gain(f"{row} over {column}", scores[row] - scores[column], reference[row] - reference[column])
        for row, column, _ in TABLE_3
    ]
    found = weigh(gains, alpha, judge_direction)
    source = "CIARP 2018, section 3.4, Tables 2 and 3"
    each = [(text, source, *verdict) for (_, _, text), verdict in zip(TABLE_3, found, strict=True)]
    groups = {verdict: [] for verdict in (HOLDS, FAILS, OPEN, "not run")}
    for gain, (verdict, text) in zip(gains, found, strict=True):
        groups["not run" if text == "not run" else verdict].append(gain.words)
    evidence = "; ".join(f"{verdict}: {', '.join(words)}" for verdict, words in groups.items() if words)
    if all(gain.differences.empty for gain in gains):
        evidence = "not run"
    return [*each, (ALL_OF_TABLE_3, source, all_of([verdict for verdict, _ in found]), evidence)]


def _latents(scores, arms, alpha):
    def lead(wide, other):
        tables = {arm: wide[arm].unstack("latent").reindex(columns=[3, other]) for arm in arms}
        return pd.DataFrame({arm: table[3] - table[other] for arm, table in tables.items()}).mean(axis=1)

    gains = [
        make_gain(f"3 over {other} ({', '.join(arms)})", lead(scores, other), lead(table_2(), other))
        for other in (2, 4, 8)
    ]
    found = weigh(gains, alpha, judge_direction)
    texts = [
        text if text != "not run" else f"{gain.words}: {text}" for gain, (_, text) in zip(gains, found, strict=True)
    ]
    evidence = "not run" if all(gain.differences.empty for gain in gains) else "; ".join(texts)
    text = "Latent dimension 3 is the best of 2, 3, 4 and 8 overall"
    return text, "CIARP 2018, section 3.4; thesis, section 6.5.3", all_of([verdict for verdict, _ in found]), evidence


def _fifty(scores, blind, alpha):
    def at_fifty(wide, other, any_latent=False):
        gaps = wide["AUG+VAE"] - wide[other]
        latents = gaps.index.get_level_values("latent")
        return gaps[(gaps.index.get_level_values("size") == 50) & ((latents == 3) | any_latent)]

    figures = {"CNN": "14.56", "AUG": "4.76"}
    gains = [make_gain(f"AUG+VAE over {o}", at_fifty(scores, o, blind), at_fifty(table_2(), o)) for o in figures]
    claimed = []
    for other, gain, (verdict, text) in zip(figures, gains, weigh(gains, alpha, judge_figure), strict=True):
        if len(gain.differences) > 1:
            text += f"; single seeds gain {100 * gain.differences.min():.2f} to {100 * gain.differences.max():.2f}"
        claim = f"With 50 images and latent dimension 3, AUG+VAE gains {figures[other]} points of F1 over {other}"
        claimed.append((claim, "CIARP 2018, section 3.4", verdict, text))
    return claimed


def _pages(rows, alpha):
    vae = rows[(rows["arm"] == "VAE") & has_latent(rows)]
    obtained = vae.groupby(["size", "seed", "latent", "injection"])["f1"].mean().unstack("injection")
    cells = published.read("thesis_methods")
    cells = cells[(cells["section"] == "6.4.2") & (cells["metric"] == "f1") & cells["injection"].notna()]
    reference = cells.pivot(index=["size", "latent"], columns="injection", values="value")  # latent dimension 2 alone
    gaps = [wide["pages"] - wide["all"] for wide in (obtained.reindex(columns=["pages", "all"]), reference)]
    [found] = weigh([make_gain("pages over all at once", *gaps)], alpha, judge_direction)
    text = "Generated images do better fed in pages than all at once (NEW VAE above OLD VAE)"
    return text, "Thesis, section 6.4, Tables 6.28 to 6.32", *found


def _sizes(scores, alpha):
    def shrinkage(wide):
        table = over_latents((wide["VAE"] - wide["CNN"]).dropna()).unstack("size").reindex(columns=ends)
        return pd.concat({ends[0]: table[ends[0]] - table[ends[-1]]}, names=["size"])

    found = OPEN, "not run"
    sizes = sorted((scores["VAE"] - scores["CNN"]).dropna().index.unique("size"))
    if len(sizes) > 1:
        ends, reference = [sizes[0], sizes[-1]], table_2(scores.index.unique("latent"))
        words = f"VAE over CNN with {ends[0]} images less that with {ends[1]}"
        [found] = weigh([make_gain(words, shrinkage(scores), shrinkage(reference))], alpha, judge_direction)
    text = "Generated images gain the more over the plain CNN, the smaller the training set"
    return text, "CIARP 2018, Table 2; thesis, section 6.4.2", *found
