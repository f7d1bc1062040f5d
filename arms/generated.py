"""`-vae GEN`: generated images, from any generator, join in pages (thesis 6.4) or all at once (thesis 6.3)."""

from pathlib import Path

import numpy as np

from arms.arm import Arm
from cnn import injection
from common import backend, cli
from images import albums, codec
from images import folders as listing

NAME, PAPER = "VAE", None


def add_arguments(parser):
    parser.add_argument("-vae", "--vae", metavar="GEN", help="class folders of generated images, from any generator")
    parser.add_argument(
        "--injection",
        choices=("pages", "all"),
        default="pages",
        help="generated images: a page per epoch, or all at once",
    )
    parser.add_argument(
        "--page-size", type=cli.positive, help="generated images per page (default: VAE 100, AUG+VAE 50)"
    )


def is_asked(args):
    return bool(args.vae)


def folders(args):
    return [args.vae]


def check(parser, args):
    if args.page_size and (not args.vae or args.injection == "all"):
        parser.error("--page-size: pages need -vae GEN and --injection pages")
    if args.vae and Path(args.vae).resolve() == (Path(args.path) / "test").resolve():
        parser.error("-vae: these are the test images; no training may see them")
    if args.injection == "all" and not args.vae:
        parser.error("--injection: goes with -vae GEN")


def list_files(root, class_names, seed):
    """Lists the generated images in the order in which pages take them, shuffled over the classes.

    Returns:
        Paths, and the places of their classes in `class_names`.

    Raises:
        ValueError: there are none, there is a class that the data has not, or the folder holds models.
    """
    files = listing.list_paths(root)
    for name in files:
        if (Path(root) / name / "decoder.keras").exists():
            raise ValueError(f"{Path(root) / name}: holds a model, not generated images; generate.py makes them")
        if name not in class_names:
            raise ValueError(
                f"{Path(root) / name}: class {name!r} is not in the data (there are {', '.join(class_names)})"
            )
    missing = [name for name in class_names if not files.get(name)]
    paths = [path for names in files.values() for path in names]
    labels = np.repeat([class_names.index(name) for name in files], [len(names) for names in files.values()])
    if not paths:
        raise ValueError(f"{root}: no images in it")
    if missing:
        print(f"{root}: no generated images of class {', '.join(missing)}")
    order = np.random.default_rng(backend.derive_seed(seed, "pages")).permutation(len(paths))
    return [paths[k] for k in order], labels[order]


def read(args, reading):
    return Generated(args.vae, reading, (args.size, args.color), args.binarise)


class Generated(Arm):
    """Joins generated images by its `pages`: they are reshuffled with the real ones, which no stream after that can do.

    Args:
        root: the folder.
        reading: an `arms.arm.Reading`, with the listed files.
        look: size and colour, as of `albums.read_images`.
        binarise: whether the images are made black and white.
    """

    def __init__(self, root, reading, look, binarise):
        super().__init__()
        schedule, (paths, labels) = reading.schedule, reading.generated
        used = injection.num_used(schedule.epochs, schedule.page_size, len(paths))
        if not used:
            return
        # All at once they are needed in every step; of pages, one at a time is read.
        album = (albums.open_album if schedule.page_size < 0 else albums.Album)(paths[:used], *look)
        codec.check_same_shape({reading.source: reading.image_shape, root: album.shape[1:]})
        self.data = {"generated": album.fingerprint(labels[:used])}
        self.pages = albums.binary(album, root) if binarise else album, labels[:used]
