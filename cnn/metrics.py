"""Computes the scores of a classifier as the released scripts report them."""

import numpy as np
from sklearn.metrics import classification_report, confusion_matrix, log_loss, precision_recall_fscore_support


def scores(probabilities, labels):
    """Computes the six numbers of the thesis' tables.

    Args:
        probabilities: float `(num_images, num_classes)`.
        labels: integers `(num_images,)`.

    Returns:
        A dict: `loss` (mean cross-entropy, nats per image), `accuracy`, macro `precision`, `recall` and `f1` as
        fractions, and `support`, the number of images. A class that is never predicted has precision 0.
    """
    classes = np.arange(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    clipped = np.clip(probabilities.astype(np.float64), 1e-7, 1 - 1e-7)  # as Keras' cross-entropy
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predicted, labels=classes, average="macro", zero_division=0
    )
    return {
        "loss": float(log_loss(labels, clipped / clipped.sum(axis=1, keepdims=True), labels=classes)),
        "accuracy": float(np.mean(predicted == labels)),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "support": len(labels),
    }


def report(probabilities, labels, class_names):
    """Writes scikit-learn's classification report: precision, recall, F1 and support of every class."""
    classes = np.arange(len(class_names))
    return classification_report(
        labels, probabilities.argmax(axis=1), labels=classes, target_names=class_names, zero_division=0
    )


def confusion(probabilities, labels):
    """Counts the confusion matrix, rows true classes, columns predicted ones."""
    return confusion_matrix(labels, probabilities.argmax(axis=1), labels=np.arange(probabilities.shape[1]))
