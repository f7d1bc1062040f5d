"""`-deform MODEL`: each image of each batch is deformed at random by what train_deformation.py learned."""

from pathlib import Path

import numpy as np

from arms.arm import Arm
from common import archives, backend, runs
from common.errors import BadInput, some
from images import codec

NAME, PAPER = "DEFORM", None
FILE = "deformation.npz"


def add_arguments(parser):
    parser.add_argument(
        "-deform", "--deform", metavar="MODEL", help="folder of train_deformation.py: deform every image in every batch"
    )


def is_asked(args):
    return bool(args.deform)


def folders(args):
    return [args.deform]


def check(parser, args):
    if args.deform and (args.chain or args.unlabelled):
        parser.error("-deform: goes with generated images and augmentation, not with -chain or --unlabelled")
    if args.deform and args.binarise:
        parser.error("-deform: makes grey levels; --binarise would have none")


def read(args, reading):
    folder = Path(args.deform)
    if not (folder / FILE).is_file():
        raise BadInput(f"{folder}: no {FILE} in it (train_deformation.py makes one)")
    try:
        settings = {**runs.read_json(folder / "config.json")["settings"]}
        shape, classes, shrinkage = tuple(settings["image_shape"]), tuple(settings["classes"]), settings["shrinkage"]
        low, high = settings["scale"]
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"{folder / 'config.json'}: does not say how {FILE} was made") from None
    if shape != tuple(reading.image_shape):
        raise BadInput(
            f"{folder}: learned from {codec.describe(shape)} images, but {reading.source} is "
            f"{codec.describe(reading.image_shape)}"
        )
    if shrinkage < 1 and classes != reading.class_names:
        raise BadInput(
            f"{folder}: has a Gaussian for each of {some(classes)}, but {reading.source} has "
            f"{some(reading.class_names)}"
        )
    return Deformation(folder / FILE, settings, (low, high))


class Deformation(Arm):
    """Deforms each image of a batch by a field of its own, drawn from the Gaussian of its class or of all classes.

    Args:
        path: the file of the model.
        settings: of the model.
        scale: least and largest factor of a field, from the model's settings.
    """

    def __init__(self, path, settings, scale):
        super().__init__({"deform": {"scale": list(scale)}}, {"deform": archives.fingerprint(path)})
        self.path, self.model_settings = path, settings

    def join(self, batches, training):
        from vae_aug import deformation

        deformer = deformation.make_deformer(archives.load_arrays(self.path), self.model_settings)
        rng = np.random.default_rng(backend.derive_seed(training.seed, "deformation"))
        return deformed(batches, deformer, rng)


def deformed(batches, deformer, rng):
    """Yields batches of deformed images with their labels."""
    for images, labels in batches:
        yield deformer(images, labels.argmax(axis=1), rng), labels
