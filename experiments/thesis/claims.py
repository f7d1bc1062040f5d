"""The papers' claims, and what the obtained scores say to each, by the rule of `report.claims`.

Scores are macro F1 as fractions; sentences speak of points of F1, a point being 0.01. Published figures are of MNIST
and of single runs. In the published protocol arms differ in steps and selection too, so a verdict is on the arms as
released, not on the images that joined.
"""

from functools import partial

import pandas as pd

from cnn.protocols import ARMS
from experiments.thesis import published
from experiments.thesis.comparison import by_pair, has_latent
from report.claims import (
    FAILS,
    HOLDS,
    NOT_RUN,
    Gap,
    Statement,
    all_of,
    fewest_pairs,
    judge_family,
    judge_figure,
    make_gain,
)
from report.parts import Claim
from report.statistics import ALPHA, OPEN, over_latents

CIARP = "CIARP 2018, section 3.4"
TABLES = f"{CIARP}, Tables 2 and 3"
TABLE_3 = tuple(
    Statement(text, TABLES, (Gap(one, other),))
    for one, other, text in (
        ("VAE", "CNN", "Generated images improve the plain CNN (VAE above CNN)"),
        ("AUG", "CNN", "Classic augmentation improves the plain CNN (AUG above CNN)"),
        ("AUG", "VAE", "Classic augmentation gains more than generated images (AUG above VAE)"),
        ("AUG+VAE", "CNN", "Both together improve the plain CNN (AUG+VAE above CNN)"),
        ("AUG+VAE", "VAE", "Both together beat generated images alone (AUG+VAE above VAE)"),
        ("AUG+VAE", "AUG", "Both together beat classic augmentation alone (AUG+VAE above AUG)"),
    )
)
ALL_OF_TABLE_3 = "Every difference of Table 3 is significant (p < 0.01)"
FIGURES = {"CNN": "14.56", "AUG": "4.76"}  # what AUG+VAE gained over these with 50 images
PAGES = Statement(
    "Generated images do better fed in pages than all at once (NEW VAE above OLD VAE)",
    "Thesis, section 6.4, Tables 6.28 to 6.32",
    (lambda obtained, theirs: in_pages(obtained, theirs),),
)
SIZES = Statement(
    "Generated images gain the more over the plain CNN, the smaller the training set",
    "CIARP 2018, Table 2; thesis, section 6.4.2",
    (lambda obtained, theirs: smaller_sets(obtained, theirs),),
)
BLIND = (
    " As released, AUG+VAE is fed no generated image: where it differs from AUG, it is the rule for stopping and "
    "choosing weights that differs."
)


def judge(frame, alpha=ALPHA):
    """What the obtained scores say to each claim of the papers, protocol by protocol.

    A gain is the difference between two arms, latent dimensions or ways of feeding, one per (size, seed), averaged over
    latent dimensions. Families of tests: the six comparisons of CIARP's Table 3; latent dimension 3 against 2, 4 and 8;
    the two gains at 50 images; the others alone.

    Args:
        frame: `results.collect` of any protocols.
        alpha: level of significance.

    Returns:
        List of `Claim`; where nothing was run, "not decided" with evidence "not run".
    """
    found = []
    for protocol in frame["protocol"].unique():
        rows = frame[(frame["protocol"] == protocol) & (frame["variant"] == "")]
        scores, fed = by_pair(rows), rows.loc[has_latent(rows), "arm"].unique()
        blind = ((rows["arm"] == "AUG+VAE") & (rows["generated"] == 0)).any()
        arms = [arm for arm in ARMS if arm in fed] or ["VAE"]
        same = of_latents(scores.index.unique("latent"))
        families = (
            ([latents(arms)], scores, table_2()),
            (fifty(blind), scores, table_2()),
            ([PAGES], *by_feeding(rows)),
            ([SIZES], scores, same),
        )
        claims = judge_family(TABLE_3, scores, same, protocol, alpha)
        claims.append(all_differences(claims, protocol, alpha))
        for family in families:
            claims += judge_family(*family, protocol, alpha)
        for claim in claims:
            if blind and not claim.evidence.startswith(NOT_RUN) and "AUG+VAE" in claim.text + claim.evidence:
                claim.evidence += BLIND
        found += claims
    return found


def table_2():
    """CIARP's Table 2 as `by_pair` gives obtained scores, with seed 0."""
    wide = published.read("ciarp_2").assign(seed=0).astype({"latent": "int64"})
    return wide.pivot(index=["size", "seed", "latent"], columns="method", values="f1_percent") / 100


def of_latents(latents):
    """Table 2 at these latent dimensions; where `by_pair` found none and says 0, the mean over all of them."""
    wide = table_2()
    if any(latents):
        return wide[wide.index.get_level_values("latent").isin(latents)]
    means = pd.concat({0: wide.groupby(level=["size", "seed"]).mean()}, names=["latent"])
    return means.reorder_levels(wide.index.names)


def all_differences(claims, protocol, alpha):
    """The claim that all of Table 3 holds, from the claims of its six comparisons."""
    groups = {verdict: [] for verdict in (HOLDS, FAILS, OPEN, NOT_RUN)}
    for statement, claim in zip(TABLE_3, claims, strict=True):
        [gap] = statement.gaps
        groups[NOT_RUN if claim.evidence.startswith(NOT_RUN) else claim.verdict].append(f"{gap.one} over {gap.other}")
    evidence = "; ".join(f"{verdict}: {', '.join(words)}" for verdict, words in groups.items() if words)
    evidence = NOT_RUN if len(groups[NOT_RUN]) == len(claims) else evidence
    evidence += f"; all six need at least {fewest_pairs(len(claims), alpha)} pairs."
    return Claim(ALL_OF_TABLE_3, TABLES, protocol, all_of([claim.verdict for claim in claims]), evidence)


def latents(arms):
    """The claim that latent dimension 3 is the best, on the mean of these arms."""

    def gap(other, obtained, theirs):
        def lead(wide):
            tables = {arm: wide[arm].unstack("latent").reindex(columns=[3, other]) for arm in arms}
            return pd.DataFrame({arm: table[3] - table[other] for arm, table in tables.items()}).mean(axis=1)

        return make_gain(f"3 over {other} ({', '.join(arms)})", lead(obtained), lead(theirs))

    text = "Latent dimension 3 is the best of 2, 3, 4 and 8 overall"
    return Statement(text, f"{CIARP}; thesis, section 6.5.3", tuple(partial(gap, other) for other in (2, 4, 8)))


def fifty(blind):
    """The claims on what AUG+VAE gains with 50 images; `blind`, it was fed none, and so has no latent dimension."""

    def gap(other, obtained, theirs):
        where = {"size": 50} if blind else {"size": 50, "latent": 3}
        ours = Gap("AUG+VAE", other, where).difference(obtained)
        figure = Gap("AUG+VAE", other, {"size": 50, "latent": 3}).difference(theirs)
        return make_gain(f"AUG+VAE over {other}", ours, figure)

    def single_seeds(gain):
        if len(gain.differences) < 2:
            return ""
        return f"; single seeds gain {100 * gain.differences.min():.2f} to {100 * gain.differences.max():.2f}"

    text = "With 50 images and latent dimension 3, AUG+VAE gains {} points of F1 over {}"
    return [
        Statement(text.format(figure, other), CIARP, (partial(gap, other),), judge_figure, single_seeds)
        for other, figure in FIGURES.items()
    ]


def by_feeding(rows):
    """Obtained and published scores of the VAE arm by how images are fed: columns `pages` and `all`."""
    vae = rows[(rows["arm"] == "VAE") & has_latent(rows)]
    obtained = vae.groupby(["size", "seed", "latent", "injection"])["f1"].mean().unstack("injection")
    cells = published.read("thesis_methods")
    cells = cells[(cells["section"] == "6.4.2") & (cells["metric"] == "f1") & cells["injection"].notna()]
    theirs = cells.pivot(index=["size", "latent"], columns="injection", values="value")  # latent dimension 2 alone
    return obtained.reindex(columns=["pages", "all"]), theirs


def in_pages(obtained, theirs):
    """Generated images in pages over all of them at once."""
    gaps = [wide["pages"] - wide["all"] for wide in (obtained, theirs)]
    return make_gain("pages over all at once", *gaps)


def smaller_sets(obtained, theirs):
    """How much more generated images gain over the CNN with the fewest images that were run than with the most."""
    gap = Gap("VAE", "CNN")
    sizes = sorted(gap.difference(obtained).index.unique("size"))
    if len(sizes) < 2:
        return make_gain("fewest images over most", obtained["VAE"][:0], theirs["VAE"][:0])
    few, many = sizes[0], sizes[-1]

    def shrinkage(wide):
        table = over_latents(gap.difference(wide)).unstack("size").reindex(columns=[few, many])
        return pd.concat({few: table[few] - table[many]}, names=["size"])

    words = f"VAE over CNN with {few} images less that with {many}"
    return make_gain(words, shrinkage(obtained), shrinkage(theirs))
