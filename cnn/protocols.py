"""The arms under the two protocols: what each epoch is made of, when training stops, which weights are kept.

An arm is named by what joins the real training images:

| arm     | generated images | classic augmentation |
| ------- | ---------------- | -------------------- |
| CNN     | no               | no                   |
| VAE     | yes              | no                   |
| AUG     | no               | yes                  |
| AUG+VAE | yes              | yes                  |

and, for very scarce data (Maronas 2018), CHAIN and AUG+CHAIN by the states of Markov chains in place of generated
images, and LADDER, the ladder network, by images without labels.
"""

import math
from dataclasses import dataclass, replace

ARMS = ("CNN", "VAE", "AUG", "AUG+VAE")
SCARCE_ARMS = ("CHAIN", "AUG+CHAIN", "LADDER")
PAGE_SIZES = {"VAE": 100, "AUG+VAE": 50}  # thesis 6.4.1 and 6.6.1: generated images an epoch
PATIENCE = 10
RULES = {"loss": ("val_loss", PATIENCE), "accuracy": ("val_accuracy", None), "last": (None, None)}


@dataclass(frozen=True)
class Schedule:
    """How one arm trains.

    Attributes:
        arm, protocol: names.
        epochs, steps_per_epoch, batch_size: the optimiser's steps.
        page_size: generated images that join each epoch; 0 none, -1 all of them in every epoch.
        augmented: whether every batch goes through classic augmentation.
        full_batches: whether a step's batch is always full, the passes over the data running on into each other; else a
            pass ends with what is left over, as `fit` and `ImageDataGenerator.flow` end theirs.
        monitor: what picks the weights, on the test set: `"val_loss"` (lowest), `"val_accuracy"` (highest, the first
            of equals) or None: the last weights, and no look at the test set.
        patience: epochs without a better `monitor` before training stops; None never stops.
        remark: what a reader has to know, or "".
    """

    arm: str
    protocol: str
    epochs: int
    steps_per_epoch: int
    batch_size: int
    page_size: int
    augmented: bool
    full_batches: bool
    monitor: str | None
    patience: int | None
    remark: str = ""


def name_arm(generated, augmented, chain=False, model="thesis"):
    """The arm's name."""
    if model == "ladder":
        return "LADDER"
    if chain:
        return "AUG+CHAIN" if augmented else "CHAIN"
    return ARMS[bool(generated) + 2 * bool(augmented)]


def count_injected(arm, injection, page_size):
    """The number of generated images an epoch: 0 none, -1 all."""
    if arm not in PAGE_SIZES:
        return 0
    return -1 if injection == "all" else page_size or PAGE_SIZES[arm]


def fair(arm, epochs=60, steps=3000, batch_size=32, injection="pages", page_size=None):
    """Equal optimiser steps for every arm, generated images really mixed in, the last weights, no look at the test set.

    Args:
        arm: one of `ARMS` or `SCARCE_ARMS`.
        epochs: pages that join, one an epoch; None takes 60, or the most below that divide `steps`.
        steps: optimiser steps, laid out in `epochs` equal epochs.
        batch_size: images a step.
        injection: `"pages"` or `"all"`.
        page_size: images a page; None takes the thesis' 100 (VAE) and 50 (AUG+VAE).

    Raises:
        ValueError: the steps do not divide into the epochs.
    """
    if epochs is None:
        epochs = next(n for n in range(60, 0, -1) if steps % n == 0)
    if steps % epochs:
        raise ValueError(f"{steps} steps cannot be laid out as {epochs} equal epochs; give an -e that divides --steps")
    page_size = count_injected(arm, injection, page_size)
    augmented = arm.startswith("AUG")
    return Schedule(arm, "fair", epochs, steps // epochs, batch_size, page_size, augmented, True, None, None)


def published(
    arm, num_train, num_generated=0, epochs=60, batch_size=32, injection="pages", page_size=None, select=None
):
    """The released code, arm by arm, with what is wrong with it.

    The arms neither take equal steps nor pick their weights by the same rule, and all of them pick on the test set.
    AUG+VAE makes a page of generated images and then feeds the real images alone (thesis 6.6.1 shows it).

    Args:
        arm: one of `ARMS`.
        num_train, num_generated: images.
        epochs: at most; only CNN and AUG stop early.
        batch_size: images a step.
        injection: `"pages"`, or `"all"` for the VAE arm of thesis 6.3, which then trains as the CNN arm does.
        page_size: images a page; None takes the thesis' 100.
        select: None picks the weights by the arm's own rule; a key of `RULES` by that one: `"loss"` (lowest test loss,
            stopping after 10 epochs without a better one), `"accuracy"` (highest test accuracy, never stopping) or
            `"last"`. AUG by `"accuracy"` is what the released AUG+VAE amounts to.

    Raises:
        ValueError: `injection="all"` for AUG+VAE, which was never published.
    """
    if arm == "AUG+VAE" and injection == "all":
        raise ValueError("--injection all: the published AUG+VAE has no such form; --protocol fair has")
    page_size = count_injected(arm, injection, page_size)
    remark, rule = "", "loss"
    num_images = num_train + (num_generated if page_size < 0 else page_size)
    steps = math.ceil(num_images / batch_size)
    if arm.startswith("AUG"):
        steps = num_train  # the released `steps_per_epoch=len(X_train)`: batches, not images
    if arm == "AUG+VAE":
        page_size, remark = 0, "as released: no generated image is used"
    if arm == "AUG+VAE" or page_size > 0:  # Deviation 9: with all images at once, VAE stops and picks as CNN
        rule = "accuracy"
    if select:
        remark = ", ".join(filter(None, (remark, f"weights picked by --select {select}")))
    monitor, patience = RULES[select or rule]
    augmented = arm.startswith("AUG")
    return Schedule(arm, "published", epochs, steps, batch_size, page_size, augmented, False, monitor, patience, remark)


def scarce(arm, *settings, select=None):
    """The published protocol of Maronas 2018, which says neither how long it trains nor how it picks weights.

    Assumed: the steps of `fair`, equal for every arm, and the epoch with the lowest test error (Deviation 16).

    Args:
        arm: one of `ARMS` or `SCARCE_ARMS`.
        *settings: as `fair` takes them.
        select: None, or a key of `RULES`, as in `published`.
    """
    monitor, patience = RULES[select or "accuracy"]
    remark = f"weights picked by --select {select}" if select else "assumed: the epoch with the lowest test error"
    return replace(fair(arm, *settings), protocol="published", monitor=monitor, patience=patience, remark=remark)
