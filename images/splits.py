"""Splits of one class into parts, drawn from a seed."""

import numpy as np
from sklearn.model_selection import train_test_split


def split(items, test_fraction, seed):
    """Splits a list into training and test part, at least one item in each (thesis 4.2.1: 84 % and 16 %).

    Raises:
        ValueError: fewer than two items.
    """
    if len(items) < 2:
        raise ValueError(f"{len(items)} image, at least 2 are needed for a training and a test part")
    test_size = min(max(int(np.ceil(test_fraction * len(items))), 1), len(items) - 1)
    return train_test_split(items, test_size=test_size, random_state=seed)
