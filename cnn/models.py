"""The table of classifiers: what their names mean to the scripts and to the tables. Nothing here loads Keras.

To add one: write a module with a function `build(image_shape, num_classes, noise)`, and a line in `TABLE`. One whose
line has a `least_width` also takes the keyword `width`; one that is `normalised` the keyword `pixels`, mean and
standard deviation of the training images; one that has `takes_weights` the keyword `weights`.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from cnn import recipes


@dataclass(frozen=True)
class Classifier:
    """What is known of a classifier before Keras is loaded.

    Attributes:
        title: its name as tables print it.
        place: module and function that build it, `"cnn.thesis_cnn:build"`.
        paper: whose published protocol it follows, a key of `protocols.PUBLISHED`; `"neural"` has none there, for it is
            the protocol `validated`, nor has `"cglo"`, for it is `fair` in its equal steps.
        recipe: how it is optimised.
        noise: standard deviation of the Gaussian noise on the input while training, where no flag gives one.
        least_batch: the fewest images of one optimiser step; batch norm needs 2.
        least_width: the smallest `width`, a factor of its numbers of filters, that leaves one; None: it takes none.
        seconds: of training on one 28x28 image in float32, one thread of the machine that docs/cost.md names.
        options: further keywords of the function that builds it.
        normalised: whether images are normalised by mean and standard deviation of the training images.
        takes_weights: whether it can start from trained weights.
    """

    title: str
    place: str
    paper: str = "scarce"
    recipe: recipes.Recipe = recipes.ADAM
    noise: float = 0.3  # Maronas 2018, section 3
    least_batch: int = 2
    seconds: float = 0.0072
    least_width: float | None = None
    options: Mapping = field(default_factory=dict)
    normalised: bool = False
    takes_weights: bool = False


def _wrn(depth, widen, seconds):
    title, options = f"WRN-{depth}-{widen}", {"depth": depth, "widen": widen}
    return Classifier(
        title, "cnn.wrn:build", "cglo", recipes.WRN, noise=0.0, seconds=seconds, options=options, normalised=True
    )


TABLE = {
    "thesis": Classifier("the thesis' CNN", "cnn.thesis_cnn:build", "thesis", noise=0.0, least_batch=1),
    "fc1": Classifier("FC1", "cnn.scarce_nets:build_fc1", seconds=0.0001),
    "fc2": Classifier("FC2", "cnn.scarce_nets:build_fc2", seconds=0.0001),
    "conv1": Classifier("CONV1", "cnn.scarce_nets:build_conv1", seconds=0.0006),
    "vgg": Classifier("VGG-Net", "cnn.vgg:build", "neural", noise=0.0, least_batch=1, least_width=1 / 64),
    "ladder": Classifier("ladder network", "cnn.ladder:build", recipe=recipes.LADDER, seconds=0.0004),
    "wrn-28-10": _wrn(28, 10, 0.28),
    "wrn-16-8": _wrn(16, 8, 0.083),
    "wrn-16-4": _wrn(16, 4, 0.023),
    "wrn-16-2": _wrn(16, 2, 0.0075),
    "wrn-10-2": _wrn(10, 2, 0.0037),
    "resnet50": Classifier(
        "ResNet-50", "cnn.resnet:build", "cglo", recipes.RESNET, noise=0.0, seconds=0.05, takes_weights=True
    ),
}
# Fitted in one go, without optimiser steps: `place` names a function of (images, labels, num_classes, weights).
FITTED = {
    "neighbours": Classifier("nearest neighbour on pixels", "cnn.fitted:fit_neighbours", least_batch=1),
    "imagenet": Classifier("logistic regression on frozen ImageNet features", "cnn.fitted:fit_imagenet", least_batch=1),
}


def find(name):
    """The line of a classifier, trained or fitted."""
    return TABLE[name] if name in TABLE else FITTED[name]


def fit(name, images, labels, num_classes, weights=None):
    """Fits a classifier of `FITTED`; arguments as of `cnn.fitted.fit_imagenet`. Returns a Keras model."""
    if num_classes < 2:
        raise ValueError(f"a classifier needs at least 2 classes. Received: {num_classes}")
    module, function = FITTED[name].place.split(":")
    return getattr(importlib.import_module(module), function)(images, labels, num_classes, weights)


def build(name, image_shape, num_classes, noise=None, width=1.0, **options):
    """Builds a classifier by its name.

    All take images `(batch, height, width, channels)` in [0, 1] and give probabilities `(batch, num_classes)`, float32
    under every precision policy.

    Args:
        name: a key of `TABLE`.
        image_shape: `(height, width, channels)`.
        num_classes: at least 2.
        noise: standard deviation of the Gaussian noise on the input while training (the ladder network's is on every
            layer); None takes the table's.
        width: factor of the numbers of filters, for a classifier that has a `least_width`.
        **options: `pixels` for one that is `normalised`, `weights` for one that takes them.

    Raises:
        ValueError: there is no such classifier, or it does not take such images, classes or width.
    """
    if name not in TABLE:
        raise ValueError(f"`name` should be one of {', '.join(TABLE)}. Received: {name!r}")
    if num_classes < 2:
        raise ValueError(f"a classifier needs at least 2 classes. Received: {num_classes}")
    entry = TABLE[name]
    if width != 1 and entry.least_width is None:
        raise ValueError(f"{entry.title} has one width. Received: {width:g}")
    module, function = entry.place.split(":")
    make = getattr(importlib.import_module(module), function)
    options |= {**entry.options, **({"width": width} if entry.least_width else {})}
    return make(tuple(image_shape), num_classes, entry.noise if noise is None else noise, **options)
