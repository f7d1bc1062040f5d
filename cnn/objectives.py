"""Computes the losses of `cnn.losses`: cosine loss on logits, with and without cross-entropy, and MixMatch's."""

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


def mixmatch(targets, probabilities):
    """Computes what MixMatch minimises: cross-entropy of some images, squared error of others, each with its weight.

    Args:
        targets: float `(batch, num_classes + 2)`: labels, the weight of the cross-entropy and that of the squared
            error, a mean over the classes; or labels alone, for the cross-entropy alone.
        probabilities: float `(batch, num_classes)`.

    Returns:
        `(batch,)`.
    """
    num_classes = probabilities.shape[-1]
    labels = targets[:, :num_classes]
    cross_entropy = ops.categorical_crossentropy(labels, probabilities)
    if targets.shape[-1] == num_classes:
        return cross_entropy
    squared = ops.mean(ops.square(labels - probabilities), axis=-1)
    return targets[:, num_classes] * cross_entropy + targets[:, num_classes + 1] * squared


def accuracy(targets, probabilities):
    """Computes where the most probable class is that of `mixmatch`'s targets: `(batch,)` of 0 and 1."""
    labels = targets[:, : probabilities.shape[-1]]
    return ops.cast(ops.equal(ops.argmax(labels, axis=-1), ops.argmax(probabilities, axis=-1)), "float32")


LOSSES = {  # and the accuracy that goes with each
    "ce": ("categorical_crossentropy", "accuracy"),
    "cosine": (cosine, "accuracy"),
    "cosine+ce": (cosine_with_cross_entropy, "accuracy"),
    "mixmatch": (mixmatch, accuracy),
}


def give_logits(network):
    """Makes a classifier's last layer give logits in place of probabilities, before it is compiled."""
    network.layers[-1].activation = keras.activations.linear


def finish(network):
    """Makes a trained classifier give probabilities again, compiled so that its file loads anywhere."""
    network.layers[-1].activation = keras.activations.softmax
    loss, measure = LOSSES["ce"]
    network.compile(loss=loss, metrics=[measure])
