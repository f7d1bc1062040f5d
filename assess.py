"""Compares generated images with real ones: distances, what a classifier learns from them, and whether they are copies.

Reads   <real>/<class>/*.png, or <real>/train/<class>/*.png and <real>/test/<class>/*.png; <gen>/<class>/*.png
Writes  <out>/: assessment.json (all numbers and how they were made), copies.png (the ten generated images that lie
        nearest to a real one, each above it), config.json

Example python assess.py -real data -gen gen --features pixels classifier --classifier runs/cnn-fair-100-seed42
"""

import common.interrupts  # noqa: F401  first: Ctrl-C while the rest is imported ends in one line

# isort: split

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnn import fid, models, recipes
from common import archives, backend, cli, plots, runs, trained
from common.errors import BadInput, some
from images import albums, codec, folders, selection

ENOUGH = 10_000  # images below which a Frechet distance is mostly bias (Eduardo & Kazi 2018, section 3)
PAIRS = 10  # on copies.png


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    add = parser.add_argument
    add("-real", "--real", required=True, help="class folders of real images, or a folder with train/ and test/ in it")
    add("-gen", "--gen", required=True, help="class folders of generated images")
    add("--images", type=cli.limit, default=-1, help="real images of each class, drawn as train_cdc.py draws them")
    add("--subset", metavar="FILE", help="the real images that this subset.json lists, those of the generator")
    words = "images of each part at most, drawn of all its classes alike; copies of others are not seen (default: all)"
    add("--most", type=cli.positive, metavar="N", help=words)
    add(
        "--features",
        nargs="+",
        choices=("inception", "classifier", "pixels"),
        default=["pixels"],
        help="spaces of the distances: Keras' InceptionV3, the layer before the last of --classifier, the pixels",
    )
    add("--classifier", metavar="RUN", help="run folder of train_cnn.py, of a classifier of the real images")
    add("--inception-weights", metavar="FILE", help="Keras' InceptionV3 without top (default: Keras downloads it)")
    words = (
        "steps of a classifier of generated images alone, 0: none. It is --classifier's network with new weights, or "
        "CONV1; with <real>/test --classifier itself, or a second CONV1 of real images, is tested beside it"
    )
    add("--steps", type=cli.whole, default=500, help=words)
    add("--json", action="store_true", help="print assessment.json and nothing else")
    add("--out", default="runs/assess", help="run folder to make")
    cli.add_image_arguments(parser)
    backend.add_arguments(parser)
    args = parser.parse_args(argv)
    args.features = list(dict.fromkeys(args.features))
    for flag, features in (("classifier", "classifier"), ("inception_weights", "inception")):
        if getattr(args, flag) and features not in args.features:
            parser.error(f"--{flag.replace('_', '-')}: goes with --features {features}")
    if "classifier" in args.features and not args.classifier:
        parser.error("--features classifier: needs --classifier RUN, which train_cnn.py makes")
    return args


class Part(NamedTuple):
    """Images of one part, uint8 `(num_images, height, width, channels)`, and the class of each."""

    images: np.ndarray
    labels: np.ndarray

    def flat(self):
        """The pixels as float32 `(num_images, num_pixels)` in [0, 1]."""
        return codec.to_float(self.images).reshape(len(self.images), -1)


def read_parts(args):
    """Reads the images: class names, and {"real", "generated" and, if <real>/test is there, "test": `Part`}.

    Sets `args.most` to None where no part has more images: it then changes nothing.
    """
    roots = {"real": folders.training_root(args.real), "generated": Path(args.gen)}
    if roots["real"] != Path(args.real) and (Path(args.real) / "test").is_dir():
        roots["test"] = Path(args.real) / "test"
    files = {name: folders.list_images(root) for name, root in roots.items()}
    for name, root in roots.items():
        folders.check_same_classes(files["real"], files[name], roots["real"], root)
    if args.subset:
        files["real"] = selection.load_list(args.subset, files["real"], "subset")
    elif args.images > 0:
        selection.check_enough(files["real"], args.images, 1, roots["real"])
        files["real"] = selection.draw_subset(files["real"], args.images, args.seed)
    if args.most:
        drawn = {name: selection.draw_at_most(listed, args.most, args.seed) for name, listed in files.items()}
        args.most = args.most if any(drawn[name] is not files[name] for name in files) else None
        files = drawn
    parts = {name: Part(*albums.read_classes(listed, args.size, args.color)) for name, listed in files.items()}
    codec.check_same_shape({roots[name]: part.images.shape[1:] for name, part in parts.items()})
    for name in ("real", "generated"):
        if len(parts[name].images) < 2:
            raise BadInput(f"{roots[name]}: 1 image in all, at least 2 are needed")
    return list(files["real"]), parts


def read_classifier(args, class_names):
    """Reads what --classifier says of itself: a `Trained`, or None without the flag.

    A classifier of other classes, or of the same ones in another order, gives features, but no accuracy.
    """
    if not args.classifier:
        return None
    given = trained.read(args.classifier)
    if args.steps and given.model in models.FITTED:
        raise BadInput(
            f"{args.classifier}: was fitted in one go, its network learns nothing in steps (--steps 0 measures "
            "distances alone)"
        )
    if args.steps and given.classes not in (None, class_names):
        raise BadInput(
            f"{args.classifier}: knows the classes {some(given.classes)}, these are {some(class_names)} "
            "(--steps 0 measures distances alone)"
        )
    return given


def fingerprints(args, given):
    """Fingerprints of the files beside the images that decide the result."""
    found = {"classifier": archives.fingerprint(given.path)} if given else {}
    if args.inception_weights:
        path = Path(args.inception_weights)
        if not path.is_file():
            raise BadInput(f"--inception-weights {path}: no such file")
        found["inception"] = albums.fingerprint(np.fromfile(path, np.uint8))
    return found


def recipe_of(given):
    """How a classifier was optimised; as usual where no result says which it is."""
    if given.model not in models.TABLE:
        return recipes.ADAM
    return models.find(given.model).recipe.changed(given.settings.get("rate"), given.settings.get("weight_decay"))


def make_extractors(args, given, network, image_shape, on_images):
    """Makes what gives the features of each space: {space: (function of uint8 images, how it was made)}."""
    from cnn import evaluation, features  # Keras, once the back end is configured

    found = {}
    if "inception" in args.features:
        file = args.inception_weights
        with archives.loading_weights("InceptionV3", "--features inception", "--inception-weights", file):
            network = features.inception(file or "imagenet")
        how = "Keras' InceptionV3, average pooling, 299x299 bilinear"
        found["inception"] = lambda images: features.of_inception(network, images, on_images), how
    if "classifier" in args.features:
        if tuple(network.input_shape[1:]) != tuple(image_shape):
            made, asked = codec.describe(network.input_shape[1:]), codec.describe(image_shape)
            raise BadInput(f"{given.path}: of images {made}, these are {asked}")
        try:
            cut = features.penultimate(network)
        except ValueError as error:
            raise BadInput(f"{given.path}: {error}") from None
        how = f"layer before the last of {name_of(given)}" + ", of binarised images" * given.binarise
        found["classifier"] = lambda images: evaluation.probabilities(cut, as_album(images, given.binarise)), how
    return found


def name_of(given):
    return given.path.resolve().parent.name


def as_album(images, binarise):
    """An album of uint8 images; `binarise` as the training images of --classifier were."""
    album = albums.ArrayAlbum(images)
    return albums.binary(album, "--classifier") if binarise else album


def measure_distances(args, parts, given, network):
    """The distances in every space: {space: dict}."""
    real, generated = parts["real"], parts["generated"]
    count = (len(real.images) + len(generated.images)) * ("inception" in args.features)
    with cli.progress(total=count, unit="image", disable=not count) as bar:
        found, extractors = {}, {}
        if args.features != ["pixels"]:
            extractors = make_extractors(args, given, network, real.images.shape[1:], bar.update)
        for space in args.features:
            if space == "pixels":
                a, b, how = real.flat(), generated.flat(), "pixels in [0, 1]"
            else:
                extract, how = extractors[space]
                a, b = extract(real.images), extract(generated.images)
            found[space] = {
                "frechet": fid.frechet(a, b),
                "kid": fid.kernel_distance(a, b, args.seed),
                "dimensions": a.shape[1],
                "space": how,
            }
    return found


def measure_accuracy(args, parts, num_classes, given, network):
    """What a classifier learns from generated images alone; with a test part also what one of the real ones knows.

    `network` is that of --classifier, or None.
    """
    if not args.steps or num_classes < 2:
        return None
    from cnn import cas

    binarise, name, tested = bool(given and given.binarise), cas.MODEL, parts.get("test", parts["real"])
    if given:
        name = f"the network of {name_of(given)}"

    def learn(part, **how):
        seed = backend.derive_seed(args.seed, "assess")
        backend.set_seeds(seed)
        with cli.progress(total=args.steps, unit="step") as bar:
            how |= {"on_step": bar.update, "as_dataset": backend.as_dataset}
            return cas.learn(as_album(part.images, binarise), part.labels, num_classes, args.steps, seed, **how)

    def accuracy(model):
        return cas.accuracy(model, as_album(tested.images, binarise), tested.labels)

    how = {"network": network, "recipe": recipe_of(given)} if given else {}
    found = {"generated": accuracy(learn(parts["generated"], **how)), "model": name, "steps": args.steps}
    found["tested_on"] = "test" if "test" in parts else "the real images that the generator may have learned from"
    if "test" in parts:
        found["real"] = accuracy(network or learn(parts["real"]))
    return found


def measure_copies(parts):
    """How near generated images lie to real ones, in pixels: a dict, and uint8 images of the nearest pairs.

    The yardstick is how near real images lie that the generator has not seen: those of the test part, or without one
    the real images to one another.
    """
    unseen = parts["test"].flat() if "test" in parts else None
    found, rows, distances = fid.copies(parts["generated"].flat(), parts["real"].flat(), unseen)
    first = np.argsort(distances, kind="stable")[:PAIRS]
    pairs = np.concatenate([parts["generated"].images[first], parts["real"].images[rows[first]]])
    return found | {"real_are": "test images" if "test" in parts else "the real images, to one another"}, pairs


def warn(parts):
    """What a reader has to know of these numbers."""
    counts = [len(parts[name].images) for name in ("real", "generated")]
    found = []
    if min(counts) < ENOUGH:
        found.append(
            f"fewer than {ENOUGH:,} images ({counts[0]:,} real, {counts[1]:,} generated): the fewer, the larger the "
            "Frechet distance, whatever the images; compare it at equal numbers only, or take the kernel distance (kid)"
        )
    if counts[0] != counts[1]:
        found.append(f"{counts[0]:,} real and {counts[1]:,} generated images: Frechet distances differ in bias")
    return found


def show(result, as_json, out):
    """Prints the result, for people or as JSON."""
    if as_json:
        print(json.dumps(result, indent=1, ensure_ascii=False))
        return
    for space, row in result["features"].items():
        words = f"{row['space']}, {row['dimensions']} numbers"
        print(f"{space}: frechet {row['frechet']:.4f}, kid {row['kid']:.6f} ({words})")
    if result["accuracy"]:
        row = result["accuracy"]
        beside = f", from the real ones {row['real']:.4f}" if "real" in row else ""
        print(
            f"accuracy: {row['generated']:.4f} from generated images alone{beside} "
            f"({row['model']}, {row['steps']} steps, tested on: {row['tested_on']})"
        )
    row = result["copies"]
    print(
        f"copies: {row['exact']} exact; to the nearest real image {row['generated']:.4f} (median, Euclidean, pixels in "
        f"[0, 1]), of {row['real_are']} {row['real']:.4f}; {100 * row['nearer_than_95_percent_of_real']:.1f} % are "
        "nearer than 95 % of those"
    )
    for warning in result["warnings"]:
        print(f"note: {warning}")
    print(f"{out}: assessment.json, copies.png")


def main(argv=None):
    args = parse_args(argv)
    for folder in filter(None, (args.real, args.gen, args.classifier)):
        runs.refuse_overlap(args.out, folder)
    class_names, parts = read_parts(args)
    given = read_classifier(args, class_names)
    data = {name: albums.fingerprint(*part) for name, part in parts.items()} | fingerprints(args, given)
    names = ("features", "steps", "size", "color", "seed", "deterministic")
    settings = {name: getattr(args, name) for name in names} | {"classes": class_names}
    settings |= {"most": args.most} if args.most else {}
    settings |= {"learner": "classifier"} if args.classifier and args.steps else {}
    if runs.finished(args.out, settings, data):
        show(runs.read_json(Path(args.out) / "assessment.json"), args.json, args.out)
        return

    if args.features != ["pixels"] or args.steps:
        backend.configure(args.seed, args.devices, args.deterministic)
    network = archives.load_model(given.path) if given else None
    with runs.writing(args.out, settings, data) as folder:
        copies, pairs = measure_copies(parts)
        result = {
            "images": {name: len(part.images) for name, part in parts.items()},
            "features": measure_distances(args, parts, given, network),
            "accuracy": measure_accuracy(args, parts, len(class_names), given, network),
            "copies": copies,
            "warnings": warn(parts),
        }
        runs.write_json(folder / "assessment.json", result)
        plots.contact_sheet(folder / "copies.png", pairs, columns=len(pairs) // 2)
    show(result, args.json, args.out)


if __name__ == "__main__":
    cli.run(main)
