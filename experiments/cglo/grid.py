"""The cells of Azuri and Weinshall's grid (2020), as a pure function of the flags and of the data's classes.

An arm is a generator, if it has one, and what the classifier is told to do with it. All arms of a size and a seed train
on the same images, for equally many optimiser steps.
"""

from pathlib import PurePosixPath
from typing import NamedTuple

from grid.graph import DATA, Graph

TRAIN = DATA / "train"


class Recipe(NamedTuple):
    """An arm.

    Attributes:
        generator: flags of train_cglo.py over the preset's; None for no generator.
        classifier: flags of train_cnn.py over the study's.
    """

    generator: dict | None = None
    classifier: dict = {}  # noqa: RUF012


TRANSDUCTIVE = {"transductive": True}
AUTOAUGMENT = {"mix": ["autoaugment"]}
TUNED = {"tuned": True}  # the study's --tuned-rate and --tuned-decay
RATE, DECAY = 4.55e-3, 5.29e-3  # their defaults: Brigato and Iocchi 2022, 50 images per class, a batch of 10
ARMS = {
    "BASELINE": Recipe(),
    "CGLO": Recipe({}),
    "RECONSTRUCTION": Recipe({}, {"interpolation": "none"}),  # a control that the paper lacks
    "TUNED": Recipe(None, TUNED),
    "TUNED+CGLO": Recipe({}, TUNED),
    "CUTOUT": Recipe(None, {"mix": ["cutout"]}),
    "ERASING": Recipe(None, {"mix": ["erasing"]}),
    "MIXUP": Recipe(None, {"mix": ["mixup"]}),
    "MIXMATCH": Recipe(None, {"mix": ["mixmatch"]}),
    "BARZ": Recipe(None, {"loss": "cosine"}),
    "NO-CLASSIFIER": Recipe({"label_loss": "none"}),
    "NO-NOISE": Recipe({"noise": "none"}),
    "LERP": Recipe({}, {"interpolation": "lerp"}),
    "TRANSDUCTIVE": Recipe(TRANSDUCTIVE),
    "LATENT": Recipe({"label_loss": "latent"}),
    "HYPERCUBE": Recipe({"init": "hypercube"}),
    "FEATURES": Recipe({"init": "features"}),
    "ADDITIVE": Recipe({"noise": "add"}),
    "COSINE": Recipe({}, {"loss": "cosine"}),
    "BATCH-COIN": Recipe({}, {"coin": "batch"}),
    "RAW": Recipe({"renormalise": "no"}),  # where the generator renormalises, slerp and lerp take the same way
    "RAW-LERP": Recipe({"renormalise": "no"}, {"interpolation": "lerp"}),
    "CGLO-1000": Recipe({"unlabelled": TRAIN, "unlabelled_images": 10}),
    "CGLO-ALL": Recipe({"unlabelled": TRAIN}),
    "MIXMATCH-1000": Recipe(None, {"mix": ["mixmatch"], "unlabelled": TRAIN, "unlabelled_images": 10}),
    "MIXMATCH-ALL": Recipe(None, {"mix": ["mixmatch"], "unlabelled": TRAIN}),
    "AUTOAUGMENT": Recipe(None, AUTOAUGMENT),
    "CGLO+AUTOAUGMENT": Recipe({}, AUTOAUGMENT),
    "TRANSDUCTIVE+AUTOAUGMENT": Recipe(TRANSDUCTIVE, AUTOAUGMENT),
}
USUAL = ("BASELINE", "CGLO", "RECONSTRUCTION", "CUTOUT", "ERASING", "MIXUP")


class Grid(Graph):
    """The cells; `args` are the study's flags."""

    def __init__(self, args, classes):
        super().__init__(args, classes)
        if self.protocols != ("fair",):
            raise ValueError(f"--protocol {args.protocol}: this study has one, fair: equal steps, last weights")
        check_sizes(args, classes)
        # Seed by seed, smallest first: whenever it stops, what is there is a smaller grid of the same kind.
        for seed in self.seeds:
            for shots in sorted(args.sizes):
                for arm in args.arms:
                    for protocol in self.protocols:
                        self.add_classifier(protocol, arm, shots, seed)

    def add_generator(self, flags, shots, seed):
        """The generator of an arm, which arms with the same flags share; returns its cell's key."""
        args = self.args
        words = [f"{name}-{value.name if isinstance(value, PurePosixPath) else value}" for name, value in flags.items()]
        variant = "-".join(["cglo", *words]).replace("_", "")
        weights = args.vgg_weights if args.generator_loss == "vgg" or flags.get("init") == "features" else None
        usual = {"preset": args.preset, "loss": args.generator_loss, "vgg_weights": weights}
        facts = {"generator": variant, "shots": shots, "seed": seed}
        key = f"cglo/{variant.lower()}-{shots}-seed{seed}"
        return self.train_cglo(key, seed, facts, images=shots, epochs=args.cglo_epochs, **usual, **flags)

    def add_classifier(self, protocol, arm, shots, seed):
        """A classifier on the real images, and on those that an arm puts in their place."""
        args, recipe = self.args, ARMS[arm]
        model = None if args.model == "thesis" else args.model
        images = {"model": model, "limtr": shots, "aug": None if args.aug == "none" else args.aug}
        images["weights"] = args.weights
        if recipe.classifier is TUNED:
            rate, decay = args.tuned_rate, args.tuned_decay
            images |= {"rate": RATE if rate is None else rate, "weight_decay": DECAY if decay is None else decay}
        if recipe.generator is not None:
            images["cglo"] = PurePosixPath(self.add_generator(recipe.generator, shots, seed))
            images["replace"] = args.replace
        if recipe.classifier.get("mix") == ["cutout"]:
            images["cutout_size"] = args.cutout_size
        key = f"classifiers/{protocol}-{arm.lower()}-{shots}-seed{seed}"
        further = {} if recipe.classifier is TUNED else recipe.classifier
        self.train_cnn(key, images | further, protocol, seed, {"source": arm, "shots": shots})


def check_sizes(args, classes):
    """Refuses sizes that a class has not the images for, and arms that need what is not given.

    Raises:
        ValueError: so it is.
    """
    scarcest = min(classes, key=classes.get)
    for shots in args.sizes:
        if shots > classes[scarcest]:
            raise ValueError(f"--sizes {shots}: class {scarcest} has {classes[scarcest]} training images")
    further = [arm for arm in args.arms if "unlabelled" in ARMS[arm].classifier]
    if further and max(args.sizes) >= max(classes.values()):
        raise ValueError(f"--arms {further[0]}: with --sizes {max(args.sizes)} no other training images are left")
    mixmatch = [arm for arm in args.arms if "mixmatch" in ARMS[arm].classifier.get("mix", ())]
    if mixmatch and args.aug == "none":
        raise ValueError(f"--arms {mixmatch[0]}: guesses labels from augmented copies, and needs an --aug")
