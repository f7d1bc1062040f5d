"""Writes a data set as class folders: <out>/train/<class>/*.png, <out>/test/<class>/*.png and dataset.json.

Reads   a named data set, an .npz file, or a folder of class folders without a split.
Writes  8-bit PNG files, whole or not at all, and dataset.json: source, counts, shape, classes, SHA-256 of the pixels.

Example python prepare_data.py --dataset digits --out data
        1,797 real handwritten digits in 2 s, nothing downloaded
        python prepare_data.py --source mnist.npz --out data/mnist
        70,000 images in 9 s on 2 cores
"""

import common.interrupts  # noqa: F401  first: Ctrl-C while the rest is imported ends in one line

# isort: split

from pathlib import Path

import numpy as np

from common import cli, runs
from images import albums, codec, folders, selection, sources, splits

DATASETS = ("digits", "mnist", "fashion_mnist", "cifar10", "cifar100")
MARKER = "dataset.json"


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--dataset", choices=DATASETS, help="digits comes with scikit-learn; Keras downloads the others")
    given.add_argument("--source", metavar="FILE.npz", help="x_train, y_train, x_test, y_test (uint8), class_names")
    given.add_argument("--folder", metavar="DIR", help="class folders without a split, e.g. your own photographs")
    parser.add_argument("--out", default="data", help="folder to make")
    parser.add_argument("--limit-train", type=cli.limit, default=-1, help="training images a class, -1 for all")
    parser.add_argument("--limit-test", type=cli.limit, default=-1, help="test images a class, -1 for all")
    parser.add_argument("--test-fraction", type=cli.fraction, default=0.16, help="of a class, for --folder and digits")
    parser.add_argument("--seed", type=cli.whole, default=42, help="of the split, for --folder and digits")
    return parser.parse_args(argv)


def load_arrays(args):
    """The data set that the flags name, as arrays."""
    if args.source:
        return sources.from_npz(args.source)
    if args.dataset == "digits":
        return sources.digits(args.seed, args.test_fraction)
    from common import backend

    (x_train, y_train), (x_test, y_test) = backend.load_keras_dataset(args.dataset)
    return sources.checked(args.dataset, x_train, y_train, x_test, y_test, sources.CLASS_NAMES.get(args.dataset))


def array_parts(dataset, limits):
    """Yields (part, class name, file names, images) from arrays; files are named after their place in the original."""
    class_names = [sources.folder_name(name) for name in dataset.class_names]
    if len(set(class_names)) < len(class_names):
        raise ValueError(f"class names that make the same folder: {', '.join(dataset.class_names)}")
    for part, x, y in (("train", *dataset[:2]), ("test", *dataset[2:4])):
        x, y, places = sources.first_per_class(x, y, limits[part])
        for label, name in enumerate(class_names):
            chosen = np.flatnonzero(y == label)
            if len(chosen) == 0:
                raise ValueError(f"class {name!r} has no {part} images")
            images = x[chosen] if x.ndim == 4 else x[chosen][..., None]
            yield part, name, [f"example{place}" for place in places[chosen]], images


def folder_parts(root, test_fraction, seed, limits):
    """Yields (part, class name, file names, images) from class folders, split by `seed`. Images keep their sizes."""
    chosen = []
    for name, paths in selection.draw_subset(folders.list_images(root), -1, seed).items():
        try:
            train, test = splits.split(paths, test_fraction, seed)
        except ValueError as error:
            raise ValueError(f"{Path(root) / name}: {error}") from None
        stems_differ = len({path.stem for path in paths}) == len(paths)
        for part, files in (("train", train), ("test", test)):
            files = sorted(files[: limits[part]] if limits[part] > 0 else files)
            chosen.append((part, name, files, [path.stem if stems_differ else path.name for path in files]))
    images = iter(albums.read_list([path for _, _, files, _ in chosen for path in files]))
    for part, name, files, names in chosen:
        yield part, name, names, [next(images) for _ in files]


def main(argv=None):
    args = parse_args(argv)
    limits = {"train": args.limit_train, "test": args.limit_test}
    if args.folder:
        runs.refuse_overlap(args.out, args.folder)
        parts = list(folder_parts(args.folder, args.test_fraction, args.seed, limits))
    else:
        parts = list(array_parts(load_arrays(args), limits))
    counts, shapes = {"train": {}, "test": {}}, set()
    for part, name, _, images in parts:
        counts[part][name] = len(images)
        shapes.update(image.shape for image in images)
    settings = {
        "source": args.dataset or Path(args.source or args.folder).name,
        "counts": counts,
        "shape": list(shapes.pop()) if len(shapes) == 1 else "differing",
        "classes": list(counts["train"]),
    }
    data = {"sha256": albums.fingerprint(*(image for _, _, _, images in parts for image in images))}
    total = sum(sum(part.values()) for part in counts.values())
    if runs.finished(args.out, settings, data, MARKER):
        print(f"{args.out} is done: {total} images")
        return
    with runs.writing(args.out, settings, data, MARKER) as folder, cli.progress(total=total, unit="image") as bar:
        for part, name, names, images in parts:
            codec.write_images(folder / part / name, names, images)
            bar.update(len(images))
    print(f"{args.out}: {total} images in {len(counts['train'])} classes, shape {settings['shape']}")


if __name__ == "__main__":
    cli.run(main)
