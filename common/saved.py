"""Finds saved generators without Keras, and makes sources of images of them.

A generator is a folder with a `config.json`, whose `facts` name its kind and whose `settings` say how it was made: one
folder per class (`<models>/<class>/`, whose `settings.classes` is that class), or one for all classes that its
`settings.classes` lists. `KINDS` says of a kind which files a folder holds and which module makes a source of them:

    make_source(load, options) -> source

`load(label)` gives the files of a class by their stems: of a `.keras` file the model, of a `.npz` file a dict of
arrays. `options` is an `Options`. A source is an object with one of two methods; all images are float32
`(count, height, width, channels)` in [0, 1]:

    draw(labels, rows) -> images            a conditional one: an image of each label; `rows` numbers the images of a
                                            class, from 0, or names the training image that each stands for
    next(count) -> images, rows             one that gives what comes; `source.labels[row]` is the class of a row

A new kind is such a module and a line in `KINDS`. Its module is imported after the back end has been configured.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from common import archives, runs
from common.errors import BadInput
from images import folders

PLACES = ("rbm.keras", "vae.keras", "joint_/vae.keras", "joint/vae.keras")  # of a model that a chain can run on
VAE_SETTINGS = ("architecture", "objective", "image_shape", "latent_dim", "seed")


class Kind(NamedTuple):
    """What is known of a kind of generator before Keras is loaded."""

    module: str  # with `make_source`
    files: tuple  # that a folder holds
    samplers: tuple = ()  # values of --sampler that it takes, the first by default; none: it has no choice
    shared: tuple = ("image_shape",)  # settings that the models of all classes must have, and have in common
    per_class: bool = True  # whether there can be a model per class


KINDS = {
    "vae": Kind(
        "vae_aug.decoding",
        ("decoder.keras", "latents.npz"),
        ("uniform", "normal", "posterior"),
        shared=VAE_SETTINGS,
    ),
    "rbm": Kind("vae_aug.chains", ("rbm.keras",), ("chain",), per_class=False),
    "cdcvae": Kind("vae_aug.conditional", ("decoder.keras",), per_class=False),
    "cdcgan": Kind("vae_aug.conditional", ("generator.keras",), per_class=False),
    "cglo": Kind("vae_aug.interpolation", ("generator.keras", "codes.npz"), ("slerp", "lerp", "none"), per_class=False),
    "deformation": Kind("vae_aug.deformation", ("deformation.npz",), shared=("image_shape", "scale"), per_class=False),
    "copies": Kind("vae_aug.transforms", (), ("rotate", "blur", "rotate-blur", "copy")),  # of images, not of a model
    "untrained": Kind("vae_aug.untrained", (), ("smote", "noise")),  # the same
}


class Options(NamedTuple):
    """What a module's `make_source` is told."""

    class_names: list
    settings: dict  # of the model, or of the first of several
    seed_of: Callable  # gives an integer seed for a name
    sampler: str | None = None
    half_range: float = 1.5  # of the uniform sampler
    starts: Any = None  # of what starts at images: float32 `(num_starts, height, width, channels)`, or an album
    labels: Any = None  # of the same: integers `(num_starts,)`, the class of each start
    length: int | None = None  # of chains: steps before one goes back to its start
    thin: int = 1  # of chains: keep every N-th state
    expectation: bool = False  # of chains: E[x | h] in place of a state


class Saved(NamedTuple):
    """A model that chains can run on."""

    path: Path  # the .keras file
    settings: dict  # that it was made with
    facts: dict  # that its training measured
    sha256: archives.Fingerprint  # of its weights: a model trained anew is not taken for the old one


class Generator(NamedTuple):
    """A saved generator: one folder for all classes, or a folder per class."""

    kind: Kind
    class_names: list
    folders: list
    settings: list  # of each folder
    facts: list  # of each folder

    def fingerprints(self):
        """A fingerprint per folder, of what its images are made from.

        Raises:
            BadInput: a file is not readable.
        """
        found = {}
        for folder in self.folders:
            for file in self.kind.files:
                if file.endswith(".keras"):
                    archives.check_model(folder / file)
            found[folder.name] = archives.fingerprint(*(folder / file for file in self.kind.files))
        return found

    def make_source(self, options):
        """Makes the source of images; the back end must have been configured."""
        return make_source(self.kind, self.folders, options)


def make_source(kind, places, options):
    """Makes a source of images: of the files in one folder for all classes, or in one per class, in their order."""
    models = {}

    def load(label):
        folder = places[label if len(places) > 1 else 0]
        return {Path(file).stem: load_file(folder / file) for file in kind.files}

    def load_file(path):
        if path.suffix != ".keras":
            return archives.load_arrays(path)
        if path.name not in models:
            models[path.name] = archives.load_model(path)
        else:
            archives.load_weights(models[path.name], path)  # they are of one kind, so the traced graph stays
        return models[path.name]

    return importlib.import_module(kind.module).make_source(load, options)


def find_generator(roots):
    """Finds the generator in a folder, or in several that hold a folder per class each.

    Raises:
        BadInput: there is none, it cannot give images of a chosen class, or the parts do not go together.
    """
    found = {}
    for root in map(Path, roots):
        if not root.is_dir():
            raise BadInput(f"{root}: no such folder")
        if (root / "config.json").is_file():
            if len(roots) > 1:
                raise BadInput(f"{root}: one generator for all classes; give it alone")
            return _read_joint(root)
        for name, entry in _read_classes(root).items():
            if name in found:
                raise BadInput(f"{root / name}: {found[name][0]} is of the same class")
            found[name] = entry
    names = sorted(found, key=folders.natural_key)
    entries = [found[name] for name in names]
    _check_shared(names, entries)
    places, kinds, settings, facts = map(list, zip(*entries, strict=True))
    return Generator(KINDS[kinds[0]], names, places, settings, facts)


def _read_joint(root):
    kind, settings, facts = _read_config(root, f"{root}: not a generator that can be drawn from")
    if kind == "rbm":
        raise BadInput(f"{root}: an RBM has no latents to draw; it generates with --sampler chain")
    if kind == "vae":
        raise BadInput(f"{root}: the model of one class; give the folder that holds the folders of all classes")
    try:
        names = [folders.check_class_name(name) for name in settings["classes"]]
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"{root / 'config.json'}: does not say which classes it knows") from None
    return Generator(KINDS[kind], names, [root], [settings], [facts])


def _read_classes(root):
    """The models of one folder: {class: (folder, kind, settings, facts)}."""
    found = {}
    for folder in sorted(root.iterdir(), key=lambda entry: folders.natural_key(entry.name)):
        if folder.is_dir() and not folder.name.startswith("."):
            kind, settings, facts = _read_config(folder, f"{folder}: not a model that train_vae.py made")
            if not KINDS[kind].per_class:
                raise BadInput(f"{folder}: a {kind} knows all classes that it learned; give this folder itself")
            if kind == "vae":
                _check_vae(folder, settings)
            if settings.get("classes") != [folder.name]:
                raise BadInput(f"{folder}: not a model of the class {folder.name!r} alone")
            found[folder.name] = folder, kind, settings, facts
    if not found:
        raise BadInput(f"{root}: no models in it (train_vae.py makes them)")
    return found


def _read_config(folder, otherwise):
    """The kind, settings and facts that a `config.json` tells; `otherwise` is the message if it tells none."""
    config = runs.read_json(folder / "config.json")
    try:
        settings, facts = {**config["settings"]}, {**config.get("facts", {})}
        # Models made before there were kinds are told apart by their settings.
        earlier = "vae" if "architecture" in settings else "rbm" if "hidden" in settings else None
        kind = facts.get("kind", earlier)
        if not settings.keys() >= set(KINDS[kind].shared):
            raise KeyError("a setting that is missing")
    except (KeyError, TypeError, AttributeError):
        raise BadInput(otherwise) from None
    return kind, settings, facts


def _check_vae(folder, settings):
    if settings["architecture"] == "autoencoder":
        raise BadInput(
            f"{folder}: an autoencoder cannot be sampled, for nothing makes its codes follow a known "
            "distribution (thesis 2.3.1); train a VAE, --architecture conv or dense"
        )
    if settings["objective"] in ("reconstruction", "kl"):
        raise BadInput(
            f"{folder}: trained with --objective {settings['objective']}, one term of a VAE's loss "
            "alone; its latents do not follow N(0, 1), or mean nothing"
        )
    classes = settings.get("classes")
    if isinstance(classes, list) and len(classes) > 1:
        raise BadInput(
            f"{folder}: a joint VAE of {len(classes)} classes cannot choose which class it draws, so its images "
            "would have no label (thesis 6.2); train one per class, --all"
        )


def _check_shared(names, entries):
    first = entries[0]
    for folder, kind, settings, _ in entries:
        if kind != first[1]:
            raise BadInput(f"{folder}: of kind {kind}, but class {names[0]} has {first[1]}")
        for key in KINDS[kind].shared:
            if settings[key] != first[2][key]:
                raise BadInput(
                    f"{folder}: {key} {settings[key]}, but class {names[0]} has {first[2][key]}; "
                    "models whose images are used together should share it"
                )


def find(folder):
    """The one model of `folder` that can run a chain: an RBM, or a VAE of binary images.

    Raises:
        BadInput: there is none, it is not readable, or it did not learn from binary images.
    """
    paths = [Path(folder) / place for place in PLACES]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise BadInput(
            f"{folder}: no model in it that can run a chain "
            "(train_rbm.py makes one, and train_vae.py --joint --binarise)"
        )
    try:
        config = runs.read_json(path.parent / "config.json")
        settings, facts = config["settings"], config.get("facts", {})
        is_binary = path.name == "rbm.keras" or settings.get("binarise", False)
        tuple(settings["image_shape"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise BadInput(f"{path.parent / 'config.json'}: does not say how {path.name} was made") from None
    if not is_binary:
        raise BadInput(f"{path}: a VAE of grey levels; a chain needs one of binary images, train_vae.py --binarise")
    if settings.get("objective") in ("reconstruction", "kl"):
        raise BadInput(
            f"{path}: trained with --objective {settings['objective']}, one term of a VAE's loss alone; a chain "
            "needs both"
        )
    archives.check_model(path)
    return Saved(path, settings, facts, archives.fingerprint(path))


def load(folder):
    """Loads the model that `find` finds."""
    return archives.load_model(find(folder).path)
