"""The cells of the thesis' grid, as a pure function of the flags and of the classes that the data has.

Cells share what they can: the VAEs of one (size, latent, seed) serve both arms with generated images under both
protocols; CNN, AUG and the published AUG+VAE, which sees no generated image, are trained once for all latent sizes.
"""

import itertools
import math
from pathlib import PurePosixPath
from typing import NamedTuple

from grid.graph import FIRST_SEED, Graph

ARMS = ("cnn", "vae", "aug", "aug+vae", "vae-all", "chain", "aug+chain")
MODELS = ("thesis", "fc1", "fc2", "conv1")
CHAIN_LENGTH, LABELS = 500, "y"  # of the arms with chains; the scarce paper's grid varies them
PARTS = ("arms", "checks", "vae-loss", "latent-spaces", "augmentation")
TERMS = ("reconstruction", "kl", "thesis")  # figs 2.3.3, 2.4.5 and 2.4.6
LOSS_EPOCHS = 500  # of Table 6.1
JOINT_IMAGES, JOINT_EPOCHS = 100, 50
TOGETHER = 5  # classes whose VAEs are one cell, so that workers share the VAEs of even a single size and seed


def is_blind(arm, protocol, model):
    """Whether an arm is fed no generated image although it has some: as released, of the thesis' own classifier."""
    return (arm, protocol, model) == ("aug+vae", "published", "thesis")


class Variant(NamedTuple):
    """What makes a variant of one of the thesis' own arms.

    Attributes:
        model: the classifier.
        generator: whose chains join, a key of `grid.graph.PRESETS`, or None.
        binary: train and test on binary images.
        select: rule by which the published protocol picks weights, or None for the arm's own.
        bad: lessons that inexpert augmentation has had, or None for the suitable one.
    """

    model: str = "thesis"
    generator: str | None = None
    binary: bool = False
    select: str | None = None
    bad: int | None = None

    def name(self):
        """Says in a key what was changed; "" for the thesis' own arms."""
        model, binary = "" if self.model == "thesis" else self.model, "binary" * self.binary
        select, bad = self.select and f"by-{self.select}", "" if self.bad is None else f"bad{self.bad}"
        return "-".join(filter(None, (model, self.generator, binary, select, bad)))

    def facts(self):
        """Says in a record what was changed; nothing for the thesis' own arms."""
        found = {}
        if self.generator:
            found = {"model": self.model, "generator": self.generator, "chain_length": CHAIN_LENGTH, "labels": LABELS}
        if self.model != "thesis":
            found["model"] = self.model
        return found | ({"pixels": "binary"} if self.binary else {})


class Grid(Graph):
    """The thesis' cells; `args` are the study's flags."""

    def __init__(self, args, classes):
        super().__init__(args, classes)
        self.sizes = per_class(args, classes)
        # Seed by seed, smallest first: whenever it stops, what is there is a smaller grid of the same kind.
        for seed in self.seeds:
            for size in sorted(self.sizes):
                if "arms" in args.parts:
                    self.add_arms(size, seed)
                if "checks" in args.parts and "published" in self.protocols:
                    for arm in (arm for arm in ("cnn", "aug") if arm in args.arms):
                        self.add_classifier(arm, "published", size, None, seed, Variant(select="accuracy"))
        first, available = next(iter(classes)), min(classes.values())
        if "latent-spaces" in args.parts:
            for term in TERMS:
                self.add_joint(term, min(JOINT_IMAGES, available))
        if "vae-loss" in args.parts:
            for num in args.loss_images:
                if num <= classes[first]:
                    for seed in self.seeds:
                        self.add_loss(first, num, seed)
        if "augmentation" in args.parts:
            size = min(self.sizes)
            for seed in self.seeds:
                for lessons in range(6):
                    self.add_classifier("aug", self.protocols[0], size, None, seed, Variant(bad=lessons))

    def add_arms(self, size, seed):
        # First what others wait for: with two workers, one that has only classifiers would leave the other behind.
        arms = sorted(self.args.arms, key=lambda arm: "vae" not in arm)
        # An RBM's states are binary, and beside grey images they would differ in more than what they show. So chains
        # join binary images alone, and every arm that they are compared with is trained on binary images too.
        with_chains = any("chain" in arm for arm in arms)
        for arm, protocol, model in itertools.product(arms, self.protocols, self.args.models):
            latents = self.args.latent[: 1 if is_blind(arm, protocol, model) else None] if "vae" in arm else (None,)
            generators = self.args.generators if "chain" in arm else (None,)
            for generator, latent in itertools.product(generators, latents):
                if not generator:
                    self.add_classifier(arm, protocol, size, latent, seed, Variant(model))
                if with_chains:
                    self.add_classifier(arm, protocol, size, latent, seed, Variant(model, generator, binary=True))

    def add_generator(self, size, latent, seed):
        """The VAEs of one (size, latent, seed) and their images; returns the key of the images."""
        facts = {"size": size, "latent": latent, "seed": seed}
        models, shares = [], math.ceil(self.num_classes / TOGETHER)
        for share in range(1, shares + 1):
            part = f"-part{share}" if shares > 1 else ""
            kind = {"all": True, "part": f"{share}/{shares}" if part else None}
            flags = {"images": self.sizes[size], "latent": latent, "epochs": self.args.epochs}
            models.append(self.train_vae(f"models/{size}-latent{latent}{part}-seed{seed}", kind, seed, facts, **flags))
        return self.generate(f"gen/{size}-latent{latent}-seed{seed}", models, facts, count=self.args.count)

    def add_classifier(self, arm, protocol, size, latent, seed, variant):
        """One classifier of one arm."""
        flags = {}
        if latent:
            flags["vae"] = PurePosixPath(self.add_generator(size, latent, seed))
        if variant.generator:
            flags["chain"] = PurePosixPath(self.train_rbm(variant.generator, size, seed))
            flags |= {"chain_length": CHAIN_LENGTH, "labels": LABELS}
        flags["model"] = None if variant.model == "thesis" else variant.model
        flags["binarise"], flags["injection"] = variant.binary, "all" if arm == "vae-all" else None
        augmented = arm.startswith("aug") and variant.bad is None
        flags |= {"aug": augmented, "bad": variant.bad, "select": variant.select}
        latent_name = f"latent{latent}" if latent and not is_blind(arm, protocol, variant.model) else ""
        parts = protocol, arm, variant.name(), str(size), latent_name, f"seed{seed}"
        facts = {"arm": arm, "latent": latent, "variant": variant.name(), **variant.facts()}
        key = f"classifiers/{'-'.join(filter(None, parts))}"
        self.train_cnn(key, {"limtr": self.sizes[size]}, protocol, seed, facts, **flags)

    def add_joint(self, term, num):
        """One VAE for all classes, with a term of its loss or both."""
        flags = {"images": num, "latent": 2, "epochs": self.args.epochs or JOINT_EPOCHS, "objective": term}
        self.train_vae(f"joint/{term}-seed{FIRST_SEED}", {"joint": True}, FIRST_SEED, {"term": term}, **flags)

    def add_loss(self, class_name, num, seed):
        """One VAE of one class, trained for long (thesis 6.2.1)."""
        flags = {"images": num, "latent": 2, "epochs": self.args.epochs or LOSS_EPOCHS}
        facts = {"images": num, "seed": seed}
        self.train_vae(f"vae-loss/{num}-seed{seed}", {"digit": class_name}, seed, facts, **flags)


def per_class(args, classes):
    """Training images per class: {images in all: images per class}.

    Raises:
        ValueError: a total is no multiple of the number of classes, or does not suit the data or a VAE.
    """
    if args.per_class:
        sizes = {size * len(classes): size for size in args.sizes}
    else:
        for size in args.sizes:
            if size % len(classes):
                raise ValueError(f"--sizes {size}: not a multiple of the {len(classes)} classes")
        sizes = {size: size // len(classes) for size in args.sizes}
    scarcest = min(classes, key=classes.get)
    for total, num in sizes.items():
        shown = num if args.per_class else total
        if num > classes[scarcest]:
            raise ValueError(f"--sizes {shown}: {num} images a class, but class {scarcest} has {classes[scarcest]}")
        if num == 1 and any("vae" in arm for arm in args.arms):
            raise ValueError(f"--sizes {shown}: a VAE needs at least 2 images a class")
    return sizes
