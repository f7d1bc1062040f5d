"""The arms under the protocols: what each epoch is made of, when training stops, which weights are kept.

An arm is named by what joins the real training images:

| arm     | generated images | classic augmentation |
| ------- | ---------------- | -------------------- |
| CNN     | no               | no                   |
| VAE     | yes              | no                   |
| AUG     | no               | yes                  |
| AUG+VAE | yes              | yes                  |

and, for very scarce data (Maronas 2018), CHAIN and AUG+CHAIN by the states of Markov chains in place of generated
images, and LADDER, the ladder network, by images without labels. Nothing here loads Keras.
"""

import math
from dataclasses import asdict, dataclass, replace

ARMS = ("CNN", "VAE", "AUG", "AUG+VAE")
SCARCE_ARMS = ("CHAIN", "AUG+CHAIN", "LADDER")
PAGE_SIZES = {"VAE": 100, "AUG+VAE": 50}  # thesis 6.4.1 and 6.6.1: generated images per epoch
PAGE_STEPS = 50  # optimiser steps per page where nothing says how many: 60 pages in 3,000 steps
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
        monitor: what picks the weights: `"val_loss"` (lowest), `"val_accuracy"` (highest, the first of equals) or None:
            the last weights. It is measured on the test set, in the protocol `validated` on the validation part.
        patience: epochs without a better `monitor` before training stops; None never stops.
        remark: what a reader has to know, or "".
        last_steps: steps of the last epoch if it is shorter than the others, or None.
        evaluate_every: epochs from one look at `monitor` to the next.
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
    last_steps: int | None = None
    evaluate_every: int = 1

    def steps(self, epochs=None):
        """Counts the optimiser steps of the first `epochs` epochs, or of all of them."""
        epochs = self.epochs if epochs is None else epochs
        missing = self.steps_per_epoch - self.last_steps if self.last_steps and epochs == self.epochs else 0
        return epochs * self.steps_per_epoch - missing

    def settings(self):
        """Gives what decides the result, as a dict: not the remark, and only what is set of what later came to be."""
        found = asdict(self)
        del found["remark"]
        for name, usual in (("last_steps", None), ("evaluate_every", 1)):
            if found[name] == usual:
                del found[name]
        return found


def name_arm(joined, augmented):
    """Names an arm: `name_arm(["VAE"], True)` is `"AUG+VAE"`.

    Args:
        joined: names of what joins the real images, in order.
        augmented: whether classic augmentation does.
    """
    return "+".join(["AUG"] * bool(augmented) + list(joined)) or "CNN"


def count_injected(arm, injection, page_size):
    """Counts the generated images per epoch: 0 none, -1 all."""
    parts = arm.split("+")
    if "VAE" not in parts:
        return 0
    return -1 if injection == "all" else page_size or PAGE_SIZES["AUG+VAE" if "AUG" in parts else "VAE"]


def is_augmented(arm):
    """Whether every batch of an arm goes through classic augmentation."""
    return "AUG" in arm.split("+")


def fair(arm, epochs=None, steps=3000, batch_size=32, injection="pages", page_size=None):
    """Lays out equal optimiser steps for every arm: generated images really mixed in, the last weights, one test.

    Args:
        arm: its name, as `name_arm` gives it.
        epochs: pages that join, one per epoch; None takes a page per 50 steps, the last one for what is left.
        steps: optimiser steps in all.
        batch_size: images per step.
        injection: `"pages"` or `"all"`.
        page_size: images per page; None takes the thesis' 100 (VAE) and 50 (AUG+VAE).

    Raises:
        ValueError: the steps do not divide into the epochs.
    """
    if epochs is not None and steps % epochs:
        raise ValueError(f"{steps} steps cannot be laid out as {epochs} equal epochs; give an -e that divides --steps")
    per_epoch = min(PAGE_STEPS, steps) if epochs is None else steps // epochs
    epochs = math.ceil(steps / per_epoch)
    page_size = count_injected(arm, injection, page_size)
    schedule = Schedule(arm, "fair", epochs, per_epoch, batch_size, page_size, is_augmented(arm), True, None, None)
    return replace(schedule, last_steps=steps % per_epoch or None)


def published(
    arm, num_train, num_generated=0, epochs=60, batch_size=32, injection="pages", page_size=None, select=None
):
    """Lays out an arm as the thesis' released code does, with what is wrong with it.

    The arms neither take equal steps nor pick their weights by the same rule, and all of them pick on the test set.
    AUG+VAE makes a page of generated images and then feeds the real images alone (thesis 6.6.1 shows it).

    Args:
        arm: one of `ARMS`.
        num_train, num_generated: images.
        epochs: at most; only CNN and AUG stop early.
        batch_size: images per step.
        injection: `"pages"`, or `"all"` for the VAE arm of thesis 6.3, which then trains as the CNN arm does.
        page_size: images per page; None takes the thesis' 100.
        select: None picks the weights by the arm's own rule; a key of `RULES` by that one: `"loss"` (lowest test loss,
            stopping after 10 epochs without a better one), `"accuracy"` (highest test accuracy, never stopping) or
            `"last"`. AUG by `"accuracy"` is what the released AUG+VAE amounts to.

    Raises:
        ValueError: the arm, or `injection="all"` for AUG+VAE, was never published.
    """
    if arm not in ARMS:
        raise ValueError(f"--protocol published: the thesis has no arm {arm}; --protocol fair has")
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
    augmented = is_augmented(arm)
    return Schedule(arm, "published", epochs, steps, batch_size, page_size, augmented, False, monitor, patience, remark)


def scarce(arm, *settings, select=None):
    """Lays out the published protocol of Maronas 2018, which says neither how long it trains nor how it picks weights.

    Assumed: the steps of `fair`, equal for every arm, and the epoch with the lowest test error (Deviation 16).

    Args:
        arm: its name.
        *settings: as `fair` takes them.
        select: None, or a key of `RULES`, as in `published`.
    """
    monitor, patience = RULES[select or "accuracy"]
    remark = f"weights picked by --select {select}" if select else "assumed: the epoch with the lowest test error"
    return replace(fair(arm, *settings), protocol="published", monitor=monitor, patience=patience, remark=remark)


def fitted(model, batch_size=32):
    """Lays out no step at all, for a classifier that is fitted in one go; its arm has the classifier's name."""
    return Schedule(model.upper(), "fair", 0, 0, batch_size, 0, False, True, None, None)


PUBLISHED = {"thesis": published, "scarce": scarce}  # by paper


def validated(arm, num_images, epochs=None, steps=None, *settings, evaluate_every=1):
    """Lays out a training that keeps the weights of the best validation accuracy, and looks at the test set once.

    Args:
        arm: its name.
        num_images: real images, with those of a page, that make one pass; only asked for where passes are counted.
        epochs: passes over these images, if `steps` is None (Eduardo and Kazi 2018: 200); else as `fair` takes it.
        steps: optimiser steps in all; None takes 3,000, or those of the passes.
        *settings: the further arguments of `fair`: batch size, injection, page size.
        evaluate_every: epochs from one look at the validation part to the next.

    Raises:
        ValueError: there would be no look, or the steps do not divide into the epochs.
    """
    by_passes = epochs is not None and steps is None
    schedule = fair(arm, None if by_passes else epochs, steps or 3000, *settings)
    if by_passes:
        per_pass = math.ceil(num_images / schedule.batch_size)
        schedule = replace(schedule, epochs=epochs, steps_per_epoch=per_pass, last_steps=None, full_batches=False)
    if evaluate_every > schedule.epochs:
        raise ValueError(
            f"--validate-every {evaluate_every}: the training has {schedule.epochs} epochs, none would be validated"
        )
    remark = "weights of the best validation accuracy"
    return replace(schedule, protocol="validated", monitor="val_accuracy", remark=remark, evaluate_every=evaluate_every)
