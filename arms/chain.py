"""`-chain MODEL`: states of Markov chains that start at the labelled images join them (Maronas 2018)."""

from pathlib import Path

import numpy as np

from arms.arm import Arm
from cnn import labelling
from common import backend, cli, saved
from images import albums, codec

NAME, PAPER = "CHAIN", "scarce"


def add_arguments(parser):
    parser.add_argument(
        "-chain", "--chain", metavar="MODEL", help="folder of train_rbm.py or of a joint binary VAE: chains from it"
    )
    parser.add_argument("--chain-length", type=cli.positive, help="states before a chain restarts (default: 500)")
    parser.add_argument(
        "--labels",
        choices=labelling.RULES,
        help="states that are used: all (n), or those that the classifier gives their start's label (default: n)",
    )


def is_asked(args):
    return bool(args.chain)


def folders(args):
    return [args.chain]


def check(parser, args):
    for flag in ("chain_length", "labels"):
        if getattr(args, flag) and not args.chain:
            parser.error(f"--{flag.replace('_', '-')}: goes with -chain MODEL")
    if args.chain and args.vae:
        parser.error("-chain: takes the place of -vae; give one of them")
    if args.chain:
        args.chain_length, args.labels = args.chain_length or 500, args.labels or "n"


def variant(args):
    """What the name of a run folder says of the chains."""
    return f"{Path(args.chain).resolve().name}{args.chain_length}-{args.labels}"


def read(args, reading):
    model = saved.find(args.chain)
    if tuple(model.settings["image_shape"]) != tuple(reading.image_shape):
        raise ValueError(
            f"{model.path}: learned from {codec.describe(model.settings['image_shape'])} images, but "
            f"{reading.source} is {codec.describe(reading.image_shape)}"
        )
    return Chain(model, args.chain, args.chain_length, args.labels, reading.source)


class Chain(Arm):
    """Draws states of chains in every step, judged by the classifier as the step before left it.

    Args:
        model: what `saved.find` found in `folder`.
        length: states before a chain restarts at its image.
        rule: one of `labelling.RULES`.
        source: the folder of the labelled images, for a log line.
    """

    in_step = one_device = True

    def __init__(self, model, folder, length, rule, source):
        settings = {"chain": {"length": length, "labels": rule, "ratio": labelling.STATES_PER_IMAGE}}
        super().__init__(settings, {"chain": model.sha256})
        self.folder, self.length, self.rule, self.source = folder, length, rule, source

    def join(self, batches, training):
        from vae_aug import chains

        every = np.arange(len(training.images))
        starts = albums.binary(training.images, self.source)[every]
        seed = backend.derive_seed(training.seed, "chains")
        walk = chains.Chains(saved.load(self.folder), starts, self.length, seed)
        classify = training.model.predict_on_batch
        self.labelling = labelling.Labelling(walk, training.labels, self.rule, classify, training.augment)
        return self.labelling.batches(batches)

    def facts(self):
        counts = {"ratio": labelling.STATES_PER_IMAGE, "drawn": self.labelling.drawn, "used": self.labelling.used}
        return {"labels": self.rule, "chain_length": self.length, "chain": counts}
