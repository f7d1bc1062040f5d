"""The cells of Maronas, Paredes and Ramos' grid (2018), as a pure function of the flags and of the data's classes.

A scenario has so many labelled images and ten times as many available ones, which contain them. A generator learns all
available images, labels unseen, once for every classifier that starts chains from the labelled ones. What the paper
leaves open about the grid is chosen here; what it leaves open about the models, in their scripts.
"""

from pathlib import PurePosixPath

from grid import cost
from grid.graph import DATA, FIRST_SEED, PRESETS, Graph, given

MODELS = ("fc1", "fc2", "conv1")
ALL_MODELS = (*MODELS, "thesis")
GENERATORS = (*PRESETS, "vae")
PARTS = ("tables", "ladder", "figures")
AVAILABLE = 10  # times the labelled images (section 3)
LATENT = 20  # of the VAE; the paper names no number
STRIP = 200  # states of the chains of fig. 2
SHEET, THIN = 10, 50  # states a class in fig. 4, one in so many of a chain


def vae_epochs(num_images):
    """Passes over the available images: 1,000 steps on 100 of them, 5,000 on 1,000 or more."""
    return max(1, min(1000, 500_000 // num_images))


class Grid(Graph):
    """The cells; `args` is what `scarce.parse_args` returns."""

    def __init__(self, args, classes):
        super().__init__(args, classes)
        self.scenarios = per_class(args, classes)
        self.everything = sum(classes.values())
        # Seed by seed, smallest first: whenever it stops, what is there is a smaller grid of the same kind.
        for seed in self.seeds:
            for labelled in sorted(self.scenarios):
                for protocol in self.protocols:
                    if "tables" in args.parts:
                        self.add_models(protocol, labelled, seed)
                    if "ladder" in args.parts:
                        self.add_ladder(protocol, labelled, seed)
        if "figures" in args.parts:
            self.add_figures()

    def add_models(self, protocol, labelled, seed):
        for model in self.args.models:
            self.add_classifier(protocol, model, labelled, seed)
            for generator in self.args.generators:
                for length in self.args.chain_length:
                    for labels in self.args.labels:
                        self.add_classifier(protocol, model, labelled, seed, generator, length, labels)

    def add_generator(self, generator, available, seed):
        """The model that learns so many images, -1 for all there are; returns its key."""
        add = self.add_vae if generator == "vae" else self.add_rbm
        return add(generator, available, seed)

    def add_rbm(self, generator, available, seed):
        args, preset = self.args, PRESETS[generator]
        key = f"rbm/{preset}-{available}-seed{seed}"
        flags = ["-path", DATA, "--images", available // self.num_classes, "--preset", preset]
        epochs = dict(zip(PRESETS.values(), args.rbm_epochs, strict=True))[preset] if args.rbm_epochs else None
        flags += [*given(epochs=epochs), "--out", PurePosixPath(key), *self.common(seed)]
        costs = cost.rbm(available, epochs or cost.RBM_EPOCHS[preset])
        return self.add(key, "train_rbm", flags, ["data"], *costs, generator=generator, available=available, seed=seed)

    def add_vae(self, generator, available, seed):
        args, num = self.args, self.everything if available < 0 else available
        key = f"vae/{'all' if available < 0 else available}-seed{seed}"
        epochs = args.epochs or vae_epochs(num)
        images = -1 if available < 0 else available // self.num_classes
        flags = ["--joint", "--binarise", "--train-on-all", "-path", DATA, "--images", images, "--latent", LATENT]
        flags += ["--objective", "elbo", "--epochs", epochs, "--out", PurePosixPath(key), *self.common(seed)]
        costs = cost.joint_vae(num, epochs)
        return self.add(key, "train_vae", flags, ["data"], *costs, generator=generator, available=num, seed=seed)

    def add_classifier(self, protocol, model, labelled, seed, generator="", length=None, labels=""):
        """One classifier; without a generator the baseline."""
        needs, chain, flags = ["data"], "", ["--model", model, "-limtr", self.scenarios[labelled]]
        if generator:
            needs.append(self.add_generator(generator, AVAILABLE * labelled, seed))
            chain = f"{generator}-chain{length}-{labels}"
            flags += ["-chain", PurePosixPath(needs[-1]), "--chain-length", length, "--labels", labels]
        facts = {"model": model, "generator": generator, "chain_length": length, "labels": labels}
        self.add_training(chain, flags, needs, protocol, labelled, seed, facts)

    def add_ladder(self, protocol, labelled, seed):
        """The ladder network, whose unlabelled images are the available ones (Table 4), labels unseen."""
        available = AVAILABLE * self.scenarios[labelled]
        flags = ["--model", "ladder", "-limtr", self.scenarios[labelled], "--unlabelled", DATA / "train"]
        flags += ["--unlabelled-images", available]
        facts = {"model": "ladder", "generator": "", "chain_length": None, "labels": ""}
        self.add_training("", flags, ["data"], protocol, labelled, seed, facts)

    def add_training(self, chain, flags, needs, protocol, labelled, seed, facts):
        args, model = self.args, facts["model"]
        parts = filter(None, (protocol, model, str(labelled), chain, f"seed{seed}"))
        key = f"classifiers/{'-'.join(parts)}"
        line = ["-path", DATA, *flags, "--binarise", "--protocol", protocol]
        line += given(limte=args.limte, e=args.e, b=args.b, precision=args.precision)
        # Published, the thesis' CNN without chains goes by the thesis' protocol, which sets its own steps.
        own_steps = (protocol, model, chain) == ("published", "thesis", "")
        line += given(steps=None if own_steps else args.steps)
        line += ["--out", PurePosixPath(key), *self.common(seed)]
        looks = 1 if protocol == "fair" else args.e or 60
        num_test = self.num_classes * (args.limte if args.limte > 0 else 1000)
        chained = facts["generator"], facts["labels"]
        costs = cost.scarce_classifier(model, args.steps or 3000, looks, num_test, args.precision, *chained)
        facts |= {"labelled": labelled, "available": AVAILABLE * labelled}
        self.add(key, "train_cnn", line, needs, *costs, **facts)

    def add_figures(self):
        """Figs 1 to 4: chains from the first seed's generators, and a VAE of all the images that there are."""
        for generator in self.args.generators:
            for labelled in sorted(self.scenarios):
                self.add_chains("sheets", generator, AVAILABLE * labelled)
        if "vae" in self.args.generators:
            self.add_chains("sheets", "vae", AVAILABLE * max(self.scenarios), expectation=True)
            self.add_chains("strips", "vae", -1, expectation=True)

    def add_chains(self, kind, generator, available, expectation=False):
        """Chains from one labelled image of each class: `strips` keeps all states, `sheets` every 50th."""
        seed, model = FIRST_SEED, self.add_generator(generator, available, FIRST_SEED)
        num = self.everything if available < 0 else available
        name = "all" if available < 0 else available
        key = f"{kind}/{generator}-{name}{'-expectation' if expectation else ''}-seed{seed}"
        count, thin = (STRIP, 1) if kind == "strips" else (SHEET, THIN)
        flags = ["--sampler", "chain", "-models", PurePosixPath(model), "-path", DATA, "--labelled", 1]
        flags += ["--count", count, "--chain-length", count * thin, "--thin", thin, *given(expectation=expectation)]
        flags += ["-out", PurePosixPath(key), *self.common(seed, images=False)]
        facts = {"generator": generator, "available": num, "expectation": expectation, "seed": seed}
        costs = cost.chains(self.num_classes, count * thin, generator)
        self.add(key, "generate", flags, [model, "data"], *costs, **facts)


def per_class(args, classes):
    """Labelled images a class: {labelled images in all: images a class}.

    Raises:
        ValueError: a total is no multiple of the number of classes, or ten times as many are not there.
    """
    scarcest, scenarios = min(classes, key=classes.get), {}
    for labelled in args.scenario:
        if labelled % len(classes):
            raise ValueError(f"--scenario {labelled}: not a multiple of the {len(classes)} classes")
        scenarios[labelled] = labelled // len(classes)
        wanted = AVAILABLE * scenarios[labelled]
        if wanted > classes[scarcest]:
            raise ValueError(
                f"--scenario {labelled}: {wanted} available images a class, but class {scarcest} has "
                f"{classes[scarcest]}"
            )
    return scenarios
