"""`--mix autoaugment`: each image goes through a sub-policy that was searched on CIFAR-10 (Cubuk et al. 2019)."""

from arms.arm import Mixed, is_mixed

NAME, PAPER, MIX = "AUTOAUGMENT", None, "autoaugment"


def add_arguments(parser):
    pass


def is_asked(args):
    return is_mixed(args, MIX)


def folders(args):
    return []


def check(parser, args):
    pass


def read(args, reading):
    return AutoAugment(MIX)


class AutoAugment(Mixed):
    """Puts the images of each batch, augmented ones too, through AutoAugment."""

    def mix(self, images, labels, rng):
        from cnn.autoaugment import autoaugment

        return autoaugment(images, rng), labels
