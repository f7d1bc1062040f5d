"""What every arm has."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Reading(NamedTuple):
    """What is known when an arm reads what it needs.

    Attributes:
        source: the folder of the training images, for errors.
        image_shape: `(height, width, channels)` of the training images.
        schedule: the `protocols.Schedule` of the training.
        generated: paths of generated images in the order in which pages take them, and the places of their classes.
        class_names: of the training images.
        files: {class: paths} of the training images.
        images: their album, class after class.
    """

    source: Any
    image_shape: tuple
    schedule: Any
    generated: tuple
    class_names: tuple = ()
    files: dict | None = None
    images: Any = None


class Training(NamedTuple):
    """What an arm may ask of the training that it joins.

    Attributes:
        model: the classifier, compiled.
        images: album of all labelled images: `images[rows]` is float32 `(num_rows, height, width, channels)`.
        labels: their one-hot labels, float32 `(num_images, num_classes)`.
        seed: the run's seed.
        augment: what the labelled batches went through, a function of float32 images, or None.
    """

    model: Any
    images: Any
    labels: np.ndarray
    seed: int
    augment: Callable | None


class Arm:
    """Joins a training: a stream of (images, one-hot labels) in, a stream out.

    Attributes:
        settings, data: dicts that it adds to the settings and to the fingerprints of the run folder.
        in_step: whether its batches depend on the weights that the step before left, and cannot be fetched ahead.
        one_device: whether it works with one device only.
        pages: album and labels of images that are shuffled into every epoch with the real ones, or None.
    """

    in_step = one_device = False
    pages = None

    def __init__(self, settings=None, data=None):
        self.settings, self.data = settings or {}, data or {}

    def join(self, batches, training):
        """Maps the stream of a training to the stream that the classifier learns from; may load Keras."""
        return batches

    def callbacks(self):
        """Lists Keras callbacks of the training."""
        return []

    def facts(self):
        """Gives what it adds to result.json after the training, a dict."""
        return {}
