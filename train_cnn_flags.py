"""The flags of train_cnn.py: which there are, which go together, and what of them names and decides a run."""

from pathlib import Path

import arms
from cnn import losses, models, presets, protocols
from common import backend, cli


def add_data_arguments(parser):
    add = parser.add_argument
    add("-path", "--path", default="data", help="folder with train/<class>/ and test/<class>/")
    add(
        *("-limtr", "--images-per-class"),
        type=cli.limit,
        default=100,
        help="training images per class at most, -1 for all",
    )
    add(
        *("-limte", "--test-images-per-class"),
        type=cli.limit,
        default=125,
        help="test images per class at most, -1 for all",
    )
    add("--subset", metavar="FILE", help="train on the images that this split.json or subset.json lists")
    add("--no-test", action="store_true", help="train on <path>/train or on <path> itself, and test on nothing")
    add("--binarise", action="store_true", help="make all images black and white: white above half brightness")
    cli.add_image_arguments(parser)


def add_training_arguments(parser):
    add = parser.add_argument
    add(
        "--model",
        choices=(*models.TABLE, *models.FITTED),
        default="thesis",
        help="the classifier; neighbours and imagenet are fitted in one go and take no steps",
    )
    add("--pretrained", metavar="FILE", help="imagenet only: MobileNetV2's weights (default: Keras downloads them)")
    add(
        "--noise",
        type=cli.deviation,
        metavar="STD",
        help="Gaussian noise on the input while training (default: 0.3; thesis, vgg, wrn-* and resnet50: 0)",
    )
    add("--width", type=cli.positive_float, default=1.0, help="vgg only: factor of its numbers of filters")
    add(
        "--weights",
        metavar="imagenet|FILE|none",
        help="resnet50 only: weights to start from, Keras' download or a file of such without top (default: none)",
    )
    add("--rate", type=cli.positive_float, help="learning rate at the start (default: the classifier's own)")
    add("--weight-decay", type=cli.deviation, help="of all weights, as PyTorch's (default: the classifier's own)")
    add(
        "--loss",
        choices=losses.NAMES,
        default="ce",
        help="ce: cross-entropy; cosine: cosine loss; cosine+ce: cosine loss plus a tenth of the cross-entropy",
    )
    add(
        "--aug",
        nargs="?",
        choices=tuple(presets.PRESETS),
        const="suitable",
        help="classic augmentation; without a name the thesis': rotation 20, shifts 0.2",
    )
    add(
        "--bad",
        nargs="?",
        type=int,
        choices=range(6),
        const=0,
        metavar="0..5",
        help="unsuitable augmentation of CIARP 2018, fig. 3, with the first N of its 6 corrections made; implies --aug",
    )
    add(
        "--augmenter",
        choices=("generator", "graph"),
        default="generator",
        help="where --aug happens: Keras' ImageDataGenerator in another thread, or a layer on the training's device, "
        "other random numbers of the same law",
    )
    add(
        "--protocol",
        choices=("fair", "published", "validated"),
        default="fair",
        help="how to train, and which weights to keep",
    )
    add(
        "--paper",
        choices=tuple(protocols.PUBLISHED),
        help="whose published protocol (default: that of the classifier, and of -chain)",
    )
    add("--steps", type=cli.positive, help="optimiser steps, not with the thesis' published protocol (default: 3000)")
    add(
        *("-e", "--epochs"),
        type=cli.positive,
        help="epochs (default: 60 in the thesis' published protocol, else one per 50 steps; with --protocol validated "
        "and no --steps: passes over the images)",
    )
    add("-b", "--batch-size", type=cli.positive, default=32, help="images per step")
    add(
        "--select",
        choices=tuple(protocols.RULES),
        help="published only: pick the weights by lowest test loss, highest test accuracy, or not (default: as the "
        "arm does)",
    )
    add(
        "--networks",
        type=cli.positive,
        default=1,
        metavar="N",
        help="train N networks on the same images, each with the steps of one, and average their probabilities",
    )
    add(
        "--views",
        type=cli.positive,
        metavar="N",
        help="test a second time by the mean over each image and N copies of it that --aug transforms",
    )
    add("--validation-images", type=cli.positive, metavar="N", help="validate on N images in all (default: all)")
    add("--validate-every", type=cli.positive, metavar="N", help="validate after every N epochs (default: 1)")
    add("--precision", choices=backend.PRECISIONS, default="float32", help="of the network's arithmetic")


def check(parser, args):
    """Refuses flags that do not go together."""
    if args.protocol == "published" and args.paper == "thesis" and args.steps:
        parser.error("--steps: the published protocol sets its own steps; they go with --protocol fair")
    if args.protocol != "published" and args.select:
        parser.error(f"--select: the {args.protocol} protocol has its own rule; it goes with --protocol published")
    if args.augmenter == "graph" and (args.aug != "suitable" or args.bad is not None):
        parser.error(
            "--augmenter graph: goes with --aug; the layer rotates and shifts, --bad and other presets do more"
        )
    if args.augmenter == "graph" and (args.mix or args.deform):
        parser.error("--augmenter graph: its layer comes after --mix and -deform, which are for augmented images")
    if args.protocol == "published" and args.paper not in protocols.PUBLISHED:
        own = "validated -e 200" if args.paper == "neural" else "fair"
        parser.error(f"--protocol published: --model {args.model} has --protocol {own}; or give --paper")
    entry = models.find(args.model)
    args.weights = None if args.weights == "none" else args.weights
    if args.weights and not entry.takes_weights:
        parser.error(f"--weights: --model {args.model} starts from random ones; it goes with --model resnet50")
    if args.weights and args.weights != "imagenet" and not Path(args.weights).is_file():
        parser.error(f"--weights {args.weights}: no such file")
    if args.loss != "ce" and args.model == "ladder":
        parser.error(f"--loss {args.loss}: --model ladder has its own costs")
    for flag in ("rate", "weight_decay"):
        if getattr(args, flag) is not None and args.model in ("ladder", *models.FITTED):
            parser.error(f"--{flag.replace('_', '-')}: --model {args.model} has its own or takes no steps")
    least = entry.least_width
    if args.width != 1 and least is None:
        parser.error(f"--width: --model {args.model} has one width; it goes with --model vgg")
    if least and args.width < least:
        parser.error(f"--width {args.width:g}: leaves no filter, the smallest is {least:g}")
    if args.batch_size < models.find(args.model).least_batch:
        parser.error(f"-b {args.batch_size}: batch norm needs at least 2 images per step")
    alone = args.chain or args.model in ("ladder", *models.FITTED) or "mixmatch" in (args.mix or ())
    if args.networks > 1 and (args.protocol != "fair" or alone):
        parser.error("--networks: goes with --protocol fair, without -chain, --mix mixmatch, ladder and fitted models")
    if args.views and (not args.aug or args.no_test):
        parser.error("--views: goes with --aug, by which test images are transformed")
    if args.tensorboard and Path(args.tensorboard).is_file():
        parser.error(f"--tensorboard {args.tensorboard}: a file, not a folder")
    for flag in ("validation_images", "validate_every"):
        if getattr(args, flag) and args.protocol != "validated":
            parser.error(f"--{flag.replace('_', '-')}: goes with --protocol validated")
    if args.no_test and args.protocol == "published":
        parser.error("--no-test: the published protocol picks its weights on the test images")
    if args.model in models.FITTED and (args.aug or arms.asked(args) or args.protocol != "fair"):
        parser.error(f"--model {args.model}: is fitted to the real images in one go, under --protocol fair")
    for flag, usual in (("loss", "ce"), ("noise", None), ("steps", None), ("epochs", None)):
        if args.model in models.FITTED and getattr(args, flag) != usual:
            parser.error(f"--{flag}: --model {args.model} is fitted in one go, without steps, noise or a loss")
    if args.pretrained and args.model != "imagenet":
        parser.error("--pretrained: goes with --model imagenet")
    if args.pretrained and not Path(args.pretrained).is_file():
        parser.error(f"--pretrained {args.pretrained}: no such file")


def default_out(args):
    """The run folder's name where --out gives none."""
    changes = [
        args.model if args.model not in ("thesis", "ladder") else None,
        f"width{args.width:g}" if args.width != 1 else None,
        arms.chain.variant(args) if args.chain else None,
        arms.replacement.variant(args) if args.cglo else None,
        args.loss if args.loss != "ce" else None,
        f"rate{args.rate:g}" if args.rate else None,
        f"decay{args.weight_decay:g}" if args.weight_decay is not None else None,
        f"{args.networks}networks" if args.networks > 1 else None,
        f"{args.views}views" if args.views else None,
        args.aug if args.aug not in (None, "suitable") else None,
        arms.cutout.variant(args),
        arms.mixup.variant(args),
        None if args.bad is None else f"bad{args.bad or ''}",
        args.select and f"by-{args.select}",
        "graph" if args.augmenter == "graph" else None,
    ]
    arm = protocols.name_arm(arms.names(args), args.aug)
    parts = [arm, *filter(None, changes), args.protocol, str(args.images_per_class), f"seed{args.seed}"]
    return f"runs/{'-'.join(parts)}".lower()


def settings_of(args, schedule, joined):
    """What decides the result, for the run folder; a flag that was not given says nothing, as before there was one."""
    found = {"schedule": schedule.settings()}
    found |= {name: getattr(args, name) for name in ("bad", "precision", "size", "color", "seed", "deterministic")}
    others = {"model": "thesis", "noise": None, "binarise": False, "augmenter": "generator", "validation_images": None}
    others |= {"width": 1, "loss": "ce", "networks": 1, "views": None, "rate": None, "weight_decay": None}
    found |= {name: getattr(args, name) for name, usual in others.items() if getattr(args, name) != usual}
    if args.aug not in (None, "suitable"):
        found["aug"] = args.aug
    if args.weights:  # a file is told by its bytes
        found["weights"] = "imagenet" if args.weights == "imagenet" else "file"
    for arm in joined:
        found |= arm.settings
    return found
