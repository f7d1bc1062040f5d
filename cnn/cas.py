"""What a classifier learns from generated images alone, and how accurate it is: the classification accuracy score of
Ravuri and Vinyals (2019).
"""

import keras
import numpy as np

from cnn import evaluation, injection, metrics, models, protocols, training
from cnn.recipes import ADAM

MODEL, BATCH_SIZE = "conv1", 32  # the classifier that learns where no network is given


def learn(images, labels, num_classes, steps, seed, network=None, recipe=ADAM, on_step=None, as_dataset=None):
    """Trains a classifier for a number of steps, and keeps the last weights.

    Args:
        images: `images[rows]` is float32 `(num_rows, height, width, channels)` in [0, 1].
        labels: `(num_images,)`, integers below `num_classes`.
        num_classes: at least 2.
        steps: optimiser steps of 32 images.
        seed: of the order of the images; weights are drawn from Keras' own generator.
        network: model whose layers, with new weights, are trained; it stays as it is. None: CONV1.
        recipe: how it is optimised.
        on_step: called after every step.
        as_dataset: as of `training.train`.

    Returns:
        The trained model.
    """
    schedule = protocols.fair("CNN", steps=steps, batch_size=BATCH_SIZE)
    if network is None:
        model = models.build(MODEL, images[np.arange(1)].shape[1:], num_classes)
    else:
        model = keras.models.clone_model(network)
    training.compile_classifier(model, schedule.steps_per_epoch, recipe, steps=steps)
    pair = images, np.eye(num_classes, dtype=np.float32)[labels]
    batches = injection.batches(pair, None, schedule, seed)
    training.train(model, batches, schedule, on_step=on_step, as_dataset=as_dataset, recipe=recipe)
    return model


def accuracy(model, images, labels):
    """Measures the share of images, as of `learn`, that a classifier puts into their class."""
    return metrics.scores(evaluation.probabilities(model, images), labels)["accuracy"]
