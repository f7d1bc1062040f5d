"""The arms of a comparison on one's own images, and its cells: a pure function of flags, plan and counts of images.

An arm is a line of `ARMS`. All arms of a split see the same training images, and those that are trained by steps take
equally many. Generated images join the real ones by pages as large as the real part, so that about half of each batch
is generated.
"""

import math
from argparse import Namespace
from pathlib import PurePosixPath
from typing import NamedTuple

from grid.graph import FIRST_SEED, Graph

TIMES = 4  # images that are generated for each real one: pages do not repeat at once
MOST_ASSESSED = 1000  # images of each part that assess.py compares: its covariances have as many dimensions as pixels
MOST_BYTES = 2**28  # of the float32 images that a generator of all classes learns from
SHARES = {"half": 2, "quarter": 4}  # of the training images, by which the learning curve divides them


class Arm(NamedTuple):
    """One way of making a classifier.

    Attributes:
        title: as tables and sentences say it.
        group: `"without"` generated images, `"with"` those of a generator that learns, or a `"control"`, which is no
            method but shows what extra steps or extra images do by themselves.
        images: what makes the images that join, a key of `SAMPLERS` or `MODELS`; empty for none.
        classic: whether classic augmentation changes every batch.
        flags: further ones of train_cnn.py.
    """

    title: str
    group: str
    images: str = ""
    classic: bool = False
    flags: dict = {}  # noqa: RUF012


SAMPLERS = {"copies": "copy", "noise": "noise", "smote": "smote"}  # of generate.py, that start at the images
MODELS = ("vae", "cdcvae", "cglo")  # generators that learn from the images; `Grid.add_<name>` trains one
ARMS = {
    "plain": Arm("real images alone", "without"),
    "imagenet": Arm("frozen ImageNet features", "without", flags={"model": "imagenet"}),
    "neighbours": Arm("nearest neighbour on pixels", "without", flags={"model": "neighbours"}),
    "copies": Arm("copies", "control", "copies"),
    "noise": Arm("pure noise", "control", "noise"),
    "classic": Arm("classic augmentation", "without", classic=True),
    "mixup": Arm("mixup", "without", flags={"mixup": 0.2}),
    "cutout": Arm("cutout", "without", flags={"mix": ["cutout"]}),
    "smote": Arm("SMOTE", "without", "smote"),
    "vae": Arm("VAE", "with", "vae"),
    "cdcvae": Arm("CDCVAE", "with", "cdcvae"),
    "cglo": Arm("cGLO", "with", "cglo"),
    "classic+vae": Arm("classic + VAE", "with", "vae", classic=True),
    "classic+cdcvae": Arm("classic + CDCVAE", "with", "cdcvae", classic=True),
    "classic+cglo": Arm("classic + cGLO", "with", "cglo", classic=True),
}
# Left out in this order where a budget does not hold all arms: first what answers the smallest part of the question.
SPARE = ("cutout", "mixup", "noise", "smote", "classic+cdcvae", "cdcvae", "classic+cglo", "cglo", "copies", "vae")
AUGMENTATIONS = {"digits": {"aug": "suitable"}, "photographs": {"aug": "photographs"}}  # flags of train_cnn.py
FITTED = ("imagenet", "neighbours")  # models of train_cnn.py that take no steps


class Plan(NamedTuple):
    """How much is trained: splits, optimiser steps of every classifier, epochs of the generators."""

    seeds: int
    steps: int
    vae_epochs: int
    cdc_epochs: int
    cglo_epochs: int


class Grid(Graph):
    """The cells of a comparison.

    Args:
        args: flags of compare.py.
        classes: {class: number of images}, of the training part where there is a given split.
        plan: a `Plan`.
        is_split: whether there is a given split, whose test part is kept.
        seeds: the splits to make cells for, None for all of the plan.
    """

    def __init__(self, args, classes, plan, is_split, seeds=None):
        # The images have one size by now; splits and steps are the plan's, whatever the flags said.
        self.most = most_images(args)
        args = Namespace(**{**vars(args), "seeds": plan.seeds, "steps": plan.steps, "size": None, "color": None})
        super().__init__(args, classes)
        self.plan, self.is_split = plan, is_split
        self.counts = {name: num_train(count, args, is_split) for name, count in classes.items()}
        # Split by split: whenever it stops, what is there is a smaller comparison of the same kind.
        for seed in self.seeds if seeds is None else seeds:
            self.add_split(seed)

    def add_split(self, seed):
        args, self.data, self.place = self.args, PurePosixPath("data"), f"seed{seed}"
        share = {"draw": args.draw} if self.is_split else {"test_fraction": args.test_fraction}
        split = self.prepare_data(f"splits/seed{seed}", seed, {"seed": seed, "kind": "split", "units": 0}, **share)
        self.data = PurePosixPath(split)
        for name in args.arms:
            self.add_classifier(name, seed)
        if "plain" in args.arms:
            for variant, divisor in SHARES.items():
                self.add_smaller(variant, divisor, seed)
            if seed == FIRST_SEED:
                for name in dict.fromkeys(ARMS[arm].images for arm in args.arms if ARMS[arm].group == "with"):
                    self.add_assessment(name, seed)

    def add_kept(self, name, data, counts):
        """The classifier of an arm on all images of the folder `data`, `counts` per class, without a test: its key."""
        self.data, self.place, self.counts = data, "all", counts
        return self.add_classifier(name, FIRST_SEED, {"no_test": True})

    def add_classifier(self, name, seed, images=None):
        """The classifier of an arm; `images` are further flags that say which images it learns from."""
        arm, args = ARMS[name], self.args
        flags, facts = dict(arm.flags), {"source": name, "kind": f"{'classic' if arm.classic else 'plain'} classifier"}
        if flags.get("model") in FITTED:
            facts["kind"] = f"{name} classifier"
        if arm.images:
            made = PurePosixPath(self.add_images(arm.images, seed))
            flags |= {"vae": made, "page_size": sum(self.generated().values())}
        if arm.classic:
            flags |= AUGMENTATIONS[args.augmentation]
        if flags.get("model") == "imagenet":
            flags["pretrained"] = args.pretrained
        return self.classifier(f"classifiers/{name}-{self.place}", seed, facts, {"limtr": -1} | (images or {}), flags)

    def add_smaller(self, variant, divisor, seed):
        """The plain classifier on a share of the training images, for the learning curve."""
        middle = sorted(self.counts.values())[len(self.counts) // 2]
        limit = max(1, round(middle / divisor))
        facts = {"source": "plain", "variant": variant, "kind": "plain classifier"}
        self.classifier(f"classifiers/plain-{variant}-{self.place}", seed, facts, {"limtr": limit}, {})

    def classifier(self, key, seed, facts, images, flags):
        args = self.args
        own = {"model": args.model, "width": args.width if args.width != 1 else None, "noise": 0}
        own |= {"limte": -1, "e": None}
        if flags.get("model") in FITTED:
            own |= {"width": None, "noise": None}
        steps = {"steps": None if flags.get("model") in FITTED else self.plan.steps}
        facts = {"seed": seed, "units": steps["steps"] or 0} | facts
        return self.train_cnn(key, images, "fair", seed, facts, **(own | flags | steps))

    def generated(self):
        """Generated images per class on a page: as many as there are real ones, or with --balance more of the classes
        that have fewer, so that all classes have equally many with them.
        """
        most = max(self.counts.values())
        return {name: 2 * most - count if self.args.balance else count for name, count in self.counts.items()}

    def add_images(self, name, seed):
        """The images that join in an arm."""
        kind = "images of no model" if name in SAMPLERS else f"{name} images"
        facts = {"source": name, "seed": seed, "kind": kind, "units": 0}
        counts = {of: TIMES * count for of, count in self.generated().items()}
        together = set(counts.values())
        count = together.pop() if len(together) == 1 else [f"{of}={number}" for of, number in counts.items()]
        key = f"gen/{name}-{self.place}"
        if name in SAMPLERS:
            flags = {} if name == "copies" else {"count": count}
            return self.generate(key, [], facts, sampler=SAMPLERS[name], **flags)
        return self.generate(key, [getattr(self, f"add_{name}")(seed)], facts, count=count)

    def add_vae(self, seed):
        facts = {"source": "vae", "seed": seed, "kind": "vae", "units": self.plan.vae_epochs}
        flags = {"images": -1, "train_on_all": True, "epochs": self.plan.vae_epochs}
        return self.train_vae(f"models/vae-{self.place}", {"all": True}, seed, facts, **flags)

    def add_cdcvae(self, seed):
        facts = {"source": "cdcvae", "seed": seed, "kind": "cdcvae", "units": self.plan.cdc_epochs}
        flags = {"most": self.limit(), "epochs": self.plan.cdc_epochs}
        return self.train_cdc(f"models/cdcvae-{self.place}", "cdcvae", seed, facts, **flags)

    def add_cglo(self, seed):
        facts = {"source": "cglo", "seed": seed, "kind": "cglo", "units": self.plan.cglo_epochs}
        flags = {"most": self.limit(), "epochs": self.plan.cglo_epochs}
        return self.train_cglo(f"models/cglo-{self.place}", seed, facts, **flags)

    def limit(self):
        """Images that a generator of all classes learns from at most; None where there are no more."""
        return self.most if self.most and sum(self.counts.values()) > self.most else None

    def add_assessment(self, name, seed):
        """What the generated images are like: distance, copies, and what is learned from them alone."""
        facts = {"source": name, "seed": seed, "kind": "assessment", "units": self.plan.steps}
        plain = PurePosixPath(f"classifiers/plain-{self.place}")
        flags = {"features": ["pixels", "classifier"], "classifier": plain, "steps": self.plan.steps}
        flags["most"] = MOST_ASSESSED
        self.assess(f"assess/{name}-{self.place}", self.add_images(name, seed), seed, facts, **flags)


def most_images(args):
    """How many images of the flags' size and colour make up `MOST_BYTES` as float32; None where they have no size."""
    if not args.size or not args.color:
        return None
    return MOST_BYTES // (4 * math.prod(args.size) * (1 if args.color == "grey" else 3))


def num_train(count, args, is_split):
    """Training images of one class in a split, of `count` that there are, as prepare_data.py cuts them."""
    if is_split:
        return max(1, round(args.draw * count))
    return count - min(max(math.ceil(args.test_fraction * count), 1), count - 1)


def overlap(classes, args, is_split):
    """Images left out of a split's training part over those in it, of `classes` with so many images each."""
    trained = sum(num_train(count, args, is_split) for count in classes.values())
    return (sum(classes.values()) - trained) / trained
