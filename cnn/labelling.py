"""States of Markov chains beside the labelled images that they start from, and which are used (Maronas 2018, 2.2).

`n` uses every state, with its start's label. `y` uses those that the classifier being trained gives that label, and
asks it anew in every step.
"""

import numpy as np

RULES = ("n", "y")
# Deviation 14: states a step for each labelled image in it. Of 1, 3 and 10, on validation digits from MNIST's training
# part (FC1, 10 and 100 labels, 2 seeds), 10 was worst, 1 and 3 were even.
STATES_PER_IMAGE = 3


class Labelling:
    """Joins chain states to the batches of a training.

    A step's batch is the labelled images that it would have had anyway and `states_per_image` times as many states. Its
    size is fixed, and batch norm sees nothing but what is learned from: under `y` the states that are used take the
    places of the others in turn; where none is used, the labelled images of the batch do.

    Args:
        chains: an object whose `next(count)` gives `count` states, float32 `(count, height, width, channels)`, and for
            each the place of the image where its chain started.
        labels: one-hot labels of those images, float32 `(num_starts, num_classes)`.
        rule: `"n"` or `"y"`.
        classify: for `y`: maps images to probabilities `(count, num_classes)`, by the weights of the moment.
        augment: maps states to images of the same shape before they join; None leaves them. Not seen by `classify`.
        states_per_image: whole number.

    Attributes:
        drawn, used: states so far.
    """

    def __init__(self, chains, labels, rule="n", classify=None, augment=None, states_per_image=STATES_PER_IMAGE):
        if rule not in RULES:
            raise ValueError(f"`rule` should be one of {RULES}. Received: {rule!r}")
        self.chains, self.labels, self.rule = chains, labels, rule
        self.classify, self.augment, self.states_per_image = classify, augment, states_per_image
        self.drawn = self.used = 0

    def batches(self, labelled):
        """Adds states to pairs of images and one-hot labels, and yields such pairs.

        The states of a step are drawn and judged when it is asked for: ask when the step before it is done.
        """
        for x, y in labelled:
            states, targets = self.draw(self.states_per_image * len(x), x, y)
            yield np.concatenate([x, states]), np.concatenate([y, targets])

    def draw(self, count, x, y):
        """`count` states to use, with their labels; `x` and `y` stand in where none is to be used."""
        states, starts = self.chains.next(count)
        targets = self.labels[starts]
        rows = np.arange(count)
        if self.rule == "y":
            rows = np.flatnonzero(self.classify(states).argmax(axis=1) == targets.argmax(axis=1))
        self.drawn += count
        self.used += len(rows)
        if not len(rows):
            rows = np.arange(count) % len(x)
            return x[rows], y[rows]
        rows = rows[np.arange(count) % len(rows)]
        return (self.augment(states[rows]) if self.augment else states[rows]), targets[rows]
