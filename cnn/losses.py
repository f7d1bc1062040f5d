"""Names of the losses that a classifier can be trained for. No Keras here; `cnn.objectives` computes them."""

NAMES = ("ce", "cosine", "cosine+ce")  # by flag; "mixmatch" is that of its arm
TITLES = {  # what a plot calls them
    "ce": "cross-entropy (nats per image)",
    "cosine": "cosine loss",
    "cosine+ce": "cosine loss and a tenth of the cross-entropy",
    "mixmatch": "MixMatch's loss",
}


def title(name, weight_decay=0.0):
    """Names a training's loss for a plot, with the penalty of weight decay if that is a part of it."""
    return TITLES[name] + (" and weight decay" if weight_decay else "")
