"""Writes a data set as class folders: <out>/train/<class>/*.png, <out>/test/<class>/*.png and dataset.json.

Reads   a named data set, an .npz file, or a folder of class folders without a split (--draw: with train/ and test/).
Writes  8-bit PNG files and dataset.json: source, counts, shape, classes, SHA-256 of the pixels. Each part is whole or
        absent, and put in place last; what else lies in <out>, such as a README.md, stays.

Example python prepare_data.py --dataset digits --out data
        1,797 real handwritten digits in 2 s, nothing downloaded
        python prepare_data.py --source mnist.npz --out data/mnist
        70,000 images in 9 s on 2 cores
        python prepare_data.py --folder photographs --out data/mine --validation-fraction 0.1
        your own images, a tenth of those to train on set apart in <out>/validation/<class>/
"""

import common.interrupts  # noqa: F401  first: Ctrl-C while the rest is imported ends in one line

# isort: split

import hashlib
from pathlib import Path

import numpy as np

from common import cli, runs
from images import albums, codec, folders, reading, selection, sources, splits

DATASETS = ("digits", "mnist", "fashion_mnist", "cifar10", "cifar100")
MARKER = "dataset.json"


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--dataset", choices=DATASETS, help="digits comes with scikit-learn; Keras downloads the others")
    given.add_argument("--source", metavar="FILE.npz", help="x_train, y_train, x_test, y_test (uint8), class_names")
    given.add_argument("--folder", metavar="DIR", help="class folders without a split; for --draw with train/, test/")
    parser.add_argument("--out", default="data", help="folder to make, or to fill beside its README.md")
    parser.add_argument("--limit-train", type=cli.limit, default=-1, help="training images per class, -1 for all")
    parser.add_argument("--limit-test", type=cli.limit, default=-1, help="test images per class, -1 for all")
    parser.add_argument("--test-fraction", type=cli.fraction, help="per class, for --folder and digits (default: 0.16)")
    parser.add_argument(
        "--validation-fraction",
        type=cli.fraction,
        help="per class, of the images that are not for the test, to set apart in <out>/validation (default: none)",
    )
    parser.add_argument(
        "--draw",
        type=cli.fraction,
        metavar="SHARE",
        help="of a --folder with train/ and test/ in it: this share of each class's training images, all test images",
    )
    parser.add_argument(
        "--rest-to-test",
        action="store_true",
        help="training images beyond --limit-train join the test part",
    )
    parser.add_argument("--seed", type=cli.whole, default=42, help="of the split")
    parser.add_argument(
        "--levels",
        type=cli.positive,
        metavar="MAX",
        help="level of 16-bit files that is white (default: the least of 255, 1023, 4095, ... that no level exceeds)",
    )
    parser.add_argument("--skip-unreadable", action="store_true", help="pass over damaged files of --folder")
    parser.add_argument("--follow-links", action="store_true", help="read what links in --folder lead to outside it")
    args = parser.parse_args(argv)
    if args.rest_to_test and (args.folder or args.limit_train < 0):
        parser.error("--rest-to-test: goes with --limit-train and arrays; --folder has --test-fraction")
    if not args.folder:
        for flag in ("draw", "levels", "skip_unreadable", "follow_links"):
            if getattr(args, flag):
                parser.error(f"--{flag.replace('_', '-')}: goes with --folder DIR")
    if args.test_fraction and (args.draw or not (args.folder or args.dataset == "digits")):
        parser.error("--test-fraction: goes with --folder without --draw, and with digits; others have a test part")
    args.test_fraction = args.test_fraction or 0.16
    if args.draw and args.validation_fraction:
        parser.error("--draw: keeps the parts that are there; --validation-fraction makes one")
    return args


def load_arrays(args):
    """The data set that the flags name, as arrays."""
    if args.source:
        return sources.from_npz(args.source)
    if args.dataset == "digits":
        return sources.digits(args.seed, args.test_fraction)
    from common import backend

    (x_train, y_train), (x_test, y_test) = backend.load_keras_dataset(args.dataset)
    return sources.checked(args.dataset, x_train, y_train, x_test, y_test, sources.CLASS_NAMES.get(args.dataset))


def array_images(args, dataset, limits):
    """What to write of arrays: a list of (part, class name, file name), and as `reading.Reader` gives them the images.

    Files are named after their place in the original; with `--rest-to-test`, those of the test part that were training
    images begin with `train`.
    """
    class_names = [sources.folder_name(name) for name in dataset.class_names]
    if len(set(map(folders.one_form, class_names))) < len(class_names):
        raise ValueError(f"class names that make the same folder: {', '.join(dataset.class_names)}")
    rows = {
        part: {name: np.flatnonzero(y == label) for label, name in enumerate(class_names)}
        for part, y in (("train", dataset.y_train), ("test", dataset.y_test))
    }
    for part, files in rows.items():
        for name, chosen in files.items():
            if len(chosen) == 0:
                raise ValueError(f"class {name!r} has no {part} images")
    if args.validation_fraction:
        rows = {"train": {}, "validation": {}, "test": rows["test"], "both": rows["train"]}
        for name, chosen in rows.pop("both").items():
            rows["train"][name], rows["validation"][name] = hold_out(args, chosen, f"class {name!r}")
    chosen = [
        (part, name, row, part)
        for part, files in rows.items()
        for name, places in files.items()
        for row in np.sort(places)[: limit(limits, part)]
    ]
    if args.rest_to_test:
        rest = {name: np.sort(places)[limit(limits, "train") :] for name, places in rows["train"].items()}
        chosen += [("test", name, row, "train") for name, places in rest.items() for row in places]
    images = ((dataset.x_test if origin == "test" else dataset.x_train)[row] for _, _, row, origin in chosen)
    images = enumerate(image if image.ndim == 3 else image[..., None] for image in images)
    names = [(part, name, f"{'' if origin == part else 'train-'}example{row}") for part, name, row, origin in chosen]
    return names, images


def folder_images(args, limits):
    """As `array_images`, of class folders that are split by the seed. Images keep their sizes."""
    chosen = []
    for name, parts in drawn_parts(args) if args.draw else split_parts(args):
        paths = [path for part_paths in parts.values() for path in part_paths]
        for part, part_paths in parts.items():
            # Parts that were there share names: a test image must not be called otherwise by what is drawn beside it.
            named = part_paths if args.draw else paths
            stems_differ = len({path.stem for path in named}) == len(named)
            for path in sorted(part_paths[: limit(limits, part)]):
                chosen.append((part, name, path.stem if stems_differ else path.name, path))
    reader = reading.Reader([path for *_, path in chosen], levels=args.levels, skip=args.skip_unreadable)
    return [named for *named, _ in chosen], reader


def split_parts(args):
    """Splits class folders by the seed; yields each class and {part: its paths}."""
    files = folders.list_images(args.folder, args.follow_links)
    for name, paths in selection.draw_subset(files, -1, args.seed).items():
        try:
            train, test = splits.split(paths, args.test_fraction, args.seed)
        except ValueError as error:
            raise ValueError(f"{Path(args.folder) / name}: {error}") from None
        parts = {"train": train, "test": test}
        if args.validation_fraction:
            train, validation = hold_out(args, train, Path(args.folder) / name)
            parts = {"train": train, "validation": validation, "test": test}
        yield name, parts


def drawn_parts(args):
    """Draws a share of the training images of each class and takes all test images; yields as `split_parts`."""
    roots = {part: Path(args.folder) / part for part in ("train", "test")}
    files = {part: folders.list_images(root, args.follow_links) for part, root in roots.items()}
    folders.check_same_classes(files["train"], files["test"], roots["train"], roots["test"])
    for name, paths in selection.draw_subset(files["train"], -1, args.seed).items():
        yield name, {"train": paths[: max(1, round(args.draw * len(paths)))], "test": files["test"][name]}


def hold_out(args, items, name):
    """The training and the validation part of the images of one class that are not for the test."""
    try:
        return splits.split(items, args.validation_fraction, args.seed, "validation")
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def limit(limits, part):
    return limits[part] if limits.get(part, -1) > 0 else None


def is_there(out):
    """Whether `out` holds a data set, or what may not lie beside one.

    Hidden files, a README and folders of other data sets may lie there.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        return True
    return out.exists() and not all(
        entry.name.startswith(".") or entry.name.upper().startswith("README") or (entry / MARKER).exists()
        for entry in out.iterdir()
    )


def pour(names, images, folder=None):
    """Reads all images once, and writes them if a folder is given.

    Args:
        names: list of (part, class name, file name).
        images: yields the place in the list and the uint8 image; what it leaves out is passed over.
        folder: where the class folders go, or None to look only.

    Returns:
        Counts {part: {class: number}}, shape of the images or "differing", SHA-256 of all of them.
    """
    counts, shapes, digest = {part: {} for part, *_ in names}, set(), hashlib.sha256()
    with cli.progress(total=len(names), unit="image", delay=1) as bar:
        for place, image in images:
            part, name, file_name = names[place]
            bar.update()
            if folder and name not in counts[part]:
                (folder / part / name).mkdir(parents=True)
            counts[part][name] = counts[part].get(name, 0) + 1
            shapes.add(image.shape)
            albums.add_to_digest(digest, image)
            if folder:
                codec.write_image(folder / part / name / f"{file_name}.png", image)
    for part, name, _ in names:
        if name not in counts[part]:
            raise ValueError(f"class {name!r} has no readable {part} images")
    return counts, list(shapes.pop()) if len(shapes) == 1 else "differing", digest.hexdigest()


def main(argv=None):
    args = parse_args(argv)
    if args.folder:
        runs.refuse_overlap(args.out, args.folder)
    there = is_there(args.out)
    if there and not (Path(args.out) / MARKER).exists():
        runs.finished(args.out, {}, {}, MARKER)  # says that this is no data set
    limits = {"train": args.limit_train, "test": args.limit_test}
    names, images = folder_images(args, limits) if args.folder else array_images(args, load_arrays(args), limits)
    settings, data = {"source": args.dataset or Path(args.source or args.folder).name}, {}

    def settle(counts, shape, sha256):
        settings.update(counts=counts, shape=shape, classes=list(counts["train"]))
        data["sha256"] = sha256
        return sum(sum(part.values()) for part in counts.values())

    if there:
        total = settle(*pour(names, images))
        runs.finished(args.out, settings, data, MARKER)
        print(f"{args.out} is done: {total} images")
        return
    with runs.adding(args.out, settings, data, MARKER) as folder:
        total = settle(*pour(names, images, folder))
    print(f"{args.out}: {total} images in {len(settings['classes'])} classes, shape {settings['shape']}")


if __name__ == "__main__":
    cli.run(main)
