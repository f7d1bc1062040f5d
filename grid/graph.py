"""A grid's cells as a graph: keys, command lines, needs and facts, one method per script."""

from pathlib import PurePosixPath

from grid import cost
from grid.cells import Cell

FIRST_SEED = 42
PRESETS = {"b-rbm": "bad", "g-rbm": "good", "p-rbm": "persistent"}  # of train_rbm.py
DATA = PurePosixPath("data")
SHORT = ("path", "real", "gen", "models", "limtr", "limte", "e", "b", "vae", "chain")  # flags with one dash


class Graph:
    """Cells that may need one another: `cells` is a dict from key to `Cell`, in the order in which they run.

    A value of a flag that is a `PurePosixPath` names a folder of the grid, and so says which cell has to run before.

    Args:
        args: a study's flags.
        classes: dict from class name to its number of training images.
    """

    def __init__(self, args, classes):
        self.args, self.classes, self.num_classes, self.cells = args, classes, len(classes), {}
        self.seeds = range(FIRST_SEED, FIRST_SEED + args.seeds)
        self.data = DATA  # where the next cells read real images: a folder of the grid
        self.protocols = ("fair", "published") if args.protocol == "both" else (args.protocol,)

    def add(self, key, script, flags, facts):
        """Adds a cell, once for all that need it; two different cells of one key are a `ValueError`.

        Args:
            key: the folder that it makes, below the grid's root.
            script: module whose `main(argv)` it calls.
            flags: its command line, as `given` makes it.
            facts: what tables and figures have to know of it and cannot read from its folder.

        Returns:
            The key.
        """
        read = [item for item in flags if isinstance(item, PurePosixPath) and item != PurePosixPath(key)]
        needs = dict.fromkeys("data" if path.is_relative_to(DATA) else path.as_posix() for path in read)
        work, disk = cost.of(script, flags, self)
        cell = Cell(key, script, tuple(flags), tuple(needs), work, disk, facts)
        if (made := self.cells.setdefault(key, cell)).command(".") != cell.command("."):
            raise ValueError(f"two cells are called {key}: {made.command('.')}; {cell.command('.')}")
        return key

    def prepare_data(self, key, seed, facts, **flags):
        """Adds a split of the data's images, or a draw of them; the rest as in `train_vae`."""
        line = given(folder=self.data, **flags, seed=seed, out=PurePosixPath(key))
        return self.add(key, "prepare_data", line, facts)

    def train_vae(self, key, kind, seed, facts, **flags):
        """Adds VAEs of the data's training images.

        Args:
            key: folder of the models.
            kind: flags that say which classes a VAE learns: `{"all": True}` for a VAE per class, `{"digit": name}` for
                one of one class, `{"joint": True}` for one of all classes together.
            seed: of subset, weights and noise.
            facts: as in `add`.
            **flags: the other flags, in their order; None and False are not given.
        """
        line = given(**kind, path=self.data, **flags, out=PurePosixPath(key), **self.common(seed))
        return self.add(key, "train_vae", line, facts)

    def train_rbm(self, generator, available, seed, epochs=None):
        """Adds one RBM of so many training images of all classes; `generator` is a key of `PRESETS`."""
        preset = PRESETS[generator]
        key = f"rbm/{preset}-{available}-seed{seed}"
        flags = {"images": available // self.num_classes, "preset": preset, "epochs": epochs}
        line = given(path=self.data, **flags, out=PurePosixPath(key), **self.common(seed))
        return self.add(key, "train_rbm", line, {"generator": generator, "available": available, "seed": seed})

    def train_cdc(self, key, model, seed, facts, **flags):
        """Adds one conditional model of all classes, `"cdcvae"` or `"cdcgan"`; the rest as in `train_vae`."""
        line = given(model=model, path=self.data, **flags, out=PurePosixPath(key), **self.common(seed))
        return self.add(key, "train_cdc", line, facts)

    def train_deformation(self, key, seed, facts, **flags):
        """Adds one deformation model of all classes; the rest as in `train_vae`."""
        line = given(path=self.data, **flags, out=PurePosixPath(key), **self.common(seed))
        return self.add(key, "train_deformation", line, facts)

    def train_cglo(self, key, seed, facts, **flags):
        """Adds one cGLO of all classes; the rest as in `train_vae`."""
        line = given(path=self.data, **flags, out=PurePosixPath(key), **self.common(seed))
        return self.add(key, "train_cglo", line, facts)

    def assess(self, key, generated, seed, facts, **flags):
        """Adds the comparison of a cell's generated images with the data's; the rest as in `train_vae`."""
        line = given(real=self.data, gen=PurePosixPath(generated), **flags, out=PurePosixPath(key), **self.common(seed))
        return self.add(key, "assess", line, facts)

    def generate(self, key, models, facts, sampler=None, **flags):
        """Adds generated images.

        Args:
            key: folder of the images.
            models: keys of the cells whose models make them.
            facts: as in `add`; its seed is the cell's.
            sampler: None for the models' prior, or a sampler that starts from the data's images, e.g. `"chain"`, or
                that copies them and takes no models.
            **flags: as in `train_vae`.
        """
        models, out = list(map(PurePosixPath, models)), ["-out", PurePosixPath(key)]
        if sampler:
            line = [*given(sampler=sampler, models=models or None, path=self.data, **flags), *out]
        else:
            line = [*given(models=models), *out, *given(**flags)]
        reads = bool(sampler) and not models  # copies and what else starts from images, at the size of the grid
        return self.add(key, "generate", [*line, *given(**self.common(facts["seed"], images=reads))], facts)

    def train_cnn(self, key, images, protocol, seed, facts, **flags):
        """Adds one classifier.

        Args:
            key: its run folder.
            images: flags that say which classifier learns from which images: `limtr`, and what stands beside it.
            protocol: of train_cnn.py. The thesis' own published arms set their own number of steps; every
                other classifier, and chains with any, take `--steps`.
            seed: of subset, weights and noise.
            facts: as in `add`.
            **flags: as in `train_vae`; they win over the study's.
        """
        args, asked = self.args, {**images, **flags}
        own_steps = protocol == "published" and asked.get("model") in (None, "thesis") and not asked.get("chain")
        passed = {"limte": args.limte, "e": args.e, "b": getattr(args, "b", None), "precision": args.precision}
        steps = flags.pop("steps", None if own_steps else args.steps)
        line = given(path=self.data, **images, protocol=protocol, **(passed | flags))
        line += given(steps=steps, out=PurePosixPath(key), **self.common(seed))
        return self.add(key, "train_cnn", line, facts)

    def common(self, seed, images=True):
        """The flags that all scripts have; without `images` those of scripts that read no images."""
        args = self.args
        shape = {"size": args.size, "color": args.color} if images else {}
        return {**shape, "seed": seed, "devices": args.devices, "deterministic": args.deterministic}


def given(**flags):
    """Flags that were given, as a command line: `given(steps=500, e=None)` is `["--steps", 500]`."""
    line = []
    for name, value in flags.items():
        flag = f"-{name}" if name in SHORT else f"--{name.replace('_', '-')}"
        if value is True:
            line.append(flag)
        elif value is not None and value is not False:
            line += [flag, *value] if isinstance(value, list) else [flag, value]
    return line
