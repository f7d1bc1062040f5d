"""Trains a variational autoencoder (VAE) on a few images of one class, or one VAE per class.

Reads   <path>/train/<class>/*.png (or <path>/<class>/*.png)
Writes  <out>/<class>/, with --joint <out>/joint/: vae.keras, encoder.keras, decoder.keras, loss.csv, loss.png,
        split.json (which images), latents.npz, samples.png, reconstructions.png; for 2 or 3 latent dimensions
        latent.png, for 2 also sweep.png. --architecture autoencoder writes autoencoder.keras in place of vae.keras,
        and neither samples.png nor sweep.png

Example python train_vae.py --digit 3 --latent 3
        one VAE on 5 images of the digit 3, 200 epochs: 12 s on 2 cores; the images are those of
        python prepare_data.py --dataset mnist --out data
        python train_vae.py --all -path data/mnist --images 5 --latent 3
        ten VAEs: 60 s on 2 cores; with --part 1/2 the first half of them
        python train_vae.py --joint --binarise --train-on-all --images 10 --latent 20 --objective elbo --out vae-binary
        one VAE of binary images, for generate.py --sampler chain
"""

import common.interrupts  # noqa: F401  first: Ctrl-C while the rest is imported ends in one line

# isort: split

import math
from argparse import ArgumentTypeError
from pathlib import Path

import numpy as np
import pandas as pd

import generate
from common import archives, backend, cli, plots, runs
from common.errors import BadInput, some
from images import albums, codec, diversity, folders, reading, selection, splits

JOINT = "joint"
VALIDATION = 0.16  # share of a class' images that validate (thesis 4.2.1)
ATTEMPTS = 3  # trainings of a model whose loss becomes NaN or infinite, each from other weights
EPOCHS = {10: 200, 25: 250, 50: 300}  # by images per class, 350 above. Deviation 4: as the released script has them


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--digit", "--class", dest="class_name", metavar="CLASS", help="the class to learn")
    which.add_argument("--all", action="store_true", help="a model for every class, in one process")
    which.add_argument("--joint", action="store_true", help="one model for all classes together (thesis 6.2)")
    parser.add_argument("--part", type=share_of, metavar="K/N", help="with --all: the K-th of N shares of the classes")
    parser.add_argument("-path", "--path", default="data", help="class folders, or a folder with train/ in it")
    parser.add_argument(
        "--latent",
        "--latent-dim",
        dest="latent",
        type=cli.dimension,
        help="size of the latent space (default: 3; autoencoder: 32)",
    )
    parser.add_argument(
        "--images",
        "--images-per-class",
        dest="images",
        type=cli.limit,
        help="images per class, -1 for all; 16 %% of them validate (default: 5, or those of --subset)",
    )
    parser.add_argument(
        "--train-on-all", action="store_true", help="learn from all of --images; the next in the same order validate"
    )
    parser.add_argument("--subset", metavar="FILE", help="use the images that this split.json or subset.json lists")
    parser.add_argument("--binarise", action="store_true", help="pixels above 0.5 become 1, the others 0")
    parser.add_argument(
        "--epochs", type=cli.positive, help="passes over the images (default: 200 to 350 by --images, as in the thesis)"
    )
    parser.add_argument("--architecture", choices=("conv", "dense", "autoencoder"), default="conv", help="thesis 5.2")
    parser.add_argument(
        "--objective",
        choices=("thesis", "elbo", "reconstruction", "kl"),
        default="thesis",
        help="as released, the evidence lower bound, or one of its terms alone (thesis figs 2.3.3, 2.4.5)",
    )
    parser.add_argument("--out", default="models", help="folder of models: one folder per class, or joint/")
    parser.add_argument(
        "--gen", "--generated", dest="gen", metavar="DIR", help="write new images to DIR too, as generate.py does"
    )
    parser.add_argument(
        "--count",
        "--generated-per-class",
        dest="count",
        nargs="+",
        type=generate.count,
        metavar="N|CLASS=N",
        help="images of each class in DIR, as generate.py --count takes them (default: 2500)",
    )
    cli.add_image_arguments(parser)
    backend.add_arguments(parser)
    args = parser.parse_args(argv)
    if args.images is None:
        args.images = -1 if args.subset else 5
    if args.images == 1 and not args.train_on_all:
        parser.error("--images 1: at least 2 are needed, one to learn from and one to validate (or --train-on-all)")
    if args.part and not args.all:
        parser.error("--part: goes with --all")
    if args.count and not args.gen:
        parser.error("--count: goes with --gen DIR")
    if args.gen and (args.joint or args.architecture == "autoencoder" or args.objective in ("reconstruction", "kl")):
        parser.error("--gen: only VAEs of one class each, trained with both terms of the loss, can be sampled")
    return args


def share_of(text):
    """`"2/3"` as `(2, 3)`."""
    which, slash, shares = text.partition("/")
    if not (slash and which.isdecimal() and shares.isdecimal() and 1 <= int(which) <= int(shares)):
        raise ArgumentTypeError(f"expected K/N, K from 1 to N, received {text!r}")
    return int(which), int(shares)


def choose_files(args):
    """Which images each model learns from, {model: {class: paths}}; with --train-on-all which validate; and whether the
    files of all classes are black and white, as of `albums.read_images`.
    """
    fewest = 1 if args.train_on_all else 2
    root = folders.training_root(args.path)
    files = folders.list_images(root)
    binary = reading.is_black_and_white([path for paths in files.values() for path in paths])
    if args.class_name is not None:
        if args.class_name not in files:
            raise BadInput(f"--digit {args.class_name}: no such class in {root} (there are {some(files)})")
        files = {args.class_name: files[args.class_name]}
    if args.part:
        which, shares = args.part
        if shares > len(files):
            raise BadInput(f"--part {which}/{shares}: {root} has {len(files)} classes")
        files = {name: files[name] for name in np.array_split(list(files), shares)[which - 1].tolist()}
    if args.subset:
        chosen = selection.choose(files, root, args.images, args.seed, args.subset)
        for name, paths in chosen.items():
            if len(paths) < fewest:
                raise BadInput(f"{args.subset}: 1 image of class {name!r}, at least 2 are needed")
    else:
        selection.check_enough(files, args.images, fewest, root)
        chosen = selection.draw_subset(files, args.images, args.seed)
    if args.gen:
        generate.check_names(chosen)
        generate.count_classes(args.count or [(None, 1)], list(chosen))
    spare = {}
    if args.train_on_all:
        spare = selection.next_in_order(files, chosen, validating(chosen), args.seed)
    joint = JOINT if JOINT not in files else f"{JOINT}_"  # a class may have that name
    models = {joint: chosen} if args.joint else {name: {name: paths} for name, paths in chosen.items()}
    return models, spare, binary


def validating(files):
    """How many further images of each class validate a model of all these, where there are as many."""
    return {name: math.ceil(VALIDATION * len(paths)) for name, paths in files.items()}


def divide(args, files, spare, labels):
    """The rows of one model's images that train, and those that validate."""
    rows = [np.flatnonzero(labels == k) for k in range(len(files))]
    if not args.train_on_all:
        parts = [splits.split(list(row), VALIDATION, args.seed) for row in rows]
    else:
        parts = [np.split(row, [len(paths)]) for row, paths in zip(rows, files.values(), strict=True)]
    train, validation = (np.concatenate(part) for part in zip(*parts, strict=True))
    return train, validation if len(validation) else train


def read_job(args, name, files, spare, binary):
    """Reads one model's images and settles its settings; `binary` as of `albums.read_images`."""
    per_class = sum(map(len, files.values())) / len(files)
    every = {label: paths + spare.get(label, []) for label, paths in files.items()}
    images, labels = albums.read_classes(every, args.size, args.color, binary=binary)
    train, validation = divide(args, files, spare, labels)
    settings = {
        "architecture": args.architecture,
        "objective": None if args.architecture == "autoencoder" else args.objective,
        "latent_dim": args.latent or (32 if args.architecture == "autoencoder" else 3),
        "epochs": args.epochs or next((EPOCHS[size] for size in EPOCHS if per_class <= size), 350),
        "image_shape": list(images.shape[1:]),
        "size": args.size,
        "color": args.color,
        "classes": list(files),
        "seed": args.seed,
        "deterministic": args.deterministic,
        # Only where they are given, so that models made before there were such flags are still taken for done.
        **{flag: True for flag in ("binarise", "train_on_all") if getattr(args, flag)},
    }
    found = {label: len(spare.get(label, [])) for label in files}
    if args.train_on_all and found != validating(files):  # then the images alone do not say which of them train
        settings["validate"] = found
    return {
        "name": name,
        "folder": Path(args.out) / name,
        "files": every,
        "images": albums.binarise(images, f"{args.path}, {name}") if args.binarise else codec.to_float(images),
        "labels": labels,
        "train": train,
        "validation": validation,
        "settings": settings,
        "data": {"images": albums.fingerprint(images, labels)},
    }


def unit(settings):
    """The unit of a model's loss: a VAE's is summed over the pixels, an autoencoder's averaged."""
    return "nats per pixel" if settings["architecture"] == "autoencoder" else "nats per image"


def save_model(folder, job, model, history):
    """Writes what a trained model leaves behind into its run folder. Returns the facts that its config.json tells."""
    from vae_aug import sampling, training

    settings, images, train = job["settings"], job["images"], job["train"]
    encoder, decoder = training.halves(model)
    z_mean, z_std = training.latents(model, images[train])
    archives.save_model(model, folder / f"{model.name}.keras")
    encoder.save(folder / "encoder.keras")
    decoder.save(folder / "decoder.keras")
    np.savez(folder / "latents.npz", z_mean=z_mean, z_std=z_std, labels=job["labels"][train])
    table = pd.DataFrame(history)
    table.to_csv(folder / "loss.csv", index=False)
    paths = np.array([path for class_paths in job["files"].values() for path in class_paths], dtype=object)
    drawn = train if settings.get("train_on_all") else np.arange(len(paths))
    parts = {"subset": drawn, "train": train, "validation": job["validation"]}
    selection.save_list(
        folder / "split.json",
        **{
            part: {name: list(paths[rows[job["labels"][rows] == k]]) for k, name in enumerate(job["files"])}
            for part, rows in parts.items()
        },
    )

    plots.curves(folder / "loss.png", table, [(f"loss ({unit(settings)})", ["loss", "val_loss"])])
    shown = images[train][:10]
    pairs = np.concatenate([shown, decoder.predict(z_mean[:10], verbose=0)])
    plots.contact_sheet(folder / "reconstructions.png", codec.to_uint8(pairs), columns=len(shown))
    if settings["latent_dim"] in (2, 3):
        title = f"{job['name']}: where the encoder puts {len(train)} training images"
        plots.latent_space(folder / "latent.png", z_mean, job["labels"][train], settings["classes"], title)
    learnt = codec.to_uint8(images[train])
    spreads = {name: diversity.spread(learnt[job["labels"][train] == k]) for k, name in enumerate(settings["classes"])}
    facts = {"kind": "vae", "real_spreads": spreads}
    if settings["architecture"] != "autoencoder":
        z = sampling.uniform(100, settings["latent_dim"], np.random.default_rng(settings["seed"]))
        samples = codec.to_uint8(decoder.predict(z, verbose=0))
        plots.contact_sheet(folder / "samples.png", samples, columns=10)
        drawn = diversity.Diversity(learnt)
        drawn.add(samples)
        facts["diversity"] = {job["name"]: diversity.compare(drawn, diversity.spread(learnt))}
        if settings["latent_dim"] == 2:
            grid = codec.to_uint8(decoder.predict(sampling.sweep(15), verbose=0))
            plots.contact_sheet(folder / "sweep.png", grid, columns=15, gap=0)
    return facts


def main(argv=None):
    args = parse_args(argv)
    if args.gen:
        for folder in (args.path, args.out):
            runs.refuse_overlap(args.gen, folder)
    train(args)
    if args.gen:
        counts = [str(number) if name is None else f"{name}={number}" for name, number in args.count or []]
        flags = [f"--models={args.out}", f"--out={args.gen}", f"--seed={args.seed}", f"--devices={args.devices}"]
        flags += ["--deterministic"] * args.deterministic + ["--count", *counts] * bool(counts)
        generate.main(flags)


def fit(seed, job, made, on_epoch):
    """Trains one model; where its loss becomes NaN or infinite, again from other weights, up to `ATTEMPTS` times.

    Args:
        seed: of the run.
        job: of `read_job`.
        made: model and traced training of the class before, which are used again, or None.
        on_epoch: is called after every epoch.

    Returns:
        model and traced training, its epochs, and the number of trainings that it took.

    Raises:
        FloatingPointError: the loss became NaN or infinite each time.
    """
    from vae_aug import training  # Keras, once the back end is configured

    settings = job["settings"]
    images = job["images"][job["train"]], job["images"][job["validation"]]
    attempt = 0
    while True:
        attempt += 1
        own = backend.derive_seed(seed, job["name"] if attempt == 1 else f"{job['name']}, attempt {attempt}")
        backend.set_seeds(own)
        if made is None:
            names = ("architecture", "image_shape", "latent_dim", "objective")
            model = training.build(*(settings[name] for name in names), own)
            made = model, training.epochs_in_graph(model, backend.in_graph)
        else:
            training.restart(made[0], own)
        model, run_epochs = made
        try:
            history = training.train(model, *images, settings["epochs"], own, on_epoch=on_epoch, run_epochs=run_epochs)
        except FloatingPointError as error:
            if attempt == ATTEMPTS:
                raise FloatingPointError(f"class {job['name']}: {error}, {ATTEMPTS} times from other weights") from None
            print(f"class {job['name']}: {error}; it is trained again from other weights")
        else:
            return made, history, attempt


def train(args):
    """Trains the models that are not done yet."""
    runs.refuse_overlap(args.out, args.path)
    chosen, spare, binary = choose_files(args)
    jobs = [read_job(args, name, files, spare, binary) for name, files in chosen.items()]
    codec.check_same_shape({f"{args.path}, class {job['name']}": job["settings"]["image_shape"] for job in jobs})
    todo = [job for job in jobs if not runs.finished(job["folder"], job["settings"], job["data"])]
    if len(todo) < len(jobs):
        print(f"{args.out}: {len(jobs) - len(todo)} of {len(jobs)} models are done already")
    if not todo:
        return
    unwatched = [job["name"] for job in todo if job["validation"] is job["train"]]
    if unwatched:
        print(f"{args.path}: no images are left to validate {', '.join(unwatched)}; their training images do")

    backend.configure(args.seed, args.devices, args.deterministic)
    made, measured = None, {}
    with cli.progress(total=sum(job["settings"]["epochs"] for job in todo), unit="epoch") as bar:
        for job in todo:
            bar.set_description(job["name"])
            facts = {}
            with runs.writing(job["folder"], job["settings"], job["data"], facts=facts) as folder:
                made, history, attempts = fit(args.seed, job, made, bar.update)
                facts |= {"attempts": attempts} if attempts > 1 else {}
                facts |= save_model(folder, job, made[0], history)
            measured |= facts.get("diversity", {})
    losses = [pd.read_csv(job["folder"] / "loss.csv").iloc[-1] for job in jobs]
    for job, loss in zip(jobs, losses, strict=True):
        print(f"{job['folder']}: loss {loss['loss']:.2f}, validation {loss['val_loss']:.2f} {unit(job['settings'])}")
    collapsed = diversity.warning(measured)
    if collapsed:
        print(f"{args.out}: {collapsed}")


if __name__ == "__main__":
    cli.run(main)
