"""Names of the losses that a classifier can be trained for. No Keras here; `cnn.objectives` computes them."""

NAMES = ("ce", "cosine", "cosine+ce")  # by flag; "mixmatch" is that of its arm
TITLES = {  # what a plot calls them
    "ce": "cross-entropy (nats per image)",
    "cosine": "cosine loss",
    "cosine+ce": "cosine loss and a tenth of the cross-entropy",
    "mixmatch": "MixMatch's loss",
}
