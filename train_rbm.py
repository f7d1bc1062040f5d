"""Trains one restricted Boltzmann machine on binary images of all classes, labels unseen (Maronas 2018).

Reads   <path>/train/<class>/*.png (or <path>/<class>/*.png); grey levels are binarised at 0.5
Writes  <out>/: rbm.keras, monitors.csv, monitors.png, samples.png (under each held-out image a chain of one step
        from it, as in fig. 3), split.json (which images), config.json

Example python train_rbm.py -path data --images 10 --out rbm
"""

import common.interrupts  # noqa: F401  first: Ctrl-C while the rest is imported ends in one line

# isort: split

import argparse

import numpy as np
import pandas as pd

from common import archives, backend, cli, plots, runs
from common.errors import BadInput
from images import albums, codec, diversity, folders, reading, selection

# The paper names neither hidden units, nor optimiser, nor how far a bad and a good RBM converge. Deviation 17: these
# were chosen by looking at samples (fig. 3). After 200 updates a chain had forgotten its digit within ten steps; after
# 500 its states are noisy and legible, after 3,000 clean. What differs is how far it converges, and nothing else.
SHARED = {"hidden": 500, "k": 1, "learning_rate": 0.1, "momentum": 0.5, "weight_decay": 0.0002, "persistent": False}
PRESETS = {"bad": {**SHARED, "epochs": 50}, "good": {**SHARED, "epochs": 300}}
PRESETS["persistent"] = {**PRESETS["bad"], "persistent": True}  # Tieleman 2008; not in the paper
STEPS_PER_EPOCH = 10  # by default, whatever the number of images, so that a preset converges as far with any
MOST_GIBBS_STEPS = 1000  # each is a part of the graph of an update
MOST_CHAINS = 10_000  # persistent ones
STEPS_MEASURED = 10  # of the chains whose ends are compared with real images
MOST_WATCHED = 1000  # images of either part that the monitors look at


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    parser.add_argument("-path", "--path", default="data", help="class folders, or a folder with train/ in it")
    parser.add_argument(
        "--images",
        "--images-per-class",
        dest="images",
        type=cli.limit,
        help="images per class to learn from, -1 for all (default: 10, or those of --subset)",
    )
    parser.add_argument("--subset", metavar="FILE", help="use the images that this split.json or subset.json lists")
    parser.add_argument("--out", default="rbm", help="run folder to make")
    parser.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        default="bad",
        help="bad: short training, noisy samples; good: long training, clean samples (Maronas 2018, fig. 3); "
        "persistent: bad with persistent chains; sets those of the next seven flags that are not given",
    )
    values = {
        name: ", ".join(f"{preset} {flags[name]}" for preset, flags in PRESETS.items()) for name in PRESETS["bad"]
    }
    add = parser.add_argument
    add(
        "--hidden",
        "--hidden-units",
        dest="hidden",
        type=cli.dimension,
        help=f"hidden units (default: {values['hidden']})",
    )
    add("--epochs", type=cli.positive, help=f"passes over the images (default: {values['epochs']})")
    add("--learning-rate", type=cli.positive_float, help=f"of gradient descent (default: {values['learning_rate']})")
    add("--momentum", type=cli.share, help=f"of gradient descent (default: {values['momentum']})")
    add("--weight-decay", type=cli.share, help=f"of the weights, not the biases (default: {values['weight_decay']})")
    add(
        "--k", "--gibbs-steps", dest="k", type=gibbs_steps, help=f"Gibbs steps for each update (default: {values['k']})"
    )
    add(
        "--persistent",
        action=argparse.BooleanOptionalAction,
        help=f"chains go on from update to update, not from the data each time (default: {values['persistent']})",
    )
    add(
        "--batch",
        "--batch-size",
        dest="batch",
        type=cli.positive,
        help="images per update, and persistent chains (default: a tenth of the images)",
    )
    cli.add_image_arguments(parser)
    backend.add_arguments(parser)
    args = parser.parse_args(argv)
    if args.images is None:
        args.images = -1 if args.subset else 10
    for name, value in PRESETS[args.preset].items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


gibbs_steps = cli.number(int, lambda n: 0 < n <= MOST_GIBBS_STEPS, f"a whole number from 1 to {MOST_GIBBS_STEPS}")


def choose_files(args):
    """Which images it learns from, and which it only watches: two listings {class: paths}."""
    root = folders.training_root(args.path)
    files = folders.list_images(root)
    chosen = selection.choose(files, root, args.images, args.seed, args.subset)
    counts = {name: len(paths) for name, paths in chosen.items()}
    return chosen, selection.next_in_order(files, chosen, counts, args.seed)


def read_images(args, chosen, heldout):
    """Both parts as read, uint8 `(num_images, height, width, channels)`, and the labels of the first."""
    paths = [path for class_paths in heldout.values() for path in class_paths]
    binary = reading.is_black_and_white([*(path for listed in chosen.values() for path in listed), *paths])
    images, labels = albums.read_classes(chosen, args.size, args.color, binary=binary)
    if not paths:
        print(f"{args.path}: no images are left to watch; the monitors have no held-out ones")
        return images, labels, images[:0]
    watched = albums.read_images(paths, args.size, args.color, binary=binary)
    codec.check_same_shape({paths[0]: watched.shape[1:], f"{args.path}, training": images.shape[1:]})
    return images, labels, watched


def spread(images, most):
    """At most `most` images, taken at even distances, so that every class stays."""
    return images[:: -(-len(images) // most)] if len(images) else images


def save_pictures(folder, model, history, images, seed):
    """Curves of the monitors, and under each of 50 images a chain of one step from it."""
    from vae_aug import chains

    panels = [
        ("free energy (nats)", ["free_energy_train", "free_energy_heldout"]),
        ("free-energy gap (nats)", ["free_energy_gap"]),
        ("reconstruction error (a pixel)", ["reconstruction_error"]),
        ("pseudo-likelihood (nats an image)", ["pseudo_likelihood"]),
    ]
    plots.curves(folder / "monitors.png", history, panels)
    starts = spread(images, 50)
    samples, _ = chains.Chains(model, starts, 1, seed).next(len(starts))
    rows = [part[k : k + 10] for k in range(0, len(starts), 10) for part in (starts, samples)]
    plots.contact_sheet(folder / "samples.png", codec.to_uint8(np.concatenate(rows)), columns=min(10, len(starts)))


def measure(model, images, labels, class_names, seed):
    """How much images differ: of each class, and of chains of ten steps from images of all classes."""
    from vae_aug import chains

    learnt, starts = codec.to_uint8(images), spread(images, 50)
    states, _ = chains.Chains(model, starts, STEPS_MEASURED, seed).next(len(starts) * STEPS_MEASURED)
    drawn = diversity.Diversity(learnt)
    drawn.add(codec.to_uint8(states[-len(starts) :]))
    return {
        "real_spreads": {name: diversity.spread(learnt[labels == k]) for k, name in enumerate(class_names)},
        "diversity": {"of all classes": diversity.compare(drawn, diversity.spread(learnt))},
    }


def settings_of(args, images, class_names):
    """What the run folder is bound to, beside its data."""
    settings = {name: getattr(args, name) for name in ("preset", *PRESETS[args.preset])}
    settings |= {"batch": args.batch or -(-len(images) // STEPS_PER_EPOCH), "image_shape": list(images.shape[1:])}
    settings |= {"size": args.size, "color": args.color, "classes": class_names}
    settings |= {"seed": args.seed, "deterministic": args.deterministic}
    if args.persistent and settings["batch"] > max(MOST_CHAINS, len(images)):
        raise BadInput(f"--batch {args.batch}: that many persistent chains; at most {MOST_CHAINS:,} are kept")
    return settings


def build(args, images, settings, seed):
    """Builds the RBM of binary images that the flags describe."""
    from vae_aug import rbm_training

    kept = settings["batch"] if args.persistent else 0
    rates = args.learning_rate, args.momentum, args.weight_decay
    return rbm_training.build(images, args.hidden, *rates, args.k, kept, seed)


def show(out, last, num_images, measured):
    """Prints what came of a training, whose last row of monitors is `last`."""
    gap = f"free-energy gap {last['free_energy_gap']:.2f} nats, {num_images} images"
    print(f"{out}: reconstruction error {last['reconstruction_error']:.4f} a pixel, {gap}")
    if collapsed := diversity.warning(measured):
        print(f"{out}: {collapsed}")


def main(argv=None):
    args = parse_args(argv)
    runs.refuse_overlap(args.out, args.path)
    chosen, heldout = choose_files(args)
    images, labels, watched = read_images(args, chosen, heldout)
    settings = settings_of(args, images, list(chosen))
    data = {"images": albums.fingerprint(images, labels), "heldout": albums.fingerprint(watched)}
    if runs.finished(args.out, settings, data):
        print(f"{args.out} is done already")
        return

    images = albums.binarise(images, args.path)
    watched = albums.binarise(watched, f"{args.path}, held out")
    backend.configure(args.seed, args.devices, args.deterministic)
    from vae_aug import rbm_training  # Keras, once the back end is configured

    seed = backend.derive_seed(args.seed, "rbm")
    backend.set_seeds(seed)
    model, facts = build(args, images, settings, seed), {"kind": "rbm"}
    bar = cli.progress(total=args.epochs, unit="epoch")
    with runs.writing(args.out, settings, data, facts=facts) as folder, bar:
        some, batch = spread(watched, MOST_WATCHED), settings["batch"]
        history = rbm_training.train(model, images, some, args.epochs, seed, batch, bar.update)
        archives.save_model(model, folder / "rbm.keras")
        history = pd.DataFrame(history)
        history.to_csv(folder / "monitors.csv", index=False)
        selection.save_list(folder / "split.json", subset=chosen, heldout=heldout)
        save_pictures(folder, model, history, watched if len(watched) else images, seed)
        facts |= measure(model, images, labels, list(chosen), seed)
    show(args.out, history.iloc[-1], len(images), facts["diversity"])


if __name__ == "__main__":
    cli.run(main)
