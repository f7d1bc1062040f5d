"""Computes the losses of `cnn.losses`: cosine loss on logits, with and without cross-entropy."""

import keras
from keras import ops

CE_WEIGHT = 0.1  # Barz & Denzler 2020, section 3.2


def cosine(labels, logits):
    """Computes 1 - <labels, logits / |logits|> (Barz & Denzler 2020, equation 3).

    Args:
        labels: float `(batch, num_classes)`, one-hot or blended.
        logits: float `(batch, num_classes)`.

    Returns:
        `(batch,)`, from 0 to 2.
    """
    return 1 - ops.sum(labels * ops.normalize(logits, axis=-1), axis=-1)


def cosine_with_cross_entropy(labels, logits):
    """Computes `cosine` and a tenth of the softmax cross-entropy; arguments and result as of `cosine`."""
    return cosine(labels, logits) + CE_WEIGHT * ops.categorical_crossentropy(labels, logits, from_logits=True)


def of(name):
    """Gives the loss of a name of `losses.NAMES`, as `compile` takes it. All but `"ce"` want logits."""
    return {"ce": "categorical_crossentropy", "cosine": cosine, "cosine+ce": cosine_with_cross_entropy}[name]


def accuracy_of(name):
    """Gives the accuracy that goes with a loss, as `compile` takes it."""
    return "accuracy"


def give_logits(network):
    """Makes a classifier's last layer give logits in place of probabilities, before it is compiled."""
    network.layers[-1].activation = keras.activations.linear


def finish(network):
    """Makes a trained classifier give probabilities again, compiled so that its file loads anywhere."""
    network.layers[-1].activation = keras.activations.softmax
    network.compile(loss=of("ce"), metrics=["accuracy"])
