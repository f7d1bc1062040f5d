"""The cells of the contest, as a pure function of the flags and of the data's classes.

Arms share what they can: a generator of one (size, seed) serves all arms with its images and all classifiers. It learns
from the images that the classifier learns from, and from no others.
"""

from pathlib import PurePosixPath

from experiments.contest.arms import SOURCES, parse
from grid.graph import Graph, given

MODELS = ("thesis", "conv1", "fc1", "fc2", "vgg", "wrn-16-2", "wrn-10-2")
DEFORMATIONS = {  # further flags of each
    "deformation": {},
    "deformation-all": {"affine": True, "appearance": True},
    "deformation-own": {"per_class": True},
    "deformation-low": {"rank": 10},
    "deformation-fine": {"control": 12},
}
DEFORMED = 100  # deformed images per class that a VAE or a cGLO learns from
CHAINS = {"thin": 1, "chain_length": 500, "expectation": True}  # from the images that the model learned from
JOINT = {"joint": True, "binarise": True, "train_on_all": True}  # the VAE of Maronas et al.
LATENT, EPOCHS = 20, 1000  # of that VAE, as in the scarce paper's grid with as few images


class Grid(Graph):
    """The cells; `args` are the study's flags and `arms` names of arms."""

    def __init__(self, args, classes, arms):
        super().__init__(args, classes)
        if self.protocols != ("fair",):
            raise ValueError(f"--protocol {args.protocol}: the contest has one, fair: equal steps, last weights")
        few = min(classes, key=classes.get)
        if max(args.sizes) > classes[few]:
            raise ValueError(f"--sizes {max(args.sizes)}: class {few} has {classes[few]} training images")
        arms = [parse(name) for name in arms]
        # Seed by seed, smallest first: whenever it stops, what is there is a smaller grid of the same kind.
        for seed in self.seeds:
            for size in sorted(args.sizes):
                for arm in arms:
                    for model in args.models:
                        self.add_classifier(arm, model, size, seed)

    def add_classifier(self, arm, model, size, seed):
        """A classifier on the training images and on what an arm adds."""
        flags = {"model": None if model == "thesis" else model, "limtr": size, "aug": arm.augmentation or None}
        flags["networks"] = arm.networks if arm.networks > 1 else None
        flags["views"] = self.args.views if arm.augmentation and self.args.views else None
        if arm.source:
            source = SOURCES[arm.source]
            if source.deform:
                flags["deform"] = PurePosixPath(self.add_deformation(size, seed, source.deform))
            flags |= {"cglo": PurePosixPath(self.add_cglo(size, seed))} if source.replace else {}
            flags |= {"vae": PurePosixPath(GENERATORS[source.images](self, size, seed))} if source.images else {}
            flags |= {"mix": list(source.mix)} if source.mix else {}
        facts = {"entry": arm.name, "source": arm.source, "augmentation": arm.augmentation}
        facts |= {"per_class": size, "model": model}
        self.train_cnn(f"classifiers/{model}-{size}-{arm.name}-seed{seed}", flags, "fair", seed, facts)

    def facts(self, source, size, seed):
        return {"source": source, "per_class": size, "seed": seed}

    def add_deformation(self, size, seed, name="deformation"):
        """A deformation model of one (size, seed); `name` is one of `DEFORMATIONS`."""
        key = f"deform/{name}-{size}-seed{seed}"
        return self.train_deformation(key, seed, self.facts(name, size, seed), images=size, **DEFORMATIONS[name])

    def add_cglo(self, size, seed):
        """The cGLO of one (size, seed), whose images replace real ones on the fly (Azuri and Weinshall 2020)."""
        flags = {"images": size, "epochs": self.args.cglo_epochs}
        return self.train_cglo(f"cglo/{size}-seed{seed}", seed, self.facts("cglo", size, seed), **flags)

    def add_smote(self, size, seed):
        """Images between training images of a class (Chawla et al. 2002)."""
        facts, flags = self.facts("smote", size, seed), {"images": size, "count": self.args.count}
        return self.generate(f"gen/smote-{size}-seed{seed}", [], facts, sampler="smote", **flags)

    def add_vae(self, size, seed):
        """The images of a VAE per class (Garay-Maestre et al. 2018)."""
        facts = self.facts("vae", size, seed)
        flags = {"images": size, "latent": 3, "epochs": self.args.epochs}
        models = self.train_vae(f"models/vae-{size}-seed{seed}", {"all": True}, seed, facts, **flags)
        return self.generate(f"gen/vae-{size}-seed{seed}", [models], facts, count=self.args.count)

    def add_vae_of_deformed(self, size, seed):
        """The images of a VAE per class that learned from deformed images."""
        flags = {"all": True, "latent": 3, "epochs": self.args.epochs}
        return self.add_of_deformed("vae-of-deformed", "train_vae", "models", size, seed, **flags)

    def add_cglo_of_deformed(self, size, seed):
        """The images of a cGLO that learned from deformed images."""
        return self.add_of_deformed("cglo-of-deformed", "train_cglo", "cglo", size, seed, epochs=self.args.cglo_epochs)

    def add_of_deformed(self, name, script, folder, size, seed, **flags):
        """The images of a generator that learned from deformed images; `name` is the source's."""
        facts, deform = self.facts(name, size, seed), self.add_deformation(size, seed)
        of = {"source": "deformed", "per_class": size, "seed": seed}
        images = self.generate(f"gen/deformed-{size}-seed{seed}", [deform], of, count=DEFORMED)
        key = f"{folder}/{name}-{size}-seed{seed}"
        flags |= {"path": PurePosixPath(images), "images": DEFORMED, "out": PurePosixPath(key)}
        models = self.add(key, script, given(**flags, **self.common(seed)), facts)
        return self.generate(f"gen/{name}-{size}-seed{seed}", [models], facts, count=self.args.count)

    def add_rbm(self, name, preset, size, seed):
        """Chains of an RBM, `"b-rbm"` or `"g-rbm"`; `name` is the source's."""
        return self.add_chains(name, self.train_rbm(preset, size * self.num_classes, seed), size, seed)

    def add_vae_chains(self, size, seed):
        """Chains of a VAE of the binary images of all classes."""
        flags = {"images": size, "latent": LATENT, "objective": "elbo", "epochs": self.args.epochs or EPOCHS}
        key, facts = f"models/vae-chains-{size}-seed{seed}", self.facts("vae-chains", size, seed)
        return self.add_chains("vae-chains", self.train_vae(key, JOINT, seed, facts, **flags), size, seed)

    def add_chains(self, name, model, size, seed):
        """Expected images along Markov chains of a model, from the training images (Maronas et al. 2018)."""
        facts, key = self.facts(name, size, seed), f"gen/{name}-{size}-seed{seed}"
        return self.generate(key, [model], facts, sampler="chain", labelled=size, **CHAINS, count=self.args.count)

    def add_cdc(self, model, size, seed):
        """The images of one conditional model (Eduardo and Kazi 2018)."""
        facts, key = self.facts(model, size, seed), f"cdc/{model}-{size}-seed{seed}"
        self.train_cdc(key, model, seed, facts, images=size, epochs=self.args.cdc_epochs)
        return self.generate(f"gen/{model}-{size}-seed{seed}", [key], facts, count=self.args.count)


GENERATORS = {  # of images in folders: adds the cells of one (size, seed) and gives the key of the images
    "smote": Grid.add_smote,
    "vae": Grid.add_vae,
    "vae-of-deformed": Grid.add_vae_of_deformed,
    "cglo-of-deformed": Grid.add_cglo_of_deformed,
    "rbm": lambda grid, size, seed: grid.add_rbm("rbm", "b-rbm", size, seed),
    "g-rbm": lambda grid, size, seed: grid.add_rbm("g-rbm", "g-rbm", size, seed),
    "vae-chains": Grid.add_vae_chains,
    "cdcvae": lambda grid, size, seed: grid.add_cdc("cdcvae", size, seed),
    "cdcgan": lambda grid, size, seed: grid.add_cdc("cdcgan", size, seed),
}
