"""`--mix cutout`: a square of each image is filled with the image's mean (DeVries & Taylor 2017)."""

from arms.arm import Mixed, is_mixed
from cnn import mixing
from common import cli

NAME, PAPER, MIX = "CUTOUT", None, "cutout"
SIZE = 8  # DeVries & Taylor 2017 for CIFAR-100; they take 16 for CIFAR-10, Azuri & Weinshall's released code 5


def add_arguments(parser):
    parser.add_argument(
        "--cutout-size", type=cli.side, metavar="PIXELS", help=f"side of the square of --mix cutout (default: {SIZE})"
    )


def is_asked(args):
    return is_mixed(args, MIX)


def folders(args):
    return []


def check(parser, args):
    if args.cutout_size and not is_asked(args):
        parser.error("--cutout-size: goes with --mix cutout")


def variant(args):
    """What the name of a run folder says of the square, or None for the usual one."""
    return f"cutout{args.cutout_size}" if args.cutout_size and args.cutout_size != SIZE else None


def read(args, reading):
    size, (height, width, _) = args.cutout_size or SIZE, reading.image_shape
    if size > min(height, width):
        raise ValueError(f"--cutout-size {size}: larger than the images of {reading.source}, {height}x{width}")
    return Cutout(size)


class Cutout(Mixed):
    """Cuts a square of `size` pixels out of every image."""

    def __init__(self, size):
        super().__init__(MIX, size)
        self.size = size

    def mix(self, images, labels, rng):
        return mixing.cutout(images, self.size, rng), labels
