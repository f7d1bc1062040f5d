"""`--mixup ALPHA`: each batch becomes a blend of itself and of a shuffled copy of itself (Zhang et al. 2018)."""

import numpy as np

from arms.arm import Arm
from common import backend, cli

NAME, PAPER = "MIXUP", None


def add_arguments(parser):
    parser.add_argument(
        "--mixup",
        type=cli.positive_float,
        metavar="ALPHA",
        help="blend pairs of images, and their labels, by shares of Beta(ALPHA, ALPHA)",
    )


def is_asked(args):
    return bool(args.mixup)


def folders(args):
    return []


def check(parser, args):
    if args.mixup and (args.chain or args.unlabelled):
        parser.error("--mixup: blends labels, which -chain and --unlabelled need whole")


def read(args, reading):
    return Mixup(args.mixup, args.seed)


class Mixup(Arm):
    """Blends each batch: `share * batch + (1 - share) * shuffled batch`, one share per pair of images.

    Args:
        alpha: both parameters of the Beta distribution of the shares.
        seed: the run's seed.
    """

    def __init__(self, alpha, seed):
        super().__init__({"mixup": alpha})
        self.alpha, self.seed = alpha, seed

    def join(self, batches, training):
        rng = np.random.default_rng(backend.derive_seed(self.seed, "mixup"))
        for x, y in batches:
            share = rng.beta(self.alpha, self.alpha, len(x)).astype(np.float32)[:, None]
            other = rng.permutation(len(x))
            images = share[..., None, None]
            yield images * x + (1 - images) * x[other], share * y + (1 - share) * y[other]
