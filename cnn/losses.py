"""Names of the losses that a classifier can be trained for. No Keras here; `cnn.objectives` computes them."""

NAMES = ("ce", "cosine", "cosine+ce")
TITLES = {  # what a plot calls them
    "ce": "cross-entropy (nats per image)",
    "cosine": "cosine loss",
    "cosine+ce": "cosine loss and a tenth of the cross-entropy",
}
