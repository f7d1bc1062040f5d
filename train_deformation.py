"""Learns from a few images per class how images of a class turn into one another, to deform images at random.

Reads   <path>/train/<class>/*.png (or <path>/<class>/*.png), at least two images of some class
Writes  <out>/: deformation.npz (Gaussians of velocity fields, and the images), convergence.csv and convergence.png,
        pairs.csv (errors of each pair before and after), pairs.png (an image, the same deformed, what it should become;
        rows of pairs), samples.png (a row per class: deformed images), subset.json (which images), config.json (its
        `facts` hold mean errors, and the share of pixels at which maps fold)

Example python train_deformation.py -path data --images 5 --out deform
        python train_cnn.py -path data -deform deform -limtr 5
        python generate.py -models deform -out gen-deform
"""

import common.interrupts  # noqa: F401  first: Ctrl-C while the rest is imported ends in one line

# isort: split

import numpy as np
import pandas as pd

from common import backend, cli, plots, runs
from common.errors import BadInput
from images import albums, codec, diversity, folders, selection

SHEET = 10  # deformed images of each class on samples.png
SHOWN = 20  # pairs on pairs.png
FOLDED = 0.001  # share of folded pixels from which on a line says so


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    add = parser.add_argument
    add("-path", "--path", default="data", help="class folders, or a folder with train/ in it")
    add("--images", "--images-per-class", type=cli.limit, default=-1, help="images of each class, -1 for all")
    add("--subset", metavar="FILE", help="use the images that this split.json or subset.json lists")
    add("--pairs", type=cli.positive, default=100, help="ordered pairs of images of each class, at most")
    add("--control", type=control, default=8, metavar="N", help="control points of a field along each side")
    add("--penalty", type=cli.positive_float, default=0.1, help="weight of the smoothness of the fields")
    add("--affine", action="store_true", help="leave shifts, rotations, zooms and shears out of the penalty")
    add(
        "--appearance",
        action="store_true",
        help="learn changes of thickness, contrast and brightness too, from what deformations leave",
    )
    add("--per-class", action="store_true", help="a Gaussian per class, in place of one of all classes")
    add(
        "--shrinkage",
        type=cli.share,
        help="--per-class only: share of the pooled covariance in that of each class (default: 0.5)",
    )
    add("--rank", type=cli.positive, metavar="N", help="keep the N largest modes of each Gaussian (default: all)")
    add("--scale", nargs=2, type=cli.positive_float, metavar=("A", "B"), default=[0.2, 1.3], help=SCALE_HELP)
    add("--out", default="deform", help="run folder to make")
    cli.add_image_arguments(parser)
    backend.add_arguments(parser)
    args = parser.parse_args(argv)
    if args.shrinkage is not None and not args.per_class:
        parser.error("--shrinkage: goes with --per-class")
    if args.scale[0] > args.scale[1]:
        parser.error(f"--scale {args.scale[0]:g} {args.scale[1]:g}: the first number is above the second")
    if args.shrinkage is None:
        args.shrinkage = 0.5 if args.per_class else 1.0
    return args


SCALE_HELP = "each random field is scaled by a factor from A to B"
control = cli.number(int, lambda n: 4 <= n <= 64, "a whole number from 4 to 64")


def read_images(args):
    """The images to learn from: listing {class: paths}, uint8 `(num_images, height, width, channels)` and labels."""
    root = folders.training_root(args.path)
    files = folders.list_images(root)
    chosen = selection.choose(files, root, args.images, args.seed, args.subset)
    if max(map(len, chosen.values())) < 2:
        raise BadInput(f"{root}: 1 image of each class, at least 2 of some class are needed to make a pair")
    images, labels = albums.read_classes(chosen, args.size, args.color)
    if min(images.shape[1:3]) < 4:
        raise BadInput(f"{root}: {codec.describe(images.shape[1:])}; each side needs at least 4 pixels (--size H W)")
    return chosen, images, labels


def save_pictures(folder, images, labels, pairs, fields, deformer):
    """Draws some registered pairs, and deformed images of each class.

    Args:
        folder: to write into.
        images, labels: float32 images in [0, 1] and their classes.
        pairs, fields: the pairs that were registered, and what was found.
        deformer: a `deformation.Deformer`.

    Returns:
        The share of pixels at which the drawn random maps fold.
    """
    from vae_aug import velocity

    some = np.unique(np.linspace(0, len(pairs) - 1, SHOWN).astype(int))
    moved = deformer.apply(images[pairs[some, 0]], fields[some])[0]
    triples = np.stack([images[pairs[some, 0]], moved, images[pairs[some, 1]]], axis=1)
    plots.contact_sheet(folder / "pairs.png", codec.to_uint8(np.concatenate(triples)), columns=3 * 4)
    rows = [np.flatnonzero(labels == label)[np.arange(SHEET) % np.sum(labels == label)] for label in np.unique(labels)]
    rows = np.concatenate(rows)
    drawn, displacement = deformer.apply(images[rows], *deformer.sample(labels[rows], np.random.default_rng(0)))
    plots.contact_sheet(folder / "samples.png", codec.to_uint8(drawn), columns=SHEET)
    return velocity.folding(displacement)


def save_tables(folder, history, names, before, after):
    """Writes the course of the registration, and the errors of each pair; `names` are (class, image, image)."""
    table = pd.DataFrame(history)
    table.to_csv(folder / "convergence.csv", index=False)
    by_sigma = {f"sigma {sigma:.3g}": part["loss"] for sigma, part in table.groupby("sigma", sort=False)}
    curves = pd.DataFrame({"step": table["step"], **by_sigma})
    plots.curves(folder / "convergence.png", curves, [("loss per pair, by blur in pixels", list(by_sigma))], "step")
    pairs = pd.DataFrame(names, columns=["class", "from", "to"]).assign(before=before, after=after)
    pairs.to_csv(folder / "pairs.csv", index=False, errors="backslashreplace")  # names that are not UTF-8


def main(argv=None):
    args = parse_args(argv)
    runs.refuse_overlap(args.out, args.path)
    chosen, images, labels = read_images(args)
    names = ("pairs", "control", "penalty", "shrinkage", "scale", "size", "color", "seed", "deterministic")
    settings = {name: getattr(args, name) for name in names}
    # Only where they are given, so that models made before there were such flags are still taken for done.
    settings |= {name: value for name in ("affine", "appearance", "rank") if (value := getattr(args, name))}
    settings |= {"image_shape": list(images.shape[1:]), "classes": list(chosen)}
    data = {"images": albums.fingerprint(images, labels)}
    if runs.finished(args.out, settings, data):
        print(f"{args.out} is done already")
        return

    backend.configure(args.seed, args.devices, args.deterministic)
    from vae_aug import deformation, registration, residuals  # Keras, once the back end is configured

    rng = np.random.default_rng(backend.derive_seed(args.seed, "pairs"))
    pairs, grid = registration.ordered_pairs(labels, args.pairs, rng), (args.control, args.control)
    facts = {"kind": "deformation", "num_pairs": len(pairs)}
    facts["real_spreads"] = {name: diversity.spread(images[labels == k]) for k, name in enumerate(chosen)}
    values = codec.to_float(images)
    bar = cli.progress(total=registration.num_steps(len(pairs), images.shape[1:]), unit="step")
    with runs.writing(args.out, settings, data, facts=facts) as folder, bar:
        fields, history = registration.register(values, pairs, grid, args.penalty, bar.update, affine=args.affine)
        models = deformation.fit(fields, labels[pairs[:, 0]], len(chosen), args.shrinkage)
        facts["share_of_means"] = round(deformation.share_of_means(fields, labels[pairs[:, 0]]), 4)
        if args.rank:
            models = [deformation.largest(model, args.rank) for model in models]
        arrays = {f"modes{k}": model for k, model in enumerate(models)}
        if args.appearance:
            moved = deformation.Deformer(models, images.shape[1:]).apply(values[pairs[:, 0]], fields)[0]
            changes = residuals.fit(moved, values[pairs[:, 1]])
            arrays["changes"] = deformation.modes(changes)
            facts["changes"] = [round(float(size), 4) for size in np.sqrt(np.mean(np.square(changes), axis=0))]
        deformer = deformation.make_deformer(arrays, settings)
        before, after, folded = registration.errors(values, pairs, fields, deformer.apply)
        files = [path.name for paths in chosen.values() for path in paths]
        of_pairs = [(list(chosen)[labels[first]], files[first], files[second]) for first, second in pairs]
        save_tables(folder, history, of_pairs, before, after)
        sampled = save_pictures(folder, values, labels, pairs, fields, deformer)
        facts |= {"error_before": float(before.mean()), "error_after": float(after.mean())}
        facts["folding"] = {"pairs": folded, "samples": sampled}
        np.savez(folder / "deformation.npz", images=images, labels=labels, **arrays)
        selection.save_list(folder / "subset.json", subset=chosen)
    words = f"{before.mean():.4f} before, {after.mean():.4f} after"
    print(f"{args.out}: mean squared difference of {len(pairs)} pairs {words}")
    if max(folded, sampled) > FOLDED:
        print(f"{args.out}: maps fold at {max(folded, sampled):.2%} of the pixels; a larger --penalty folds less")


if __name__ == "__main__":
    cli.run(main)
