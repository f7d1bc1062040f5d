"""Trains one conditional model on images of all classes: the CDCVAE or the CDCGAN of Eduardo & Kazi 2018.

Reads   <path>/train/<class>/*.png (or <path>/<class>/*.png), sides multiples of 4
Writes  <out>/: decoder.keras and encoder.keras, or generator.keras and discriminator.keras; losses.csv and losses.png
        (losses per epoch; every 10 epochs diversity, label fidelity and copies), samples.png (a row per class),
        subset.json (which images), config.json (under `facts`, `flags`: warnings of what looks wrong)

Example python train_cdc.py --model cdcgan -path data --images 42 --out models-cdc
        python generate.py -models models-cdc -out gen --count 42
"""

import common.interrupts  # noqa: F401  first: Ctrl-C while the rest is imported ends in one line

# isort: split

import numpy as np
import pandas as pd

from common import backend, cli, plots, runs
from common.errors import BadInput
from images import albums, codec, diversity, folders, selection

SHEET = 10  # images of each class on samples.png


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    add = parser.add_argument
    add("--model", choices=("cdcvae", "cdcgan"), default="cdcvae", help="a VAE or a GAN")
    add("-path", "--path", default="data", help="class folders, or a folder with train/ in it")
    add("--images", "--images-per-class", type=cli.limit, default=-1, help="images of each class, -1 for all")
    add("--subset", metavar="FILE", help="use the images that this split.json or subset.json lists")
    add("--most", type=cli.positive, metavar="N", help="images in all at most, of all classes alike (default: all)")
    add("--epochs", type=cli.positive, default=500, help="passes over the images")
    add(
        "--latent",
        "--latent-dim",
        type=cli.dimension,
        help="latent dimensions (default: 62, RGB 100)",
    )
    add(
        "--objective",
        choices=("published", "elbo"),
        help="cdcvae only: on RGB images the KL term weighs three times, as in the reference code, or once (default: "
        "published)",
    )
    add("--out", default="models-cdc", help="run folder to make")
    cli.add_image_arguments(parser)
    backend.add_arguments(parser)
    args = parser.parse_args(argv)
    if args.model == "cdcvae":
        args.objective = args.objective or "published"
    elif args.objective:
        parser.error("--objective: goes with --model cdcvae")
    return args


def read_images(args):
    """The images to learn from: listing {class: paths}, uint8 `(num_images, height, width, channels)` and labels."""
    root = folders.training_root(args.path)
    files = folders.list_images(root)
    chosen = selection.choose(files, root, args.images, args.seed, args.subset)
    chosen = selection.draw_at_most(chosen, args.most, args.seed) if args.most else chosen
    images, labels = albums.read_classes(chosen, args.size, args.color)
    if len(images) < 2:
        raise BadInput(f"{root}: 1 image in all, at least 2 are needed")
    return chosen, images, labels


def make_measure(images, labels, num_classes, seed):
    """Makes what `conditional.train` calls every few epochs: it draws 50 images of each class and judges them.

    Args:
        images: float32 `(num_images, height, width, channels)` in [0, 1], the training images.
        labels: integers `(num_images,)`, rows of the classes.
        num_classes: classes.
        seed: integer seed of the latents, the same ones every time.

    Returns:
        A function of the model that returns a dict: `diversity` (a list, per class, None where it cannot be told),
        `label_fidelity` (share of the drawn images whose nearest training image is of their class) and `copy_ratio`
        (their median distance to it, over that of the training images to one another, unless that is 0).
    """
    from cnn import fid
    from vae_aug import conditional, monitors

    real = images.reshape(len(images), -1)
    among_real = np.median(fid.nearest(real, real, leave_one_out=True)[1])
    wanted = np.repeat(np.arange(num_classes), monitors.IMAGES)

    def measure(model):
        drawn = conditional.generate(model, wanted, np.random.default_rng(seed))
        rows, distances = fid.nearest(drawn.reshape(len(drawn), -1), real)
        spreads = monitors.diversity(drawn, wanted, images, labels, num_classes)
        found = {
            "diversity": [float(value) if np.isfinite(value) else None for value in spreads],
            "label_fidelity": float(np.mean(labels[rows] == wanted)),
        }
        return found | ({"copy_ratio": float(np.median(distances) / among_real)} if among_real else {})

    return measure


def tabulate(history, class_names):
    """One row per epoch as a DataFrame, the diversity of each class in a column of its own."""
    rows = []
    for row in history:
        spreads = dict(zip((f"diversity {name}" for name in class_names), row.get("diversity", ()), strict=False))
        rows.append({name: value for name, value in row.items() if name != "diversity"} | spreads)
    return pd.DataFrame(rows)


def save_pictures(folder, model, history, class_names, seed):
    """Curves of the losses and of what was measured, and ten images of each class."""
    from vae_aug import conditional

    losses = [name for name in model.history_names if name.endswith("loss")]
    panels = [("losses (nats per image)", losses)]
    if "d_real" in history:
        panels.append(("D(x) and D(G(z))", ["d_real", "d_generated"]))
    panels.append(("label fidelity; distance to training images", ["label_fidelity", "copy_ratio"]))
    panels.append(("diversity, of that of the real images", [f"diversity {name}" for name in class_names[:10]]))
    plots.curves(folder / "losses.png", history, panels)
    labels = np.repeat(np.arange(len(class_names)), SHEET)
    drawn = conditional.generate(model, labels, np.random.default_rng(seed))
    plots.contact_sheet(folder / "samples.png", codec.to_uint8(drawn), columns=SHEET)


def main(argv=None):
    args = parse_args(argv)
    runs.refuse_overlap(args.out, args.path)
    chosen, images, labels = read_images(args)
    names = ("model", "epochs", "latent", "objective", "size", "color", "seed", "deterministic")
    settings = {name: getattr(args, name) for name in names}
    settings |= {"image_shape": list(images.shape[1:]), "classes": list(chosen)}
    data = {"images": albums.fingerprint(images, labels)}
    if runs.finished(args.out, settings, data):
        print(f"{args.out} is done already")
        return

    backend.configure(args.seed, args.devices, args.deterministic)
    from vae_aug import conditional, monitors  # Keras, once the back end is configured

    seed = backend.derive_seed(args.seed, args.model)
    backend.set_seeds(seed)
    options = {"objective": args.objective} if args.objective else {}
    model = conditional.build(args.model, images.shape[1:], len(chosen), args.latent, seed, **options)
    real_spreads = {name: diversity.spread(images[labels == k]) for k, name in enumerate(chosen)}
    images = codec.to_float(images)
    facts = {"kind": args.model, "latent_dim": model.latent_dim, "real_spreads": real_spreads}
    bar = cli.progress(total=args.epochs, unit="epoch")
    with runs.writing(args.out, settings, data, facts=facts) as folder, bar:
        history = conditional.train(
            model,
            images,
            labels,
            args.epochs,
            seed,
            on_epoch=bar.update,
            measure=make_measure(images, labels, len(chosen), seed),
            run_epochs=conditional.epochs_in_graph(model, backend.in_graph),
        )
        for name, network in model.networks().items():
            network.save(folder / f"{name}.keras")
        facts |= {"flags": monitors.flags(history, len(chosen)), "last": history[-1]}
        table = tabulate(history, list(chosen))
        table.to_csv(folder / "losses.csv", index=False, errors="backslashreplace")  # names that are not UTF-8
        selection.save_list(folder / "subset.json", subset=chosen)
        save_pictures(folder, model, table, list(chosen), seed)
    last = ", ".join(f"{name} {history[-1][name]:.4g}" for name in model.history_names)
    print(f"{args.out}: {last}; {len(images)} images of {len(chosen)} classes")
    for name, sentence in facts["flags"].items():
        print(f"{args.out}: {name}: {sentence}")


if __name__ == "__main__":
    cli.run(main)
