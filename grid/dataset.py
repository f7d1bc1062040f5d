"""The data of a grid: which classes it has, what its folder is bound to, where the cells find it."""

import hashlib
import json
from pathlib import Path

import numpy as np

import prepare_data
from common import runs
from common.errors import BadInput
from grid.cells import write_durably
from images import folders, sources

# Of the smallest class of each named data set; digits are counted, for they come without a download.
TRAINING_IMAGES = {"mnist": 5421, "fashion_mnist": 6000, "cifar10": 5000, "cifar100": 500}


UNNAMED = "thesis"  # the study that came first, whose grids' folders do not say its name


def count_images(args):
    """The classes and how many training images each has, at least, before anything is prepared: {class: count}."""
    if args.path:
        train, test = (folders.list_images(Path(args.path) / part) for part in ("train", "test"))
        folders.check_same_classes(train, test, Path(args.path) / "train", Path(args.path) / "test")
        return {name: len(paths) for name, paths in train.items()}
    if args.source or args.dataset == "digits":
        data = sources.from_npz(args.source) if args.source else sources.digits(42)
        counts = np.bincount(data.y_train, minlength=len(data.class_names))
        return {sources.folder_name(name): int(n) for name, n in zip(data.class_names, counts, strict=True)}
    names = sources.CLASS_NAMES.get(args.dataset) or [str(label) for label in range(10)]
    return {sources.folder_name(name): TRAINING_IMAGES[args.dataset] for name in names}


def identity(args):
    """What tells the data of one grid from another's, for the grid's file.

    Returns:
        Of a folder: `images`, SHA-256 of parts, classes, file names and sizes; and `contents`, SHA-256 of the files of
        each class, {part: {class: digest}}. Of other sources: `file`, SHA-256 of it, or `dataset`, its name.
    """
    if args.path:
        files = {part: folders.list_images(Path(args.path) / part) for part in ("train", "test")}
        listing = [
            [part, name, path.name, path.stat().st_size]
            for part, classes in files.items()
            for name, paths in classes.items()
            for path in paths
        ]
        if (Path(args.path) / "validation").is_dir():
            files["validation"] = folders.list_images(Path(args.path) / "validation")
        contents = {part: {name: digest(paths) for name, paths in classes.items()} for part, classes in files.items()}
        return {"images": hashlib.sha256(json.dumps(listing).encode()).hexdigest(), "contents": contents}
    if args.source:
        return {"file": digest([Path(args.source)])}
    return {"dataset": args.dataset}


def digest(paths):
    """SHA-256 of files, one after another."""
    sha = hashlib.sha256()
    for path in paths:
        sha.update(path.read_bytes())
    return sha.hexdigest()


def claim(root, args, settings):
    """Notes in `<root>/grid.json` what all cells of the folder share, its data and `settings`, or checks it."""
    data = identity(args)
    if (root / "grid.json").exists():
        if "contents" not in read(root)["data"]:  # made before contents were noted: names and sizes have to do
            data.pop("contents", None)
        elif "validation" not in read(root)["data"]["contents"]:  # made before that part was
            data.get("contents", {}).pop("validation", None)
        runs.finished(root, settings, data, "grid.json")
    elif any(not entry.name.startswith(".") for entry in root.iterdir()):
        raise BadInput(f"{root}: exists and is no folder of a grid; give another --out")
    else:
        name = args.dataset or Path(args.source or args.path).resolve().name
        write_durably(root / "grid.json", {"settings": settings, "data": data, "name": name})


def read(root):
    """What `<root>/grid.json` says: a dict of `settings`, `data` and `name`; a `BadInput` names a broken file."""
    path = root / "grid.json"
    content = runs.read_json(path)
    kinds = {"settings": dict, "data": dict, "name": str}
    if not isinstance(content, dict) or not all(isinstance(content.get(key), kind) for key, kind in kinds.items()):
        raise BadInput(f"{path}: not a grid's file (settings, data and name); restore it, or give another --out")
    return content


def paper_of(root):
    """The name of the study whose grid a folder holds."""
    return read(root)["settings"].get("paper", UNNAMED)


def check(root, paper):
    """Raises a `BadInput` if a folder holds no grid, or another study's."""
    if not (root / "grid.json").exists():
        raise BadInput(f"{root}: no grid's folder")
    if paper_of(root) != paper:
        raise BadInput(f"{root}: holds the grid of the paper {paper_of(root)!r}, not of {paper!r}")


def prepare(args, root):
    """Puts the data at `<root>/data`: a link to a given folder, or what prepare_data.py makes."""
    data = root / "data"
    if args.path:
        if data.is_symlink():
            data.unlink()  # the folder may have moved; `claim` has checked that it holds the same images
        data.symlink_to(Path(args.path).resolve(), target_is_directory=True)
        return
    given = ["--source", args.source] if args.source else ["--dataset", args.dataset]
    fraction = vars(args).get("validation_fraction")  # of a study that has the flag
    given += ["--validation-fraction", str(fraction)] if fraction else []
    prepare_data.main([*given, "--out", str(data)])
