"""The cells of Maronas, Paredes and Ramos' grid (2018), as a pure function of the flags and of the data's classes.

A scenario has so many labelled images and ten times as many available ones, which contain them. A generator learns all
available images, labels unseen, once for every classifier that starts chains from the labelled ones. What the paper
leaves open about the grid is chosen here; what it leaves open about the models, in their scripts.
"""

from pathlib import PurePosixPath

from grid.graph import DATA, FIRST_SEED, PRESETS, Graph

MODELS = ("fc1", "fc2", "conv1")
ALL_MODELS = (*MODELS, "thesis")
GENERATORS = (*PRESETS, "vae")
PUBLISHED = ("b-rbm", "g-rbm", "vae")
PARTS = ("tables", "ladder", "figures")
AVAILABLE = 10  # times the labelled images (section 3)
LATENT = 20  # of the VAE; the paper names no number
STRIP = 200  # states of the chains of fig. 2
SHEET, THIN = 10, 50  # states a class in fig. 4, one in so many of a chain


def vae_epochs(num_images):
    """Passes over the available images: 1,000 steps on 100 of them, 5,000 on 1,000 or more."""
    return max(1, min(1000, 500_000 // num_images))


class Grid(Graph):
    """The cells; `args` are the study's flags."""

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
        if generator == "vae":
            return self.add_vae(available, seed)
        bad, good = self.args.rbm_epochs or (None, None)
        return self.train_rbm(generator, available, seed, good if generator == "g-rbm" else bad)

    def add_vae(self, available, seed):
        num = self.everything if available < 0 else available
        kind = {"joint": True, "binarise": True, "train_on_all": True}
        flags = {"images": -1 if available < 0 else available // self.num_classes, "latent": LATENT}
        flags |= {"objective": "elbo", "epochs": self.args.epochs or vae_epochs(num)}
        facts = {"generator": "vae", "available": num, "seed": seed}
        return self.train_vae(f"vae/{'all' if available < 0 else available}-seed{seed}", kind, seed, facts, **flags)

    def add_classifier(self, protocol, model, labelled, seed, generator="", length=None, labels=""):
        """One classifier; without a generator the baseline."""
        chain, flags = "", {}
        if generator:
            chain = f"{generator}-chain{length}-{labels}"
            made = self.add_generator(generator, AVAILABLE * labelled, seed)
            flags = {"chain": PurePosixPath(made), "chain_length": length, "labels": labels}
        facts = {"model": model, "generator": generator, "chain_length": length, "labels": labels}
        self.add_training(chain, flags, protocol, labelled, seed, facts)

    def add_ladder(self, protocol, labelled, seed):
        """The ladder network, whose unlabelled images are the available ones (Table 4), labels unseen."""
        flags = {"unlabelled": DATA / "train", "unlabelled_images": AVAILABLE * self.scenarios[labelled]}
        facts = {"model": "ladder", "generator": "", "chain_length": None, "labels": ""}
        self.add_training("", flags, protocol, labelled, seed, facts)

    def add_training(self, chain, flags, protocol, labelled, seed, facts):
        parts = filter(None, (protocol, facts["model"], str(labelled), chain, f"seed{seed}"))
        images = {"model": facts["model"], "limtr": self.scenarios[labelled], **flags, "binarise": True}
        facts = {**facts, "labelled": labelled, "available": AVAILABLE * labelled}
        self.train_cnn(f"classifiers/{'-'.join(parts)}", images, protocol, seed, facts)

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
        flags = {"labelled": 1, "count": count, "chain_length": count * thin, "thin": thin, "expectation": expectation}
        facts = {"generator": generator, "available": num, "expectation": expectation, "seed": seed}
        self.generate(key, [model], facts, sampler="chain", **flags)


def per_class(args, classes):
    """Labelled images per class: {labelled images in all: images per class}.

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
