"""`--mix erasing`: a rectangle of half of the images is filled with the training images' mean (Zhong et al. 2020)."""

from arms.arm import Mixed, is_mixed
from cnn import mixing
from images import albums

NAME, PAPER, MIX = "ERASING", None, "erasing"


def add_arguments(parser):
    pass


def is_asked(args):
    return is_mixed(args, MIX)


def folders(args):
    return []


def check(parser, args):
    pass


def read(args, reading):
    return Erasing(MIX)


class Erasing(Mixed):
    """Erases a rectangle of every second image, on average."""

    def prepare(self, training):
        self.fill, _ = albums.statistics(training.images)

    def mix(self, images, labels, rng):
        return mixing.erase(images, self.fill, rng), labels
