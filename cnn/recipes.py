"""How a classifier is optimised: optimiser, learning rate, weight decay. Nothing here loads Keras."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

LADDER_RATE = 0.002  # Rasmus et al. 2015, released code
LADDER_CONSTANT = 2 / 3  # share of the training before the learning rate falls, to 0 at the end


@dataclass(frozen=True)
class Recipe:
    """How a classifier is optimised.

    Attributes:
        optimizer: name of a Keras optimiser.
        options: its settings, where they are not Keras' defaults.
        learning_rate: maps an epoch, from 0, and the number of epochs to the epoch's learning rate; None keeps the
            optimiser's own.
        falls: shares of the optimiser steps after which the learning rate of `options` falls, rising.
        factor: what it is then multiplied by.
        weight_decay: PyTorch's, which is added to the gradient and so goes through momentum: all weights, those of
            batch norm and biases included, get an L2 penalty of half of it times their squares.
    """

    optimizer: str = "adam"
    options: Mapping = field(default_factory=dict)
    learning_rate: Callable | None = None
    falls: tuple = ()
    factor: float = 1.0
    weight_decay: float = 0.0

    def changed(self, rate=None, weight_decay=None):
        """Gives the recipe with another learning rate at the start and another weight decay; None keeps its own."""
        options = {**self.options, "learning_rate": rate} if rate else self.options
        decay = self.weight_decay if weight_decay is None else weight_decay
        return replace(self, options=options, weight_decay=decay)

    def rates(self, steps):
        """Lays out the learning rate by optimiser steps, as Keras' `PiecewiseConstantDecay` takes it.

        Args:
            steps: of the whole training.

        Returns:
            The last step, from 0, before each fall, and the rate before and after each: one more.
        """
        last = [math.ceil(share * steps - 1e-9) - 1 for share in self.falls]
        return last, [self.options["learning_rate"] * self.factor**k for k in range(len(last) + 1)]


def ladder_rate(epoch, epochs):
    """Gives the ladder network's learning rate: constant, then falling to 0 (Rasmus et al. 2015, released code)."""
    return LADDER_RATE * min(1.0, (1 - epoch / epochs) / (1 - LADDER_CONSTANT))


ADAM = Recipe()  # thesis 5.3.2
LADDER = Recipe(learning_rate=ladder_rate)
# Azuri & Weinshall 2020, released code: WRN on CIFAR, and ResNet-50 on birds, whose rate falls every hundredth.
SGD = {"momentum": 0.9, "nesterov": True}
WRN = Recipe("sgd", {"learning_rate": 0.1, **SGD}, falls=(0.3, 0.6, 0.8), factor=0.2, weight_decay=5e-4)
HUNDREDTHS = tuple(k / 100 for k in range(1, 100))
RESNET = Recipe("sgd", {"learning_rate": 0.001, **SGD}, falls=HUNDREDTHS, factor=0.9, weight_decay=1e-5)
