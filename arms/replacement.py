"""`-cglo MODEL --replace SHARE`: images that a cGLO draws on the fly take the place of real ones (Azuri 2020)."""

from pathlib import Path

import numpy as np

from arms.arm import Arm
from common import archives, backend, cli, saved

NAME, PAPER = "CGLO", None


def add_arguments(parser):
    parser.add_argument("-cglo", "--cglo", metavar="MODEL", help="folder of train_cglo.py, of the training images")
    parser.add_argument(
        "--replace",
        type=cli.proportion,
        metavar="SHARE",
        help="replace so many of the training images, each by a coin of its own, by images of -cglo (default: 0.5)",
    )
    parser.add_argument(
        "--interpolation",
        choices=saved.KINDS["cglo"].samplers,
        help="the way between two codes, or none: reconstructions (default: slerp)",
    )
    parser.add_argument(
        "--coin", choices=("example", "batch"), help="toss it for each image, or as in the released code for a batch"
    )


def is_asked(args):
    return bool(args.cglo)


def folders(args):
    return [args.cglo]


def check(parser, args):
    for flag in ("replace", "interpolation", "coin"):
        if getattr(args, flag) is not None and not args.cglo:
            parser.error(f"--{flag}: goes with -cglo MODEL")
    if not args.cglo:
        return
    if args.vae or args.chain or args.model == "ladder":
        parser.error("-cglo: replaces real images, and goes with none of -vae, -chain and --model ladder")
    if args.binarise:
        parser.error("-cglo: draws grey levels or colours, not the black and white of --binarise")
    if args.augmenter == "graph":
        parser.error("-cglo: the images that it draws are not augmented; it goes with --augmenter generator")
    args.replace = 0.5 if args.replace is None else args.replace
    args.interpolation, args.coin = args.interpolation or "slerp", args.coin or "example"


def variant(args):
    """What the name of a run folder says of the replaced images."""
    return f"{Path(args.cglo).resolve().name}-{args.replace:g}-{args.interpolation}-{args.coin}"


def read(args, reading):
    generator = saved.find_generator([args.cglo])
    if generator.kind is not saved.KINDS["cglo"]:
        raise ValueError(f"{args.cglo}: not a model of train_cglo.py")
    check_images(Path(args.cglo), generator, reading)
    return Replacement(generator, args.replace, args.interpolation, args.coin, reading.schedule)


def check_images(folder, generator, reading):
    """Refuses a model whose codes are not of the training images, all of them and no others; names the first."""
    table = archives.load_arrays(folder / "codes.npz")
    try:
        names = [generator.class_names[label] for label in table["labels"]]
        parts = map(bytes, table["digests"]), names, table["files"]
        learnt = {(digest, name): f"{file}" for digest, name, file in zip(*parts, strict=True)}
    except (KeyError, IndexError, TypeError, ValueError):
        raise ValueError(f"{folder / 'codes.npz'}: does not say which images its codes are of") from None
    files = [(name, path) for name, paths in reading.files.items() for path in paths]
    trained = {(digest, name): path for digest, (name, path) in zip(reading.images.digests(), files, strict=True)}
    for key, path in trained.items():
        if key not in learnt:
            raise ValueError(f"{path}: {folder} has no code of this training image; train_cglo.py on the same images")
    for key, file in learnt.items():
        if key not in trained:
            raise ValueError(
                f"{folder}: learned from {file}, which is not among the training images of {reading.source}"
            )


class Replacement(Arm):
    """Replaces images of each batch by images of their class, drawn with the codes of that class in turn.

    The code that stands for an image is not that image's own, which the stream of batches does not know, but the next
    of its class: each is used as often. Deviation 42.

    Args:
        generator: what `saved.find_generator` found.
        share: probability that an image is replaced.
        interpolation, coin: as the flags say.
        schedule: of each training, which says how many of the batches are seen.
    """

    one_device = True

    def __init__(self, generator, share, interpolation, coin, schedule):
        settings = {"replace": share, "interpolation": interpolation, "coin": coin}
        super().__init__({"cglo": settings}, {"cglo": generator.fingerprints()})
        self.generator, self.share, self.interpolation, self.coin = generator, share, interpolation, coin
        self.batches_per_epoch, self.epochs = schedule.steps_per_epoch, 0
        self.counts = []  # for each training a list of (images replaced, images) of its batches

    def join(self, batches, training):
        def seed_of(name):
            return backend.derive_seed(training.seed, f"cglo {name}")

        options = saved.Options(self.generator.class_names, self.generator.settings[0], seed_of, self.interpolation)
        rng = np.random.default_rng(backend.derive_seed(training.seed, "replacement"))
        return self.replaced(batches, self.generator.make_source(options), rng)

    def replaced(self, batches, source, rng):
        """Yields the batches with images of `source` in place of some, chosen by the generator of numbers `rng`."""
        self.counts.append(counts := [])
        turns = np.zeros(len(self.generator.class_names), int)
        for images, labels in batches:
            tossed = rng.random(len(images)) if self.coin == "example" else np.full(len(images), rng.random())
            places = np.flatnonzero(tossed < self.share)
            counts.append((len(places), len(images)))
            if len(places):
                classes = labels[places].argmax(axis=1)
                rows = np.empty(len(places), int)
                for label in np.unique(classes):
                    own = classes == label
                    rows[own] = turns[label] + np.arange(own.sum())
                    turns[label] += own.sum()
                images = images.copy()
                images[places] = source.draw(classes, rows)
            yield images, labels

    def callbacks(self):
        import keras

        def count(epoch, logs=None):
            self.epochs = epoch + 1

        return [keras.callbacks.LambdaCallback(on_epoch_end=count)]

    def facts(self):
        """How many images were replaced, of how many, in the steps that were taken; more are drawn ahead."""
        seen = [pair for counts in self.counts for pair in counts[: self.epochs * self.batches_per_epoch]]
        replaced, images = (int(sum(numbers)) for numbers in zip(*seen, strict=True))
        return {"cglo": {**self.settings["cglo"], "replaced": replaced, "of": images}}
