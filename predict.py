"""Classifies images with a classifier that train_cnn.py or compare.py --keep left.

Reads   <model>/model.keras, result.json and config.json; image files, and folders with images or class folders in them
Writes  a line per image: file, class, probability; with --csv a file with the probability of every class

Images are prepared as in training: turned by their EXIF data, laid on white, scaled to the model's size and colour.

Example python predict.py -model kept photograph.jpg more-photographs --csv predictions.csv
"""

import common.interrupts  # noqa: F401  first: Ctrl-C while the rest is imported ends in one line

# isort: split

import csv
import os
from pathlib import Path

import numpy as np

from common import archives, backend, cli, trained
from common.errors import BadInput
from images import albums, codec, folders, reading

BATCH = 256  # images that are in memory at a time
DEEP = 65535  # level of 16-bit files that is white


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    parser.add_argument("-model", "--model", required=True, metavar="DIR", help="run folder of a classifier")
    parser.add_argument("images", nargs="+", metavar="IMAGE|FOLDER", help="images, folders of them, class folders")
    parser.add_argument("--csv", metavar="FILE", help="write the probability of every class to FILE too")
    parser.add_argument(
        "--levels",
        type=cli.positive,
        metavar="MAX",
        help=f"level of 16-bit files that is white (default: as in the training, or {DEEP} if that had none)",
    )
    parser.add_argument("--skip-unreadable", action="store_true", help="pass over files that are no readable images")
    parser.add_argument("--devices", type=backend.devices, default="auto", help="see train_cnn.py")
    return parser.parse_args(argv)


def list_files(given):
    """The files that the command line names, in its order: a folder stands for the images in it and in its folders."""
    found = []
    for name in map(Path, given):
        if name.is_dir():
            inside = [path for paths in folders.list_unlabelled(name).values() for path in paths]
            if not inside:
                raise BadInput(f"{name}: no images in it")
            found += inside
        elif name.exists():
            found.append(name)
        else:
            raise BadInput(f"{name}: no such file")
    return found


def predict(model, paths, args, kept):
    """Classifies images.

    Args:
        model: the loaded Keras model.
        paths: image files.
        args: flags.
        kept: a `Trained`, what is known of the model.

    Returns:
        Places of the readable files in `paths`, and float32 `(num_readable, num_classes)`.
    """
    from cnn import evaluation

    height, width, channels = model.input_shape[1:]
    color = {count: name for name, count in codec.COLORS.items()}[channels]
    levels, binary = args.levels or kept.levels or DEEP, kept.black_and_white
    reader = reading.Reader(paths, (height, width), color, levels, args.skip_unreadable, binary=binary)
    places, found, waiting = [], [], []

    def classify():
        if waiting:
            album = albums.ArrayAlbum(np.stack(waiting))
            album = albums.binary(album, args.model) if kept.binarise else album
            found.append(evaluation.probabilities(model, album))
            waiting.clear()

    with cli.progress(total=len(paths), unit="image", delay=2) as bar:
        for place, image in reader:
            places.append(place)
            waiting.append(image)
            bar.update()
            if len(waiting) == BATCH:
                classify()
    classify()
    return places, np.concatenate(found)


def write_csv(path, class_names, paths, probabilities):
    """Writes a row per image, whole or not at all."""
    partial = Path(f"{path}.partial-{os.getpid()}")
    try:
        with partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            rows = csv.writer(file)
            rows.writerow(["file", "class", *(f"probability {name}" for name in class_names)])
            for name, row in zip(paths, probabilities, strict=True):
                rows.writerow([name, class_names[row.argmax()], *(f"{value:.6f}" for value in row)])
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def main(argv=None):
    args = parse_args(argv)
    if not Path(args.model).is_dir():
        raise BadInput(f"-model {args.model}: no such folder")
    kept = trained.read(args.model)
    if not (class_names := kept.classes):
        raise BadInput(f"{Path(args.model) / 'result.json'}: does not say which classes the model knows")
    paths = list_files(args.images)
    if args.csv and (Path(args.csv).is_dir() or not Path(args.csv).resolve().parent.is_dir()):
        raise BadInput(f"--csv {args.csv}: not a file that can be written")
    backend.configure(devices=args.devices)
    model = archives.load_model(kept.path)
    if model.output_shape[-1] != len(class_names):
        raise BadInput(f"{kept.path}: gives {model.output_shape[-1]} classes, but result.json names {len(class_names)}")
    places, probabilities = predict(model, paths, args, kept)
    readable = [paths[place] for place in places]
    if args.csv:
        write_csv(args.csv, class_names, readable, probabilities)
    for name, row in zip(readable, probabilities, strict=True):
        print(f"{name}: {class_names[row.argmax()]} {row.max():.4f}")
    if args.csv:
        print(f"{args.csv}: {len(readable)} images, {len(class_names)} classes")


if __name__ == "__main__":
    cli.run(main)
