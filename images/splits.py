"""Splits of one class into parts, drawn from a seed."""

import numpy as np
from sklearn.model_selection import train_test_split


def split(items, fraction, seed, part="test"):
    """Splits a list into a training part and another, at least one item in each (thesis 4.2.1: 84 % and 16 %).

    Args:
        items: a list.
        fraction: share of the other part, rounded up.
        seed: integer.
        part: what the other part is called in an error.

    Raises:
        ValueError: fewer than two items.
    """
    if len(items) < 2:
        raise ValueError(f"{len(items)} image, at least 2 are needed for a training and a {part} part")
    size = min(max(int(np.ceil(fraction * len(items))), 1), len(items) - 1)
    return train_test_split(items, test_size=size, random_state=seed)
