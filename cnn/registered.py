"""Registers the models and layers of this package with Keras.

Import it before `keras.saving.load_model` reads a `model.keras` of the ladder network or of the nearest neighbour. The
other classifiers are made of Keras' own layers and load without it.
"""

from cnn.affine import RandomAffine
from cnn.fitted import NearestNeighbour
from cnn.ladder import Ladder

__all__ = ["Ladder", "NearestNeighbour", "RandomAffine"]
