"""Registers the models and layers of this package with Keras.

Import it before `keras.saving.load_model` reads a `vae.keras`, an `rbm.keras` or the encoder of a CDCVAE. Decoders and
other encoders are made of Keras' own layers and load without it.
"""

from vae_aug.cdcvae import LogVariance
from vae_aug.layers import Sampling
from vae_aug.rbm import RBM
from vae_aug.vae import VariationalAutoencoder

__all__ = ["RBM", "LogVariance", "Sampling", "VariationalAutoencoder"]
