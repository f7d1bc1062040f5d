"""The paired comparisons of arms of CIARP 2018, Table 3."""

import numpy as np
import pandas as pd

from cnn.protocols import ARMS
from experiments.thesis import published
from report.statistics import ALPHA, OPEN, holm, over_latents, paired_test


def compare_arms(frame, alpha=ALPHA, pool="seeds"):
    """Every comparison of CIARP 2018, Table 3, on the obtained scores of one protocol.

    Scores pair up by size, seed and latent dimension. An arm without a latent dimension pairs with each of the other's,
    and so does AUG+VAE where it was fed no generated image. A cell that is missing takes its pair with it.

    Args:
        frame: rows of `results.collect`; only the grid's arms with pages count.
        alpha: level of significance.
        pool: `"seeds"`: a pair is one (size, seed), its difference the mean over latent dimensions. `"latents"`: a pair
            is one (size, seed, latent), as published; CNN and AUG then repeat, so pairs are not independent and p is
            too small. AUG above CNN at p < 0.01 takes such repeats: Table 2 has five distinct pairs, p = 0.0625.

    Returns:
        DataFrame with columns `row`, `column`, `n`, `mean_difference`, `median_difference` (row - column, fractions),
        `p`, `p_holm` (over the six unordered pairs), `min_p`, `rank_biserial`, `d_z`, `outcome`, `outcome_holm` and
        `published`. Outcomes are `"better"`, `"worse"`, `"same"` (p >= alpha), `"not decided"` (with so few pairs no
        scores could have brought p, or p_holm, below alpha) and `"not run"`. Sizes of one seed share images (subsets
        nest), so even `"seeds"` takes its pairs for somewhat more independent than they are.

    Raises:
        ValueError: more than one protocol, or an unknown `pool`.
    """
    if frame["protocol"].nunique() > 1:
        raise ValueError(f"one protocol at a time. Received: {', '.join(frame['protocol'].unique())}")
    if pool not in ("seeds", "latents"):
        raise ValueError(f"pool must be 'seeds' or 'latents'. Received: {pool!r}")
    scores, table = by_pair(frame), published.read("ciarp_3")[["row", "column", "outcome"]]
    gaps = [(scores[row] - scores[column]).dropna() for row, column in zip(table["row"], table["column"], strict=True)]
    tests = pd.DataFrame([paired_test(gap if pool == "latents" else over_latents(gap)) for gap in gaps])
    table = pd.concat([table.rename(columns={"outcome": "published"}), tests], axis=1)
    pairs = table[["row", "column"]].apply(frozenset, axis=1)
    once = ~pairs.duplicated()  # VAE against AUG and AUG against VAE are one test
    for name in ("p", "min_p"):
        table[f"{name}_holm"] = pairs.map(dict(zip(pairs[once], holm(table[name][once]), strict=True)))
    table["outcome"] = _outcomes(table, "p", "min_p", alpha)
    # Adjusted values grow with each p, so no scores bring them below those of the smallest attainable p.
    table["outcome_holm"] = _outcomes(table, "p_holm", "min_p_holm", alpha)
    columns = "row column n mean_difference median_difference p p_holm min_p rank_biserial d_z".split()
    return table[[*columns, "outcome", "outcome_holm", "published"]]


def _outcomes(table, p, floor, alpha):
    cases = [table["n"] == 0, table[floor] >= alpha, table[p] >= alpha, table["rank_biserial"] > 0]
    return np.select(cases, ["not run", OPEN, "same", "better"], "worse")


def by_pair(frame):
    """Macro F1, a row a (size, seed, latent), a column an arm; what has no latent dimension repeats over them all."""
    rows = frame[(frame["variant"] == "") & (frame["injection"] != "all")]
    own = has_latent(rows)
    latents = sorted(map(int, rows.loc[own, "latent"].unique())) or [0]
    each = [[int(latent)] if mine else latents for latent, mine in zip(rows["latent"], own, strict=True)]
    rows = rows.assign(latent=pd.Series(each, rows.index, dtype=object), arm=rows["arm"].astype(str)).explode("latent")
    rows = rows.astype({"latent": "int64"})
    wide = rows.groupby(["size", "seed", "latent", "arm"])["f1"].mean().unstack("arm")
    return wide.reindex(columns=list(ARMS))


def has_latent(rows):
    """Whether a classifier depends on the latent dimension: the published AUG+VAE has one and is fed no image of it."""
    return (rows["generated"] > 0) & rows["latent"].notna()
