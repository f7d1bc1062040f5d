"""`--unlabelled FOLDER`: images without labels join the labelled ones, for the ladder network."""

from arms.arm import Arm, open_unlabelled
from common import backend, cli
from images.folders import holder_of_test_part

NAME, PAPER = "LADDER", "scarce"


def add_arguments(parser):
    parser.add_argument(
        "--unlabelled", metavar="FOLDER", help="images without labels, for --model ladder and --mix mixmatch"
    )
    parser.add_argument(
        "--unlabelled-images", type=cli.limit, metavar="N", help="use N unlabelled images per class (default: all)"
    )


def is_asked(args):
    return args.model == "ladder" and bool(args.unlabelled)


def folders(args):
    return [args.unlabelled]


def check(parser, args):
    if args.unlabelled_images and not args.unlabelled:
        parser.error("--unlabelled-images: goes with --unlabelled FOLDER")
    if args.unlabelled and args.model != "ladder" and "mixmatch" not in (args.mix or ()):
        parser.error("--unlabelled: goes with --model ladder, or with --mix mixmatch")
    if args.unlabelled and holder_of_test_part(args.path, args.unlabelled):
        parser.error("--unlabelled: these are the test images; no training may see them")
    if args.model == "ladder" and not args.unlabelled:
        parser.error("--model ladder: needs --unlabelled FOLDER")
    if args.model == "ladder" and (args.chain or args.vae or args.aug):
        parser.error("--model ladder: takes no -chain, -vae or --aug; it learns from the images of --unlabelled")
    if args.model == "ladder" and args.mix and "mixup" not in args.mix:
        parser.error(f"--model ladder: takes no --mix {' '.join(args.mix)}; its batches are labelled and unlabelled")


def read(args, reading):
    return Unlabelled(open_unlabelled(args, reading), args.unlabelled_images or -1)


class Unlabelled(Arm):
    """Adds a batch of unlabelled images to each labelled one; its stream's images are a dict of both.

    Args:
        images: their album.
        wanted: images per class, as the flag says; -1 for all.
    """

    one_device = True

    def __init__(self, images, wanted):
        super().__init__({"unlabelled": wanted}, {"unlabelled": images.fingerprint()})
        self.images = images

    def join(self, batches, training):
        from cnn import ladder

        return ladder.batches(batches, self.images, backend.derive_seed(training.seed, "unlabelled"))

    def facts(self):
        return {"unlabelled": len(self.images)}
