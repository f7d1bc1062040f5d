"""`--mix mixmatch`: labels are guessed for unlabelled images, and all are blended (Berthelot et al. 2019)."""

from arms.arm import Arm, is_mixed, open_unlabelled
from cnn import mixmatch
from common import backend

NAME, PAPER, MIX = "MIXMATCH", None, "mixmatch"


def add_arguments(parser):
    pass


def is_asked(args):
    return is_mixed(args, MIX)


def folders(args):
    return [args.unlabelled] if args.unlabelled else []


def check(parser, args):
    if not is_asked(args):
        return
    if len(args.mix) > 1 or args.mixup or args.chain:
        parser.error("--mix mixmatch: has a mixing of its own, and goes with no other --mix, nor with -chain")
    if args.loss != "ce":
        parser.error(f"--loss {args.loss}: --mix mixmatch has its own")
    if not args.aug or args.augmenter == "graph":
        parser.error("--mix mixmatch: needs --aug (without --augmenter graph), whose copies its guesses are made of")


def read(args, reading):
    album = open_unlabelled(args, reading, labelled=False) if args.unlabelled else None
    return MixMatch(album, args.unlabelled_images or -1, reading.schedule.steps())


class MixMatch(Arm):
    """Guesses labels in every step, by the classifier as the step before left it.

    Args:
        images: album of unlabelled images; None takes the labelled ones, without their labels.
        wanted: unlabelled images per class, as the flag says; -1 for all.
        steps: optimiser steps of the training.
    """

    in_step = one_device = True
    loss = "mixmatch"

    def __init__(self, images, wanted, steps):
        settings = {MIX: {"copies": mixmatch.COPIES, "weight": mixmatch.WEIGHT}}
        data = {}
        if images is not None:
            settings |= {"unlabelled": wanted}
            data = {"unlabelled": images.fingerprint()}
        super().__init__(settings, data)
        self.images, self.steps = images, steps

    def join(self, batches, training):
        images = training.images if self.images is None else self.images
        seed, classify = backend.derive_seed(training.seed, MIX), training.model.predict_on_batch
        return mixmatch.MixMatch(images, classify, training.augment, self.steps, seed).batches(batches)

    def callbacks(self):
        from cnn.averaging import Average

        return [Average()]

    def facts(self):
        return {"unlabelled": 0 if self.images is None else len(self.images)}
