"""Latents of unit norm: random ones, paths between two of them, and angles. NumPy only, rows are latents."""

import numpy as np

PATHS = ("slerp", "lerp")
NEAR = 1e-9  # sine of an angle below which two latents lie on one line


def normalise(latents):
    """Scales each row of `(num_latents, latent_dim)` to unit norm."""
    return latents / np.linalg.norm(latents, axis=1, keepdims=True)


def uniform(count, latent_dim, rng):
    """Draws latents uniformly from the unit sphere, float64 `(count, latent_dim)`."""
    return normalise(rng.standard_normal((count, latent_dim)))


def slerp(first, second, t):
    """Walks along great circles (Shoemake 1985; Azuri and Weinshall 2020, eq. 3).

    It is computed from the direction in which `second` lies, seen from `first`: stable where the formula with
    1 / sin(angle) is 0 / 0. Between opposite latents all ways are equally short, and one of them is taken.

    Args:
        first, second: unit norm, `(num_latents, latent_dim)`.
        t: `(num_latents,)`, share of the way, from 0 (`first`) to 1 (`second`).

    Returns:
        float64 `(num_latents, latent_dim)`, unit norm.
    """
    first, second = (normalise(np.asarray(part, np.float64)) for part in (first, second))  # float32 is not quite unit
    t = np.asarray(t, np.float64)
    cosine = np.sum(first * second, axis=1, keepdims=True)
    aside = second - cosine * first
    sine = np.linalg.norm(aside, axis=1, keepdims=True)
    aside = np.where(sine > NEAR, aside, _across(first))
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    angle = t[:, None] * np.arctan2(sine, cosine)
    return np.cos(angle) * first + np.sin(angle) * aside


def _across(latents):
    """Some direction at a right angle to each latent: its most different axis, less what it shares with the latent."""
    rows, axes = np.arange(len(latents)), np.abs(latents).argmin(axis=1)
    across = -latents[rows, axes][:, None] * latents
    across[rows, axes] += 1
    return across


def lerp(first, second, t):
    """Walks along straight lines, through the inside of the sphere; arguments as of `slerp`."""
    first, second, t = (np.asarray(part, np.float64) for part in (first, second, t))
    return (1 - t[:, None]) * first + t[:, None] * second


def mean_angles(latents, labels, most=1000):
    """Mean angles between latents of the same and of different classes, in degrees.

    Args:
        latents: unit norm, `(num_latents, latent_dim)`.
        labels: integers `(num_latents,)`, their classes.
        most: latents to look at; of more, this many at even distances.

    Returns:
        Pair of floats, within and between classes; NaN where there is no such pair.
    """
    step = -(-len(latents) // most)
    latents, labels = np.asarray(latents, np.float64)[::step], np.asarray(labels)[::step]
    first, second = np.triu_indices(len(latents), 1)
    angles = np.degrees(np.arccos(np.clip(latents @ latents.T, -1, 1)))[first, second]
    same = labels[first] == labels[second]
    return tuple(float(angles[part].mean()) if part.any() else float("nan") for part in (same, ~same))
