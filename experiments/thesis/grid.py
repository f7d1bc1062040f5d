"""The cells of the thesis' grid, as a pure function of the flags and of the classes that the data has.

Cells share what they can: the VAEs of one (size, latent, seed) serve both arms with generated images under both
protocols; CNN, AUG and the published AUG+VAE, which sees no generated image, are trained once for all latent sizes.
"""

import math
from pathlib import PurePosixPath

from cnn import protocols
from grid import cost
from grid.graph import DATA, FIRST_SEED, PRESETS, Graph, given

ARMS = ("cnn", "vae", "aug", "aug+vae", "vae-all", "chain", "aug+chain")
MODELS = ("thesis", "fc1", "fc2", "conv1")
CHAIN_LENGTH, LABELS = 500, "y"  # of the arms with chains; the scarce paper's grid varies them
PARTS = ("arms", "checks", "vae-loss", "latent-spaces", "augmentation")
TERMS = ("reconstruction", "kl", "thesis")  # figs 2.3.3, 2.4.5 and 2.4.6
LOSS_EPOCHS = 500  # of Table 6.1
JOINT_IMAGES, JOINT_EPOCHS = 100, 50
TOGETHER = 5  # classes whose VAEs are one cell, so that workers share the VAEs of even a single size and seed


class Grid(Graph):
    """The thesis' cells; `args` is what `thesis.parse_args` returns."""

    def __init__(self, args, classes):
        super().__init__(args, classes)
        self.sizes = per_class(args, classes)
        # Seed by seed, smallest first: whenever it stops, what is there is a smaller grid of the same kind.
        for seed in self.seeds:
            for size, num in sorted(self.sizes.items()):
                if "arms" in args.parts:
                    self.add_arms(size, num, seed)
                if "checks" in args.parts and "published" in self.protocols:
                    for arm in (arm for arm in ("cnn", "aug") if arm in args.arms):
                        self.add_classifier(arm, "published", size, num, None, seed, select="accuracy")
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
            size, num = min(self.sizes.items())
            for seed in self.seeds:
                for lessons in range(6):
                    self.add_classifier("aug", self.protocols[0], size, num, None, seed, bad=lessons)

    def add_arms(self, size, num, seed):
        # First what others wait for: with two workers, one that has only classifiers would leave the other behind.
        for arm in sorted(self.args.arms, key=lambda arm: "vae" not in arm):
            for protocol in self.protocols:
                blind = (arm, protocol) == ("aug+vae", "published")
                latents = self.args.latent[: 1 if blind else None] if "vae" in arm else (None,)
                for model in self.args.models:
                    for generator in self.args.generators if "chain" in arm else (None,):
                        for latent in latents:
                            self.add_classifier(arm, protocol, size, num, latent, seed, model, generator)

    def add_generator(self, size, num, latent, seed):
        """The VAEs of one (size, latent, seed) and their images; returns the key of the images."""
        args, gen = self.args, f"gen/{size}-latent{latent}-seed{seed}"
        facts = {"size": size, "latent": latent, "seed": seed}
        models, shares = [], math.ceil(self.num_classes / TOGETHER)
        for share in range(1, shares + 1):
            part = f"-part{share}" if shares > 1 else ""
            key = f"models/{size}-latent{latent}{part}-seed{seed}"
            flags = ["--all", *given(part=f"{share}/{shares}" if part else None)]
            flags += ["-path", DATA, "--images", num, "--latent", latent, *given(epochs=args.epochs)]
            flags += ["--out", PurePosixPath(key), *self.common(seed)]
            costs = cost.models(self.num_classes / shares, num, args.epochs or 350)
            models.append(self.add(key, "train_vae", flags, ["data"], *costs, **facts))
        flags = ["-models", *map(PurePosixPath, models), "-out", PurePosixPath(gen), "--count", args.count]
        flags += self.common(seed, images=False)
        costs = cost.generation(self.num_classes, args.count)
        return self.add(gen, "generate", flags, models, *costs, **facts)

    def add_rbm(self, generator, size, num, seed):
        """One RBM of all classes; returns its key."""
        key, preset = f"rbm/{PRESETS[generator]}-{size}-seed{seed}", PRESETS[generator]
        flags = ["-path", DATA, "--images", num, "--preset", preset, "--out", PurePosixPath(key), *self.common(seed)]
        costs = cost.rbm(size, cost.RBM_EPOCHS[preset])
        return self.add(key, "train_rbm", flags, ["data"], *costs, generator=generator, available=size, seed=seed)

    def add_classifier(
        self, arm, protocol, size, num, latent, seed, model="thesis", generator=None, select=None, bad=None
    ):
        """One classifier of one arm; another model than the thesis', chains, `select` or `bad` make a variant of it."""
        args, needs = self.args, ["data"]
        flags = ["-path", DATA, "-limtr", num, "--protocol", protocol]
        flags += given(limte=args.limte, e=args.e, precision=args.precision)
        if latent:
            needs.append(self.add_generator(size, num, latent, seed))
            flags += ["-vae", PurePosixPath(needs[-1])]
        other = {}  # what the thesis' own arms need not say
        if generator:
            needs.append(self.add_rbm(generator, size, num, seed))
            flags += ["-chain", PurePosixPath(needs[-1]), "--chain-length", CHAIN_LENGTH, "--labels", LABELS]
            other = {"model": model, "generator": generator, "chain_length": CHAIN_LENGTH, "labels": LABELS}
        if model != "thesis":
            flags += ["--model", model]
            other["model"] = model
        if arm == "vae-all":
            flags += ["--injection", "all"]
        if arm.startswith("aug"):
            flags += ["--aug"] if bad is None else ["--bad", bad]
        flags += given(steps=args.steps if protocol == "fair" else None, select=select)
        changes = ["" if model == "thesis" else model, generator, select and f"by-{select}"]
        variant = "-".join(filter(None, [*changes, "" if bad is None else f"bad{bad}"]))
        blind = (arm, protocol) == ("aug+vae", "published")
        parts = [protocol, arm, variant, size, f"latent{latent}" if latent and not blind else "", f"seed{seed}"]
        key = f"classifiers/{'-'.join(str(part) for part in parts if part != '')}"
        flags += ["--out", PurePosixPath(key), *self.common(seed)]
        costs = self.cost_of_classifier(arm, protocol, size, select, model)
        facts = {"arm": arm, "latent": latent, "variant": variant, **other}
        self.add(key, "train_cnn", flags, needs, *costs, **facts)

    def cost_of_classifier(self, arm, protocol, size, select, model):
        args = self.args
        num_test = self.num_classes * (args.limte if args.limte > 0 else 200)
        if model != "thesis":
            looks = 1 if protocol == "fair" else args.e or 60
            return cost.scarce_classifier(model, args.steps or 3000, looks, num_test, args.precision)
        if protocol == "fair":
            return cost.classifier(args.steps or 3000, 1, num_test, args.precision)
        page = {"vae": protocols.PAGE_SIZES["VAE"], "vae-all": self.num_classes * args.count}.get(arm, 0)
        stopped = {"cnn": 25, "aug": 25, "vae-all": 15}  # where the rule stopped them here, more or less
        epochs = min(args.e or 60, stopped.get(arm, 60) if not select else 60)
        steps = epochs * (size if arm.startswith("aug") else math.ceil((size + page) / 32))
        return cost.classifier(steps, epochs + 1, num_test, args.precision)

    def add_joint(self, term, num):
        """One VAE for all classes, with a term of its loss or both."""
        key = f"joint/{term}-seed{FIRST_SEED}"
        epochs = self.args.epochs or JOINT_EPOCHS
        flags = ["--joint", "-path", DATA, "--images", num, "--latent", 2, "--epochs", epochs, "--objective", term]
        flags += ["--out", PurePosixPath(key), *self.common(FIRST_SEED)]
        costs = cost.models(1, num * self.num_classes, epochs)
        self.add(key, "train_vae", flags, ["data"], *costs, term=term)

    def add_loss(self, class_name, num, seed):
        """One VAE of one class, trained for long (thesis 6.2.1)."""
        key = f"vae-loss/{num}-seed{seed}"
        epochs = self.args.epochs or LOSS_EPOCHS
        flags = ["--digit", class_name, "-path", DATA, "--images", num, "--latent", 2, "--epochs", epochs]
        flags += ["--out", PurePosixPath(key), *self.common(seed)]
        self.add(key, "train_vae", flags, ["data"], *cost.models(1, num, epochs), images=num, seed=seed)


def per_class(args, classes):
    """Training images a class: {images in all: images a class}.

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
