"""What train_cnn.py does for very scarce data (Maronas 2018): other classifiers, chain states, images without labels,
binary pixels.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnn import labelling
from common import backend, cli, saved
from images import albums, codec, folders, selection

MODELS = ("thesis", "fc1", "fc2", "conv1", "ladder")


def add_arguments(parser):
    parser.add_argument("--model", choices=MODELS, default="thesis", help="the thesis' CNN or a scarce-data classifier")
    parser.add_argument(
        "--noise",
        type=cli.deviation,
        metavar="STD",
        help="Gaussian noise on the input while training (default: 0.3, thesis 0)",
    )
    parser.add_argument("--binarise", action="store_true", help="make all images binary: white above half brightness")
    parser.add_argument(
        "-chain", "--chain", metavar="MODEL", help="folder of train_rbm.py or of a joint binary VAE: chains from it"
    )
    parser.add_argument("--chain-length", type=cli.positive, help="states before a chain restarts (default: 500)")
    parser.add_argument(
        "--labels",
        choices=("n", "y"),
        help="states that are used: all (n), or those that the classifier gives their start's label (default: n)",
    )
    parser.add_argument("--unlabelled", metavar="FOLDER", help="images without labels, for --model ladder")
    parser.add_argument("--unlabelled-images", type=cli.limit, metavar="N", help="of these N a class (default: all)")


def check(parser, args):
    """Refuses flags that do not go together, and sets defaults that depend on others."""
    for flag in ("chain_length", "labels"):
        if getattr(args, flag) and not args.chain:
            parser.error(f"--{flag.replace('_', '-')}: goes with -chain MODEL")
    if args.unlabelled_images and not args.unlabelled:
        parser.error("--unlabelled-images: goes with --unlabelled FOLDER")
    if args.unlabelled and args.model != "ladder":
        parser.error("--unlabelled: goes with --model ladder")
    if args.model == "ladder" and not args.unlabelled:
        parser.error("--model ladder: needs --unlabelled FOLDER")
    if args.model == "ladder" and (args.chain or args.vae or args.aug):
        parser.error("--model ladder: takes no -chain, -vae or --aug; it learns from the images of --unlabelled")
    if args.chain and args.vae:
        parser.error("-chain: takes the place of -vae; give one of them")
    if args.model != "thesis" and args.b == 1:
        parser.error("-b 1: batch norm needs at least 2 images a step")
    if args.chain:
        args.chain_length, args.labels = args.chain_length or 500, args.labels or "n"


def is_scarce(args):
    """Whether the published protocol is that of Maronas 2018: its classifiers, and its chains with any."""
    return args.model != "thesis" or bool(args.chain)


def variant(args):
    """What the default run folder's name says of all this, after the arm."""
    model = f"-{args.model}" * (args.model not in ("thesis", "ladder"))
    return model + (f"-{Path(args.chain).resolve().name}{args.chain_length}-{args.labels}" if args.chain else "")


class Extras(NamedTuple):
    chain: saved.Saved | None  # the model that chains run on
    unlabelled: np.ndarray | None  # uint8 images


def read(args, image_shape):
    """Finds or reads what joins the labelled images, without Keras.

    Raises:
        ValueError: the chains' model or the unlabelled images are not there, or are of another size.
    """
    chain, unlabelled = saved.find(args.chain) if args.chain else None, None
    if chain and tuple(chain.settings["image_shape"]) != tuple(image_shape):
        raise ValueError(
            f"{chain.path}: learned from {codec.describe(chain.settings['image_shape'])} images, but "
            f"{Path(args.path) / 'train'} is {codec.describe(image_shape)}"
        )
    if args.unlabelled:
        files = folders.list_unlabelled(args.unlabelled)
        files = selection.draw_subset(files, args.unlabelled_images or -1, args.seed)
        paths = [path for part in files.values() for path in part]
        if len(paths) < 2:
            raise ValueError(f"{args.unlabelled}: {len(paths)} images in it, the ladder network needs at least 2")
        unlabelled = binary(args, albums.read_images(paths, args.size, args.color), args.unlabelled)
        codec.check_same_shape({Path(args.path) / "train": image_shape, args.unlabelled: unlabelled.shape[1:]})
    return Extras(chain, unlabelled)


def binary(args, images, source):
    """uint8 images as `--binarise` asks for them, uint8."""
    return codec.to_uint8(albums.binarise(images, source)) if args.binarise else images


def binary_album(args, album, source):
    """An album as `--binarise` asks for it."""
    if not args.binarise:
        return album
    print(f"{source}: generated images binarised at 0.5")
    return albums.BinaryAlbum(album)


def settings(args):
    """What belongs to a run's settings, and nothing where no flag was given, as before there were any."""
    found = {} if args.model == "thesis" else {"model": args.model}
    if args.noise is not None:
        found["noise"] = args.noise
    if args.binarise:
        found["binarise"] = True
    if args.chain:
        found["chain"] = {"length": args.chain_length, "labels": args.labels, "ratio": labelling.STATES_PER_IMAGE}
    if args.unlabelled:
        found["unlabelled"] = args.unlabelled_images or -1
    return found


def fingerprints(extras):
    found = {} if extras.chain is None else {"chain": extras.chain.sha256}
    return found if extras.unlabelled is None else {**found, "unlabelled": albums.fingerprint(extras.unlabelled)}


class Joined(NamedTuple):
    batches: object  # generator of what a step learns from, and its labels
    callbacks: list
    labelling: labelling.Labelling | None  # counts the states of chains; its batches must not be fetched ahead


def join(args, epochs, extras, model, images, labels, batches, augment):
    """Joins chain states or unlabelled images, if there are any, to the labelled batches.

    Args:
        epochs: of the training.
        model: the classifier, compiled.
        images, labels: all labelled images, uint8, and their one-hot labels.
        batches: generator of pairs of labelled images and labels.
        augment: what `batches` went through, or None.

    Raises:
        ValueError: the classifier is spread over several devices.
    """
    if extras.chain is None and extras.unlabelled is None:
        return Joined(batches, [], None)
    import keras

    strategy = getattr(model, "distribute_strategy", None)
    if (strategy and strategy.num_replicas_in_sync > 1) or keras.distribution.distribution():
        raise ValueError(f"--devices {args.devices}: with -chain or --model ladder one training uses one device")
    if extras.unlabelled is not None:
        from cnn import ladder

        unlabelled, seed = codec.to_float(extras.unlabelled), backend.derive_seed(args.seed, "unlabelled")
        return Joined(ladder.batches(batches, unlabelled, seed), [ladder.pace(epochs)], None)
    from vae_aug import chains

    starts = albums.binarise(images, Path(args.path) / "train")
    walk = chains.Chains(saved.load(args.chain), starts, args.chain_length, backend.derive_seed(args.seed, "chains"))
    joined = labelling.Labelling(walk, labels, args.labels, model.predict_on_batch, augment)
    return Joined(joined.batches(batches), [], joined)


def facts(args, extras, joined):
    """What a result says of all this."""
    found = {"model": args.model}
    if joined.labelling:
        counts = {"ratio": labelling.STATES_PER_IMAGE, "drawn": joined.labelling.drawn, "used": joined.labelling.used}
        found |= {"labels": args.labels, "chain_length": args.chain_length, "chain": counts}
    if extras.unlabelled is not None:
        found["unlabelled"] = len(extras.unlabelled)
    return found
