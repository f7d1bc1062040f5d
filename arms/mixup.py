"""`--mix mixup`: each batch becomes a blend of itself and of a shuffled copy of itself (Zhang et al. 2018)."""

from arms.arm import Mixed, is_mixed
from cnn import mixing
from common import cli

NAME, PAPER, MIX = "MIXUP", None, "mixup"
ALPHA = 1.0  # Zhang et al. 2018, section 3.2: CIFAR


def add_arguments(parser):
    parser.add_argument(
        "--mixup",
        type=cli.positive_float,
        metavar="ALPHA",
        help=f"--mix mixup by shares of Beta(ALPHA, ALPHA) (default: {ALPHA:g})",
    )


def is_asked(args):
    return bool(args.mixup) or is_mixed(args, MIX)


def folders(args):
    return []


def check(parser, args):
    if is_asked(args) and (args.chain or args.unlabelled):
        parser.error("--mixup: blends labels, which -chain and --unlabelled need whole")
    if is_asked(args) and is_mixed(args, "cutmix"):
        parser.error("--mix mixup cutmix: both blend labels; give one of them")


def variant(args):
    """What the name of a run folder says of the shares, or None for the usual ones."""
    return f"mixup{args.mixup:g}" if args.mixup and args.mixup != ALPHA else None


def read(args, reading):
    return Mixup(args.mixup or ALPHA)


class Mixup(Mixed):
    """Blends each batch: `share * batch + (1 - share) * shuffled batch`, one share per pair of images.

    Args:
        alpha: both parameters of the Beta distribution of the shares.
    """

    def __init__(self, alpha):
        super().__init__(MIX, alpha)
        self.alpha = alpha

    def mix(self, images, labels, rng):
        return mixing.mixup(images, labels, self.alpha, rng)
