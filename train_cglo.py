"""Trains one cGLO on images of all classes: a generator, and a latent (its code) per image (Azuri & Weinshall 2020).

Reads   <path>/train/<class>/*.png (or <path>/<class>/*.png), sides multiples of 4; with --unlabelled images without
        labels; with --transductive, and only then, <path>/test/<class>/*.png
Writes  <out>/: generator.keras; codes.npz (codes, labels, files and hashes of the labelled images, codes of the
        others); losses.csv and losses.png (per epoch; every 10 epochs the angles between codes); reconstructions.png
        (each image over what the generator makes of its code), interpolations.png (a row per class, from one
        reconstruction to another); subset.json (which images); config.json

Example python train_cglo.py -path data --images 10 --out cglo
        python generate.py -models cglo -out gen-cglo --count 50
        python train_cnn.py -path data -limtr 10 -cglo cglo --replace 0.5
"""

import common.interrupts  # noqa: F401  first: Ctrl-C while the rest is imported ends in one line

# isort: split

import argparse
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from common import archives, backend, cli, plots, runs
from common.errors import BadInput
from images import albums, codec, diversity, folders, reading, selection

# What the paper says, and what its code does; what neither says is the same in both. Deviation 40.
PRESETS = {
    "paper": {"latent": 128, "gamma": 1.0, "project_noise": False, "reset_moments": False, "vgg_levels": "5"},
    "released": {"latent": 512, "gamma": 0.5, "project_noise": True, "reset_moments": True, "vgg_levels": "3+pixels"},
}
SHEET, PATH = 10, 7  # images of a class on reconstructions.png; images of a row of interpolations.png
LEAST_SIDE = 16  # pixels that VGG-16 halves four times
MOST_BATCH = 128  # images per step, unless --batch says so
NOISE_STD = 0.15
MOST_BYTES = 2**31  # of what the loss keeps of the images


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    add = parser.add_argument
    add("-path", "--path", default="data", help="class folders, or a folder with train/ in it")
    add("--images", "--images-per-class", type=cli.limit, default=-1, help="images of each class, -1 for all")
    add("--subset", metavar="FILE", help="use the images that this split.json or subset.json lists")
    add("--most", type=cli.positive, metavar="N", help="images in all at most, of all classes alike (default: all)")
    add("--unlabelled", metavar="FOLDER", help="reconstruct these images too, without labels")
    add("--unlabelled-images", type=cli.limit, metavar="N", help="N unlabelled images per class (default: all)")
    add("--transductive", action="store_true", help="reconstruct the test images too, without labels")
    add("--epochs", type=cli.positive, default=200, help="passes over the images")
    add("--batch", "--batch-size", type=batch, help="images per step (default: an eighth of them, 128 at most)")
    add("--out", default="cglo", help="run folder to make")
    add_model_arguments(parser.add_argument_group("model"))
    cli.add_image_arguments(parser)
    backend.add_arguments(parser)
    args = parser.parse_args(argv)
    check(parser, args)
    args.noise_std = args.noise_std or NOISE_STD
    for name, value in PRESETS[args.preset].items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


batch = cli.number(int, lambda n: 1 < n <= 2**16, "a whole number from 2 to 65536")  # batch norm needs two


def add_model_arguments(group):
    def add(name, **options):
        values = [f"{preset} {flags[options['dest']]}" for preset, flags in PRESETS.items()]
        options["help"] += f" (default: {', '.join(values)})"
        group.add_argument(name, **options)

    yes_no, switch = {"choices": ("yes", "no"), "default": "yes"}, {"action": argparse.BooleanOptionalAction}
    group.add_argument("--preset", choices=tuple(PRESETS), default="paper", help="sets the next five flags")
    add("--latent", dest="latent", type=cli.dimension, help="latent dimensions")
    add("--gamma", dest="gamma", type=cli.positive_float, help="weight of the label loss, that of a weak classifier")
    add("--project-noise", dest="project_noise", **switch, help="a layer between concatenated noise and code")
    add("--reset-moments", dest="reset_moments", **switch, help="optimisers made anew in each epoch")
    add("--vgg-levels", dest="vgg_levels", choices=("5", "3+pixels"), help="--loss vgg: layers compared")
    group.add_argument("--loss", choices=("laplacian", "l1", "vgg"), default="laplacian", help="vgg: outside data")
    group.add_argument("--vgg-weights", metavar="FILE", help="Keras' VGG-16 without top (default: it is downloaded)")
    group.add_argument("--noise", choices=("concat", "add", "none"), default="concat", help="noise on the codes")
    group.add_argument("--noise-std", type=cli.positive_float, help=f"its standard deviation (default: {NOISE_STD})")
    group.add_argument("--label-loss", choices=("image", "latent", "none"), default="image", help="what it classifies")
    group.add_argument("--init", choices=("sphere", "hypercube", "features"), default="sphere", help="how codes start")
    group.add_argument("--renormalise", **yes_no, help="the generator scales codes to unit norm")


def check(parser, args):
    """Refuses flags that do not go together."""
    uses_vgg = args.loss == "vgg" or args.init == "features"
    for flag, given, needed, wanted in (
        ("--unlabelled-images", args.unlabelled_images, args.unlabelled, "--unlabelled FOLDER"),
        ("--vgg-weights", args.vgg_weights, uses_vgg, "--loss vgg or --init features"),
        ("--vgg-levels", args.vgg_levels, args.loss == "vgg", "--loss vgg"),
        ("--project-noise", args.project_noise is not None, args.noise == "concat", "--noise concat"),
        ("--noise-std", args.noise_std, args.noise != "none", "--noise concat or add"),
        ("--gamma", args.gamma, args.label_loss != "none", "--label-loss image or latent"),
    ):
        if given and not needed:
            parser.error(f"{flag}: goes with {wanted}")
    if args.unlabelled and (place := folders.holder_of_test_part(args.path, args.unlabelled)):
        asked = "--transductive" if place == Path(args.path) else f"-path {place} --transductive"
        parser.error(f"--unlabelled: these are the test images; to train on them, say {asked}")
    if args.latent == 1:
        parser.error("--latent 1: codes lie on a sphere, which needs 2 dimensions at least")
    if args.vgg_weights and not Path(args.vgg_weights).is_file():
        parser.error(f"--vgg-weights {args.vgg_weights}: no such file")


def choose_files(args):
    """Lists the images: the labelled ones {class: paths}, and those without labels, paths."""
    root = folders.training_root(args.path)
    files = folders.list_images(root)
    chosen = selection.choose(files, root, args.images, args.seed, args.subset)
    chosen = selection.draw_at_most(chosen, args.most, args.seed) if args.most else chosen
    others = []
    if args.unlabelled:
        listed = folders.list_unlabelled(args.unlabelled, without=chosen)
        if not any(listed.values()) and not args.transductive:
            raise BadInput(f"{args.unlabelled}: no images in it beside those that have labels")
        drawn = selection.draw_subset(listed, args.unlabelled_images or -1, args.seed)
        others += [path for paths in drawn.values() for path in paths]
    if args.transductive:
        test = Path(args.path) / "test"
        tests = [path for paths in folders.list_images(test).values() for path in paths]
        print(f"--transductive: the generator learns from the {len(tests)} test images in {test}, without their labels")
        others += tests
    return chosen, others


def read_images(args, chosen, others):
    """Reads the images: uint8 `(num_images, height, width, channels)` and labels, -1 for those without."""
    binary = reading.is_black_and_white([*(path for paths in chosen.values() for path in paths), *others])
    images, labels = albums.read_classes(chosen, args.size, args.color, binary=binary)
    if len(images) < 2:
        raise BadInput(f"{args.path}: 1 image in all, at least 2 are needed")
    if others:
        more = albums.read_images(others, args.size, args.color, binary=binary)
        codec.check_same_shape({args.path: images.shape[1:], others[0].parent: more.shape[1:]})
        known = set(albums.ArrayAlbum(images).digests())
        more = more[[digest not in known for digest in albums.ArrayAlbum(more).digests()]]
        images = np.concatenate([images, more])
        labels = np.concatenate([labels, np.full(len(more), -1)])
    return images, labels


def load_vgg(args):
    """Keras' VGG-16 without its top, from a file or downloaded; None if nothing needs it."""
    if args.loss != "vgg" and args.init != "features":
        return None
    import keras

    weights, asked = args.vgg_weights or "imagenet", "--loss vgg" if args.loss == "vgg" else "--init features"
    print(f"VGG-16 with weights of {weights}: the generator learns from outside data, too")
    with archives.loading_weights("VGG-16", asked, "--vgg-weights", args.vgg_weights):
        return keras.applications.VGG16(include_top=False, weights=weights, input_shape=(None, None, 3))


def build(args, images, labels, num_classes, seed):
    """Builds the model; images are float32 in [0, 1]. Returns it and its loss."""
    from vae_aug import cglo, perceptual

    vgg = load_vgg(args)
    levels = {"l1": perceptual.Pixels, "laplacian": lambda: perceptual.Laplacian(images.shape[1:])}
    levels["vgg"] = lambda: perceptual.vgg_features(vgg, args.vgg_levels)
    loss = perceptual.Loss(levels[args.loss](), images, MOST_BYTES)
    features = None
    if args.init == "features":
        features = perceptual.means_of_last(perceptual.vgg_features(vgg, "5"), images)
    codes = cglo.first_codes(args.init, labels, args.latent, np.random.default_rng(seed), features)
    names = ("gamma", "noise", "noise_std", "label_loss", "reset_moments")
    options = {name: getattr(args, name) for name in names} | {"seed": seed, "projected": args.project_noise}
    options["renormalise"] = args.renormalise == "yes"
    return cglo.CGLO(images.shape[1:], num_classes, codes, loss, args.epochs, **options), loss


def save_codes(folder, model, images, labels, chosen):
    """Writes codes.npz: what interpolates needs labels and names, and images by which they are known again."""
    known = labels >= 0
    digests = albums.ArrayAlbum(images[known]).digests()
    np.savez(
        folder / "codes.npz",
        codes=model.codes[known],
        labels=labels[known],
        files=np.array([f"{name}/{path.name}" for name, paths in chosen.items() for path in paths]),
        digests=np.frombuffer(b"".join(digests), np.uint8).reshape(len(digests), -1),
        unlabelled=model.codes[~known],
    )


def save_pictures(folder, model, images, labels, history):
    """Curves, and pictures as figures 4 and 5: images over their reconstructions, and ways between two of a class."""
    from vae_aug import interpolation, sphere

    panels = [("loss (1: the mean image)", ["loss", "reconstruction_loss"]), ("label loss (nats)", ["label_loss"])]
    panels.append(("angle between codes (degrees)", ["angle_within", "angle_between"]))
    plots.curves(folder / "losses.png", history, panels[:1] + panels[2:] if "label_loss" not in history else panels)
    codes, rows, ways = model.codes, [], []
    for label in range(min(model.num_classes, SHEET)):
        members = np.flatnonzero(labels == label)
        shown = np.resize(members, SHEET)
        rows += [images[shown], codec.to_uint8(interpolation.decode(model.generator, codes[shown]))]
        ends = [codes[np.full(PATH, members[place])] for place in (0, min(1, len(members) - 1))]
        between = sphere.slerp(*ends, np.linspace(0, 1, PATH))
        ways.append(codec.to_uint8(interpolation.decode(model.generator, between)))
    plots.contact_sheet(folder / "reconstructions.png", np.concatenate(rows), columns=SHEET)
    plots.contact_sheet(folder / "interpolations.png", np.concatenate(ways), columns=PATH)


def settings_of(args, chosen, images, labels):
    """What decides the result, for the run folder."""
    names = ("preset", *PRESETS[args.preset], "loss", "noise", "noise_std", "label_loss", "init", "renormalise")
    names += ("epochs", "transductive", "unlabelled_images", "size", "color", "seed", "deterministic")
    settings = {name: getattr(args, name) for name in names}
    # Deviation 41: of few images an eighth, for 8 steps per epoch, as many as in the paper's smallest training.
    settings["batch"] = args.batch or max(2, min(MOST_BATCH, int((labels >= 0).sum()) // 8))
    settings["classes"] = list(chosen)
    return settings | {"image_shape": list(images.shape[1:])}


def main(argv=None):
    args = parse_args(argv)
    for source in (args.path, args.unlabelled):
        if source:
            runs.refuse_overlap(args.out, source)
    chosen, others = choose_files(args)
    images, labels = read_images(args, chosen, others)
    settings = settings_of(args, chosen, images, labels)
    if (args.loss == "vgg" or args.init == "features") and min(images.shape[1:3]) < LEAST_SIDE:
        raise BadInput(f"{args.path}: {codec.describe(images.shape[1:])}; VGG-16 takes sides from {LEAST_SIDE} pixels")
    data = {"images": albums.fingerprint(images, labels)}
    if args.vgg_weights:
        data["vgg"] = hashlib.sha256(Path(args.vgg_weights).read_bytes()).hexdigest()
    if runs.finished(args.out, settings, data):
        print(f"{args.out} is done already")
        return

    backend.configure(args.seed, args.devices, args.deterministic)
    from vae_aug import cglo_training  # Keras, once the back end is configured

    seed = backend.derive_seed(args.seed, "cglo")
    backend.set_seeds(seed)
    model, loss = build(args, codec.to_float(images), labels, len(chosen), seed)
    learnt = {name: images[labels == k] for k, name in enumerate(chosen)}
    facts = {"kind": "cglo", "unlabelled": int((labels < 0).sum())}
    facts["real_spreads"] = {name: diversity.spread(part) for name, part in learnt.items()}
    bar = cli.progress(total=args.epochs, unit="epoch")
    with runs.writing(args.out, settings, data, facts=facts) as folder, bar:
        history = cglo_training.train(
            model,
            loss.targets,
            labels,
            args.epochs,
            seed,
            settings["batch"],
            on_epoch=bar.update,
            measure=cglo_training.measure_angles(labels),
            run_epochs=cglo_training.epochs_in_graph(model, backend.in_graph, loss.targets),
        )
        facts["last"] = history[-1]
        table = pd.DataFrame(history)
        table.to_csv(folder / "losses.csv", index=False)
        model.generator.save(folder / "generator.keras")
        save_codes(folder, model, images, labels, chosen)
        selection.save_list(folder / "subset.json", subset=chosen)
        save_pictures(folder, model, images, labels, table)
    last = ", ".join(f"{name.replace('_', ' ')} {history[-1][name]:.4g}" for name in list(history[-1])[1:])
    more = f", {facts['unlabelled']} without labels" if facts["unlabelled"] else ""
    print(f"{args.out}: {last}; {(labels >= 0).sum()} images of {len(chosen)} classes{more}")


if __name__ == "__main__":
    cli.run(main)
