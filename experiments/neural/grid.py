"""The cells of Eduardo and Kazi's grid (2018), as a pure function of the flags and of the data's classes.

An arm is what is added to the real images: as many images again, from a generator or by a transformation, made once and
fed together with the real ones (`-vae FOLDER --injection all`). ORIG adds nothing, AUGORIG a copy.
"""

import math
from pathlib import PurePosixPath

from grid.graph import FIRST_SEED, Graph

SAMPLERS = {"AUGORIG": "copy", "BLUR": "blur", "ROT": "rotate", "ROTBLUR": "rotate-blur"}
MODELS = {"CDCVAE": "cdcvae", "CDCGAN": "cdcgan"}
ARMS = ("ORIG", *SAMPLERS, *MODELS)
TWICE = "ORIG-2x"  # a control that the paper lacks: no more images, but the passes that AUGORIG's copies amount to
PER_CLASS = 4250  # published training images per class, of which --alpha is a percentage
BATCH_SIZE = 32  # the paper names none
POOL = "pool/vgg"  # the classifier in whose space distances are measured, of all training images


class Grid(Graph):
    """The cells; `args` are the study's flags."""

    def __init__(self, args, classes):
        super().__init__(args, classes)
        sizes = per_class(args, classes)
        # Seed by seed, smallest first: whenever it stops, what is there is a smaller grid of the same kind.
        for seed in self.seeds:
            for alpha, size in sizes.items():
                for arm in args.arms:
                    for protocol in self.protocols:
                        if arm != TWICE or protocol != "fair":  # there every arm takes the same steps
                            self.add_classifier(protocol, arm, alpha, size, seed)
                    if arm not in ("ORIG", TWICE, "AUGORIG"):
                        self.add_assessment(arm, alpha, size, seed)

    def add_images(self, arm, alpha, size, seed):
        """The images that an arm adds, `size` of each class; returns their cell's key."""
        facts = {"source": arm, "alpha": alpha, "seed": seed}
        key = f"gen/{arm.lower()}-{size}-seed{seed}"
        if arm in SAMPLERS:
            return self.generate(key, [], facts, sampler=SAMPLERS[arm], images=size)
        model = f"cdc/{arm.lower()}-{size}-seed{seed}"
        self.train_cdc(model, MODELS[arm], seed, facts, images=size, epochs=self.args.cdc_epochs)
        return self.generate(key, [model], facts, count=size)

    def add_classifier(self, protocol, arm, alpha, size, seed):
        """A VGG-Net on the real images and those of an arm."""
        args, images = self.args, {"model": "vgg", "width": args_width(self.args), "limtr": size}
        if arm not in ("ORIG", TWICE):
            images |= {"vae": PurePosixPath(self.add_images(arm, alpha, size, seed)), "injection": "all"}
        if protocol == "fair":
            steps = args.steps or args.e * math.ceil(2 * size * self.num_classes / BATCH_SIZE)
            flags = {"e": None, "steps": steps}
        else:
            protocol, flags = "validated", {"steps": None}
            every = min(args.validate_every, args.e)  # once at least
            flags |= {"validation_images": args.validation_images, "validate_every": every}
            flags |= {"e": 2 * args.e} if arm == TWICE else {}
        key = f"classifiers/{protocol}-{arm.lower()}-{size}-seed{seed}"
        self.train_cnn(key, images, protocol, seed, {"source": arm, "alpha": alpha}, **flags)

    def add_assessment(self, arm, alpha, size, seed):
        """Distances between an arm's images and the real ones that it was made from (Table 1)."""
        pool = {"model": "vgg", "width": args_width(self.args), "limtr": -1}
        self.train_cnn(POOL, pool, "fair", FIRST_SEED, {"variant": "pool", "source": "pool"}, e=None)
        made = self.add_images(arm, alpha, size, seed)
        flags = {"images": size, "features": ["pixels", "classifier"], "classifier": PurePosixPath(POOL), "steps": 0}
        facts = {"source": arm, "alpha": alpha, "seed": seed}
        self.assess(f"assess/{arm.lower()}-{size}-seed{seed}", made, seed, facts, **flags)


def args_width(args):
    """The `--width` to give to train_cnn.py, None for the usual one."""
    return args.width if args.width != 1 else None


def per_class(args, classes):
    """Real images per class: {alpha: number}, smallest first.

    Raises:
        ValueError: a class has fewer training images than asked for.
    """
    scarcest, sizes = min(classes, key=classes.get), {}
    there = classes[scarcest] if args.path else math.floor(classes[scarcest] * (1 - args.validation_fraction))
    for alpha in sorted(args.alpha):
        sizes[alpha] = PER_CLASS * alpha // 100
        if sizes[alpha] > there:
            raise ValueError(
                f"--alpha {alpha}: {sizes[alpha]} training images per class, but class {scarcest} has {there}"
            )
    return sizes
