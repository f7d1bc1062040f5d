"""`--unlabelled FOLDER`: images without labels join the labelled ones, for the ladder network."""

from arms.arm import Arm
from common import backend, cli
from images import albums, codec, selection
from images import folders as listing

NAME, PAPER = "LADDER", "scarce"


def add_arguments(parser):
    parser.add_argument("--unlabelled", metavar="FOLDER", help="images without labels, for --model ladder")
    parser.add_argument(
        "--unlabelled-images", type=cli.limit, metavar="N", help="use N unlabelled images per class (default: all)"
    )


def is_asked(args):
    return bool(args.unlabelled)


def folders(args):
    return [args.unlabelled]


def check(parser, args):
    if args.unlabelled_images and not args.unlabelled:
        parser.error("--unlabelled-images: goes with --unlabelled FOLDER")
    if args.unlabelled and args.model != "ladder":
        parser.error("--unlabelled: goes with --model ladder")
    if args.model == "ladder" and not args.unlabelled:
        parser.error("--model ladder: needs --unlabelled FOLDER")
    if args.model == "ladder" and (args.chain or args.vae or args.aug):
        parser.error("--model ladder: takes no -chain, -vae or --aug; it learns from the images of --unlabelled")
    if args.model == "ladder" and args.mix and "mixup" not in args.mix:
        parser.error(f"--model ladder: takes no --mix {' '.join(args.mix)}; its batches are labelled and unlabelled")


def read(args, reading):
    files = selection.draw_subset(listing.list_unlabelled(args.unlabelled), args.unlabelled_images or -1, args.seed)
    paths = [path for part in files.values() for path in part]
    if len(paths) < 2:
        raise ValueError(f"{args.unlabelled}: {len(paths)} images in it, the ladder network needs at least 2")
    album = albums.open_album(paths, args.size, args.color)
    album = albums.binary(album, args.unlabelled) if args.binarise else album
    codec.check_same_shape({reading.source: reading.image_shape, args.unlabelled: album.shape[1:]})
    return Unlabelled(album, args.unlabelled_images or -1, args.seed)


class Unlabelled(Arm):
    """Adds a batch of unlabelled images to each labelled one; its stream's images are a dict of both.

    Args:
        images: their album.
        wanted: images per class, as the flag says; -1 for all.
        seed: the run's seed.
    """

    one_device = True

    def __init__(self, images, wanted, seed):
        super().__init__({"unlabelled": wanted}, {"unlabelled": images.fingerprint()})
        self.images, self.seed = images, seed

    def join(self, batches, training):
        from cnn import ladder

        return ladder.batches(batches, self.images, backend.derive_seed(self.seed, "unlabelled"))

    def facts(self):
        return {"unlabelled": len(self.images)}
