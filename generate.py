"""Writes new images of each class to class folders, from a saved generator of any kind, or transformed copies.

Reads   <models>/<class>/: decoder.keras, latents.npz, config.json, or what else the generator's kind keeps; for
        --sampler chain <models>/rbm.keras or <models>/joint/vae.keras, and <path>/train/<class>/*.png
Writes  <out>/<class>/1.png, 2.png, ... (8-bit PNG) and <out>/contact_sheet.png, ten images of each class; for
        --sampler chain <out>/strips.png: a row per class, the image it started from, then states along the chain

Example python generate.py -models models -out gen
        25,000 images of ten classes in 17 s on 2 cores
        python generate.py -models models -out gen --count 100 cat=400 dog=50
        400 cats, 50 dogs, 100 of every other class
        python generate.py --sampler rotate -path data --images 42 -out gen-rotated
        a rotated copy of each of 42 images of each class
        python generate.py --sampler chain -models rbm -path data --labelled 1 --count 500
"""

import common.interrupts  # noqa: F401  first: Ctrl-C while the rest is imported ends in one line

# isort: split

from argparse import ArgumentTypeError
from typing import NamedTuple

import numpy as np

from common import backend, cli, drawing, plots, runs, saved
from common.errors import BadInput, some
from images import albums, codec, diversity, folders, selection

COPIES = saved.KINDS["copies"].samplers
RANGE = 1.5  # of the uniform sampler, as released
UNTRAINED = saved.KINDS["untrained"].samplers
RESERVED = ("config.json", "contact_sheet.png", "strips.png")  # files in <out>, which no class can be called


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    parser.add_argument(
        "-models", "--models", nargs="+", default=["models"], help="folder of a saved generator, or several of classes"
    )
    parser.add_argument("-out", "--out", default="gen", help="folder to make")
    parser.add_argument(
        "--count",
        "--images-per-class",
        dest="count",
        nargs="+",
        type=count,
        metavar="N|CLASS=N",
        help="images of each class: a number for all classes, CLASS=N for one, or both (default: 2500)",
    )
    parser.add_argument(
        *("--sampler", "--interpolation"),
        dest="sampler",
        choices=(
            *("uniform", "normal", "posterior", *saved.KINDS["cglo"].samplers, "chain"),
            *(*COPIES, *UNTRAINED),
        ),
        help="VAE: latents uniform in [-range, range] (as released), normal: from N(0, 1), posterior: around those of "
        "the training images; cGLO: slerp or lerp, on the great circle or the straight line between the codes of two "
        "images of one class, or none: reconstructions of the training images; chain: "
        "Markov chains from labelled images (Maronas 2018); rotate, blur, rotate-blur or copy: one such copy of each "
        "image (Eduardo and Kazi 2018); smote: between an image and a near one of its class (Chawla et al. 2002); "
        "noise: pixels of pure noise, a control (default: for VAEs uniform, for a cGLO slerp)",
    )
    parser.add_argument("--range", type=cli.positive_float, default=RANGE, help="half the width of the uniform sampler")
    parser.add_argument("-path", "--path", help="images that chains or copies start from, class folders or with train/")
    add_copy_arguments(parser.add_argument_group("--sampler rotate, blur, rotate-blur, copy, smote, noise"))
    add_chain_arguments(parser.add_argument_group("--sampler chain"))
    backend.add_arguments(parser)
    args = parser.parse_args(argv)
    check(parser, args)
    args.count = args.count or [(None, 2500)]
    if args.sampler == "chain":
        args.labelled, args.thin = args.labelled or 1, args.thin or 1
    args.images = args.images or -1
    return args


def add_copy_arguments(group):
    group.add_argument("--images", type=cli.limit, help="images of each class to start from (default: all)")
    group.add_argument("--subset", metavar="FILE", help="start from those that this split.json or subset.json lists")
    cli.add_image_arguments(group)


def add_chain_arguments(chain):
    chain.add_argument(
        "--labelled",
        "--labelled-per-class",
        dest="labelled",
        type=cli.limit,
        help="images of each class to start from, -1 for all; those that train_cnn.py -limtr draws (default: 1)",
    )
    chain.add_argument(
        "--chain-length",
        type=cli.positive,
        metavar="N",
        help="steps before a chain goes back to its image (default: it does not)",
    )
    chain.add_argument("--thin", type=cli.positive, metavar="N", help="keep every N-th state (default: 1)")
    chain.add_argument("--expectation", action="store_true", help="write E[x | h] as grey levels, not binary samples")


def check(parser, args):
    """Refuses flags that do not go together."""
    chains, copies = args.sampler == "chain", args.sampler in (*COPIES, *UNTRAINED)
    if chains and len(args.models) > 1:
        parser.error("-models: chains are of one model")
    if chains and args.chain_length and args.chain_length < (args.thin or 1):
        parser.error(f"--thin {args.thin}: keeps no state of a chain of --chain-length {args.chain_length}")
    if (chains or copies) and args.path is None:
        words = "the images that chains start from" if chains else "the images that are copied"
        words = "the images that it starts from" if args.sampler in UNTRAINED else words
        parser.error(f"--sampler {args.sampler}: needs -path, {words}")
    if copies and args.models != parser.get_default("models"):
        parser.error(f"-models: --sampler {args.sampler} copies images and takes no model")
    if args.range != RANGE and args.sampler not in (None, "uniform"):
        parser.error("--range: goes with --sampler uniform")
    if args.sampler in COPIES and args.count:
        parser.error(f"--count: --sampler {args.sampler} writes one copy of each image; say with --images of how many")
    others = {"chain": ("labelled", "chain_length", "thin", "expectation")} if not chains else {}
    others |= (
        {"rotate, blur, rotate-blur, copy, smote or noise": ("images", "subset", "size", "color")} if not copies else {}
    )
    others |= {"chain, or of copies": ("path",)} if not chains and not copies else {}
    for sampler, names in others.items():
        for name in names:
            if getattr(args, name):
                parser.error(f"--{name.replace('_', '-')}: goes with --sampler {sampler}")


def count(text):
    """`"100"` as `(None, 100)`, `"cat=40"` as `("cat", 40)`."""
    name, equals, number = text.rpartition("=")
    try:
        return name if equals else None, cli.positive(number)
    except ArgumentTypeError:
        raise ArgumentTypeError(f"expected N or CLASS=N, N a whole number above 0, received {text!r}") from None


def count_classes(given, class_names):
    """How many images of each class `--count` asks for, in the order of the classes.

    Raises:
        BadInput: it names a class that is not there or one twice, or leaves one out.
    """
    counts = dict(given)
    if len(counts) < len(given):
        raise BadInput("--count: says the number of a class, or of all classes, twice")
    unknown = [name for name in counts if name is not None and name not in class_names]
    if unknown:
        raise BadInput(f"--count: no class {some(unknown)} (there are {some(class_names)})")
    missing = [name for name in class_names if name not in counts]
    if missing and None not in counts:
        raise BadInput(f"--count: says nothing of class {some(missing)}; add a number for all other classes")
    return [counts.get(name, counts.get(None)) for name in class_names]


class Job(NamedTuple):
    """What is to be written, known before a back end is loaded."""

    class_names: list
    counts: list  # images of each class
    settings: dict
    data: dict  # fingerprints
    make_source: object  # called without arguments, once the back end is configured
    real_spreads: dict  # {class: spread of the images that the generator learned from}, where it is known
    words: str = ""  # for the last line


def plan(args):
    """Finds the generator and settles what it is to draw."""
    generator = saved.find_generator(args.models)
    samplers = generator.kind.samplers
    sampler = args.sampler or next(iter(samplers), None)
    if sampler is not None and sampler not in samplers:
        raise BadInput(f"--sampler {sampler}: {args.models[0]} takes {some(samplers) or 'no --sampler'}")
    if sampler != "uniform" and args.range != RANGE:
        raise BadInput(f"--range {args.range:g}: goes with --sampler uniform, {args.models[0]} has no such")
    counts = count_classes(args.count, generator.class_names)
    names = [folder.name for folder in generator.folders]
    described = [{key: made[key] for key in generator.kind.shared} for made in generator.settings]
    settings = {
        "count": in_short(generator.class_names, counts),
        "sampler": sampler,
        "range": args.range if sampler == "uniform" else None,
        "seed": args.seed,
        "models": dict(zip(names, described, strict=True)),
    }
    options = saved.Options(
        generator.class_names,
        generator.settings[0],
        lambda name: backend.derive_seed(args.seed, name),
        sampler,
        args.range,
    )
    return Job(
        generator.class_names,
        counts,
        settings,
        generator.fingerprints(),
        lambda: generator.make_source(options),
        {name: spread for made in generator.facts for name, spread in made.get("real_spreads", {}).items()},
    )


def in_short(class_names, counts):
    """The counts as a run's settings have them: one number if all classes have it."""
    return counts[0] if len(set(counts)) == 1 else dict(zip(class_names, counts, strict=True))


def plan_chains(args):
    """Finds the model, reads the images that chains start from, and settles what is to be drawn."""
    model = saved.find(*args.models)
    runs.refuse_overlap(args.out, args.path)
    images, labels, class_names = read_starts(args, model)
    counts = count_classes(args.count, class_names)
    settings = {"count": in_short(class_names, counts)}
    settings |= {name: getattr(args, name) for name in ("sampler", "labelled", "chain_length", "thin")}
    settings |= {"expectation": args.expectation, "seed": args.seed, "classes": class_names}
    options = saved.Options(
        class_names,
        model.settings,
        lambda name: backend.derive_seed(args.seed, name),
        labels=labels,
        length=args.chain_length or max(counts) * args.thin,
        thin=args.thin,
        expectation=args.expectation,
    )
    kind = saved.KINDS["rbm"]._replace(files=(model.path.name,))

    def with_starts():
        return options._replace(starts=albums.binarise(images, args.path))

    return Job(
        class_names,
        counts,
        settings,
        {"model": model.sha256, "starts": albums.fingerprint(images, labels)},
        lambda: saved.make_source(kind, [model.path.parent], with_starts()),
        model.facts.get("real_spreads", {}),
        f", from {len(labels)} chains",
    )


def read_starts(args, model):
    """The images that chains start from: uint8 `(num_starts, height, width, channels)`, labels, class names.

    Raises:
        BadInput: a class has fewer than wanted, or the images are not such as the model knows.
    """
    root = folders.training_root(args.path)
    files = folders.list_images(root)
    for name, paths in files.items():
        if len(paths) < max(args.labelled, 1):
            raise BadInput(f"--labelled {args.labelled}: {root / name} has {len(paths)} images")
    chosen = selection.draw_subset(files, args.labelled, args.seed)
    images, labels = albums.read_classes(chosen, model.settings["size"], model.settings["color"])
    if list(images.shape[1:]) != model.settings["image_shape"]:
        raise BadInput(
            f"{root}: {codec.describe(images.shape[1:])}, but {model.path} learned from "
            f"{codec.describe(model.settings['image_shape'])}"
        )
    return images, labels, list(chosen)


def plan_copies(args):
    """Reads the images to copy or to start from, and settles what is to be written. Needs no back end."""
    runs.refuse_overlap(args.out, args.path)
    root = folders.training_root(args.path)
    files = folders.list_images(root)
    chosen = selection.choose(files, root, args.images, args.seed, args.subset)
    images, labels = albums.read_classes(chosen, args.size, args.color)
    settings = {name: getattr(args, name) for name in ("sampler", "size", "color", "seed")} | {"classes": list(chosen)}
    counts, kind = [len(paths) for paths in chosen.values()], saved.KINDS["copies"]
    if args.sampler in UNTRAINED:
        counts, kind = count_classes(args.count, list(chosen)), saved.KINDS["untrained"]
        settings["count"] = in_short(list(chosen), counts)
    options = saved.Options(
        list(chosen), {}, lambda name: backend.derive_seed(args.seed, name), args.sampler, labels=labels
    )
    return Job(
        list(chosen),
        counts,
        settings,
        {"images": albums.fingerprint(images, labels)},
        lambda: saved.make_source(kind, [], options._replace(starts=albums.ArrayAlbum(images))),
        {name: diversity.spread(images[labels == k]) for k, name in enumerate(chosen)},
    )


def check_names(class_names):
    """Refuses class names that are also names of files beside the class folders."""
    taken = [name for name in class_names if name in RESERVED]
    if taken:
        raise BadInput(f"class {taken[0]}: generated images lie beside a file of this name; rename the class")


def main(argv=None):
    args = parse_args(argv)
    copies = args.sampler in (*COPIES, *UNTRAINED)
    for root in () if copies else args.models:
        runs.refuse_overlap(args.out, root)
    job = (plan_copies if copies else plan_chains if args.sampler == "chain" else plan)(args)
    check_names(job.class_names)
    words = f"{' or '.join(map(str, sorted(set(job.counts))))} images of each of {len(job.class_names)} classes"
    if runs.finished(args.out, job.settings, job.data):
        print(f"{args.out} is done already: {words}")
        return
    if not copies:
        backend.configure(args.seed, args.devices, args.deterministic)
    source, facts = job.make_source(), {}
    bar = cli.progress(total=sum(job.counts), unit="image")
    with runs.writing(args.out, job.settings, job.data, facts=facts) as folder, bar:
        with codec.Writer() as write:
            drawn = drawing.write_images(source, folder, job.class_names, job.counts, write, bar.update)
        plots.contact_sheet(folder / "contact_sheet.png", drawn.sheet, len(drawn.sheet) // len(job.class_names))
        if drawn.strips is not None:
            plots.contact_sheet(folder / "strips.png", np.concatenate(drawn.strips), drawn.strips.shape[1])
        spreads = job.real_spreads
        facts["diversity"] = {
            name: diversity.compare(found, spreads.get(name)) for name, found in drawn.measured.items()
        }
    print(f"{args.out}: {words}{job.words}")
    collapsed = diversity.warning(facts["diversity"])
    if collapsed:
        print(f"{args.out}: {collapsed}")


if __name__ == "__main__":
    cli.run(main)
