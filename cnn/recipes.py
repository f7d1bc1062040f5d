"""How a classifier is optimised: the optimiser and the learning rate by epoch. Nothing here loads Keras."""

from collections.abc import Callable
from dataclasses import dataclass

LADDER_RATE = 0.002  # Rasmus et al. 2015, released code
LADDER_CONSTANT = 2 / 3  # share of the training before the learning rate falls, to 0 at the end


@dataclass(frozen=True)
class Recipe:
    """How a classifier is optimised.

    Attributes:
        optimizer: name of a Keras optimiser, which takes Keras' default settings.
        learning_rate: maps an epoch, from 0, and the number of epochs to the epoch's learning rate; None keeps the
            optimiser's own.
    """

    optimizer: str = "adam"
    learning_rate: Callable | None = None


def ladder_rate(epoch, epochs):
    """Gives the ladder network's learning rate: constant, then falling to 0 (Rasmus et al. 2015, released code)."""
    return LADDER_RATE * min(1.0, (1 - epoch / epochs) / (1 - LADDER_CONSTANT))


ADAM = Recipe()  # thesis 5.3.2
LADDER = Recipe(learning_rate=ladder_rate)
