"""Averages a model's weights over the steps of its training."""

import keras
import numpy as np

DECAY = 0.999  # Berthelot et al. 2019


class Average(keras.callbacks.Callback):
    """Judges and leaves a model by a moving average of its weights, while it trains on with its own.

    The average takes part in all weights, batch norm's statistics included. In the first steps it moves faster, by
    (1 + step) / (10 + step), so that a short training forgets its initial weights.

    Args:
        decay: share of the average that a step leaves.
    """

    def __init__(self, decay=DECAY):
        super().__init__()
        self.decay, self.steps, self.averages, self.own = decay, 0, None, None

    def on_train_batch_begin(self, batch, logs=None):
        if self.own is not None:
            self.model.set_weights(self.own)
            self.own = None

    def on_train_batch_end(self, batch, logs=None):
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        weights = self.model.get_weights()
        if self.averages is None:
            self.averages = [np.array(weight) for weight in weights]
        for average, weight in zip(self.averages, weights, strict=True):
            average += (1 - decay) * (weight - average)

    def on_test_begin(self, logs=None):
        self.put()

    def on_train_end(self, logs=None):
        self.put()

    def put(self):
        """Gives the model the averages until its next step."""
        if self.own is None and self.averages is not None:
            self.own = self.model.get_weights()
            self.model.set_weights(self.averages)
