"""Writes new images of each class: from trained decoders, or from Markov chains that start at real images.

Reads   <models>/<class>/: decoder.keras, latents.npz, config.json; for --sampler chain <models>/rbm.keras or
        <models>/joint/vae.keras, and <path>/train/<class>/*.png
Writes  <out>/<class>/1.png, 2.png, ... (8-bit PNG) and <out>/contact_sheet.png, ten images a class; for --sampler
        chain <out>/strips.png: a row a class, the image it started from, then states along the chain

Example python generate.py -models models -out gen
        25,000 images of ten classes in 17 s on 2 cores
        python generate.py --sampler chain -models rbm -path data --labelled 1 --count 500
"""

import hashlib
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np

import generate_chains
from common import backend, cli, plots, runs
from images import codec, folders
from vae_aug import sampling

BATCH_SIZE = 100  # small enough for the decoder's activations to stay in a processor's cache
SETTINGS = ("architecture", "objective", "image_shape", "latent_dim", "seed")  # that all models must share


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    parser.add_argument(
        "-models", "--models", nargs="+", default=["models"], help="folder of models that train_vae.py made, or several"
    )
    parser.add_argument("-out", "--out", default="gen", help="folder to make")
    parser.add_argument("--count", type=cli.positive, default=2500, help="images a class")
    parser.add_argument(
        "--sampler",
        choices=("uniform", "normal", "posterior", "chain"),
        default="uniform",
        help="latents uniform in [-range, range] (as released), from N(0, 1), or around the training images; chain: "
        "Markov chains from labelled images (Maronas 2018)",
    )
    parser.add_argument("--range", type=cli.positive_float, default=1.5, help="half the width of the uniform sampler")
    chain = parser.add_argument_group("--sampler chain")
    chain.add_argument("-path", "--path", help="class folders to start from, or a folder with train/ in it")
    chain.add_argument(
        "--labelled",
        type=cli.limit,
        help="images a class to start from, -1 for all; those that train_cnn.py -limtr draws (default: 1)",
    )
    chain.add_argument(
        "--chain-length",
        type=cli.positive,
        metavar="N",
        help="steps before a chain goes back to its image (default: it does not)",
    )
    chain.add_argument("--thin", type=cli.positive, metavar="N", help="keep every N-th state (default: 1)")
    chain.add_argument("--expectation", action="store_true", help="write E[x | h] as grey levels, not binary samples")
    backend.add_arguments(parser)
    args = parser.parse_args(argv)
    if args.sampler == "chain":
        if len(args.models) > 1:
            parser.error("-models: chains are of one model")
        if args.path is None:
            parser.error("--sampler chain: needs -path, the images that chains start from")
        args.labelled, args.thin = args.labelled or 1, args.thin or 1
        if args.chain_length and args.chain_length < args.thin:
            parser.error(f"--thin {args.thin}: keeps no state of a chain of --chain-length {args.chain_length}")
        return args
    given = [name for name in ("path", "labelled", "chain_length", "thin", "expectation") if getattr(args, name)]
    if given:
        parser.error(f"--{given[0].replace('_', '-')}: goes with --sampler chain")
    return args


def find_models(roots):
    """The models of all folders: {class: (folder, settings)}, classes in natural order.

    Raises:
        ValueError: there is none, one cannot be sampled, they do not go together, or a class has two.
    """
    found = {}
    for root in map(Path, roots):
        for name, settings in read_models(root).items():
            if name in found:
                raise ValueError(f"{root / name}: {found[name][0]} is of the same class")
            found[name] = root / name, settings
    found = {name: found[name] for name in sorted(found, key=folders.natural_key)}
    first, (_, wanted) = next(iter(found.items()))
    for folder, settings in found.values():
        for key in SETTINGS:
            if settings[key] != wanted[key]:
                raise ValueError(
                    f"{folder}: {key} {settings[key]}, but class {first} has {wanted[key]}; "
                    "models whose images are used together should share it"
                )
    return found


def read_models(root):
    """The settings of the models of one folder: {class: settings}.

    Raises:
        ValueError: there is none, or one cannot be sampled.
    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder")
    if (root / "rbm.keras").exists():
        raise ValueError(f"{root}: an RBM has no latents to draw; it generates with --sampler chain")
    entries = [entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    settings = {}
    for entry in sorted(entries, key=lambda entry: folders.natural_key(entry.name)):
        config = runs.read_json(entry / "config.json")
        try:
            settings[entry.name] = {key: config["settings"][key] for key in SETTINGS}
            architecture, classes = config["settings"]["architecture"], config["settings"]["classes"]
        except (KeyError, TypeError):
            raise ValueError(f"{entry}: not a model that train_vae.py made") from None
        if architecture == "autoencoder":
            raise ValueError(
                f"{entry}: an autoencoder cannot be sampled, for nothing makes its codes follow a known "
                "distribution (thesis 2.3.1); train a VAE, --architecture conv or dense"
            )
        if settings[entry.name]["objective"] in ("reconstruction", "kl"):
            raise ValueError(
                f"{entry}: trained with --objective {settings[entry.name]['objective']}, one term of a VAE's loss "
                "alone; its latents do not follow N(0, 1), or mean nothing"
            )
        if classes != [entry.name]:
            raise ValueError(
                f"{entry}: a joint VAE of {len(classes)} classes cannot choose which class it draws, so its images "
                "would have no label (thesis 6.2); train one a class, --all"
            )
    if not settings:
        raise ValueError(f"{root}: no models in it (train_vae.py makes them)")
    return settings


def fingerprint(folder):
    """SHA-256 of what one model's images are made from: a model trained anew is not taken for the old one."""
    try:
        with ZipFile(folder / "decoder.keras") as decoder:
            weights = decoder.read("model.weights.h5")
    except (BadZipFile, KeyError):
        raise ValueError(f"{folder / 'decoder.keras'}: not a readable model") from None
    return hashlib.sha256(weights + (folder / "latents.npz").read_bytes()).hexdigest()


def draw_latents(args, folder, latent_dim, rng):
    """The latents of one class, float32 `(count, latent_dim)`."""
    if args.sampler == "uniform":
        return sampling.uniform(args.count, latent_dim, rng, args.range)
    if args.sampler == "normal":
        return sampling.normal(args.count, latent_dim, rng)
    try:
        with np.load(folder / "latents.npz") as saved:
            z_mean, z_std = saved["z_mean"], saved["z_std"]
    except (ValueError, KeyError, BadZipFile):
        raise ValueError(f"{folder / 'latents.npz'}: not readable") from None
    return sampling.posterior(args.count, z_mean, z_std, rng)


def main(argv=None):
    args = parse_args(argv)
    for root in args.models:
        runs.refuse_overlap(args.out, root)
    if args.sampler == "chain":
        generate_chains.run(args)
        return
    models = find_models(args.models)
    fingerprints = {name: fingerprint(folder) for name, (folder, _) in models.items()}
    settings = {
        "count": args.count,
        "sampler": args.sampler,
        "range": args.range if args.sampler == "uniform" else None,
        "seed": args.seed,
        "models": {name: model for name, (_, model) in models.items()},
    }
    if runs.finished(args.out, settings, fingerprints):
        print(f"{args.out} is done already: {args.count} images of each of {len(models)} classes")
        return

    backend.configure(args.seed, args.devices, args.deterministic)
    import keras

    shown, decoder = [], None
    bar = cli.progress(total=args.count * len(models), unit="image")
    with runs.writing(args.out, settings, fingerprints) as folder, codec.Writer() as write, bar:
        for name, (place, model) in models.items():
            bar.set_description(name)
            path = place / "decoder.keras"
            if decoder is None:
                decoder = keras.saving.load_model(path, compile=False)
            else:
                decoder.load_weights(path)  # they are of one kind, so the traced graph stays
            rng = np.random.default_rng(backend.derive_seed(args.seed, name))
            z = draw_latents(args, place, model["latent_dim"], rng)
            for start in range(0, args.count, BATCH_SIZE):
                images = codec.to_uint8(decoder.predict_on_batch(z[start : start + BATCH_SIZE]))
                write(folder / name, range(start + 1, start + 1 + len(images)), images)
                bar.update(len(images))
                if start == 0:
                    shown.append(images[:10])
        plots.contact_sheet(folder / "contact_sheet.png", np.concatenate(shown), columns=len(shown[0]))
    print(f"{args.out}: {args.count} images of each of {len(models)} classes")


if __name__ == "__main__":
    cli.run(main)
