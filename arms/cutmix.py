"""`--mix cutmix`: a rectangle of each image becomes that of another one, and labels are shared (Yun et al. 2019)."""

from arms.arm import Mixed, is_mixed
from cnn import mixing

NAME, PAPER, MIX = "CUTMIX", None, "cutmix"


def add_arguments(parser):
    pass


def is_asked(args):
    return is_mixed(args, MIX)


def folders(args):
    return []


def check(parser, args):
    if is_asked(args) and args.chain:
        parser.error("--mix cutmix: blends labels, which -chain needs whole")


def read(args, reading):
    return CutMix(MIX)


class CutMix(Mixed):
    """Mixes the images and labels of each batch by rectangles."""

    def mix(self, images, labels, rng):
        return mixing.cutmix(images, labels, rng)
