"""Trains a classifier on real images, with or without generated ones and classic augmentation, and tests it.

Reads   <path>/train/<class>/*.png, <path>/test/<class>/*.png, and with -vae <vae>/<class>/*.png
Writes  <out>/: result.json, report.txt, model.keras, history.csv, curves.png, confusion.png, subset.json

Four arms: CNN (neither flag), VAE (-vae), AUG (--aug), AUG+VAE (both). Two protocols: `fair` gives every arm equal
steps and looks at the test set once; `published` is the released code, which picks its weights on the test set.
For very scarce data (Maronas 2018) other classifiers, with Markov chains from the training images (-chain) or, the
ladder network, with unlabelled images; `published` then means fair's steps and the epoch of lowest test error.

Example python train_cnn.py -path data -vae gen/ --aug -limtr 5
        3,000 steps on 50 digits and pages of generated ones: F1 0.9109 after 9 min on 2 cores busy with other work
"""

import common.interrupts  # noqa: F401  first: Ctrl-C while the rest is imported ends in one line

# isort: split

import dataclasses
import time
from pathlib import Path

import numpy as np

import classifier_data
import scarce
from cnn import injection, metrics, presets, protocols
from common import backend, cli, plots, runs
from images import albums, selection


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    parser.add_argument("-path", "--path", required=True, help="folder with train/<class>/ and test/<class>/")
    parser.add_argument("-vae", "--vae", metavar="GEN", help="class folders of generated images, from any generator")
    parser.add_argument("--aug", action="store_true", help="classic augmentation: rotation 20, shifts 0.2")
    parser.add_argument("-limtr", type=cli.limit, default=100, help="training images a class at most, -1 for all")
    parser.add_argument("-limte", type=cli.limit, default=125, help="test images a class at most, -1 for all")
    parser.add_argument(
        "-e", type=cli.positive, help="epochs (default: 60, in fair the most up to 60 that divide --steps)"
    )
    parser.add_argument("-b", type=cli.positive, default=32, help="batch size")
    parser.add_argument("--v", action="store_true", help="show Keras' progress instead of one bar")
    parser.add_argument(
        "--bad",
        nargs="?",
        type=int,
        choices=range(6),
        const=0,
        metavar="0..5",
        help="inexpert augmentation (CIARP fig. 3), after so many of six lessons; implies --aug",
    )
    parser.add_argument(
        "--augmenter",
        choices=("generator", "graph"),
        default="generator",
        help="where --aug happens: Keras' ImageDataGenerator in another thread, or a layer on the training's device, "
        "other random numbers of the same law",
    )
    parser.add_argument("--protocol", choices=("fair", "published"), default="fair", help="how to train and to choose")
    parser.add_argument("--steps", type=cli.positive, help="optimiser steps, fair only (default: 3000)")
    parser.add_argument(
        "--select",
        choices=tuple(protocols.RULES),
        help="published only: pick the weights by lowest test loss, highest test accuracy, or not (default: as the "
        "arm does)",
    )
    parser.add_argument(
        "--injection",
        choices=("pages", "all"),
        default="pages",
        help="generated images: a page an epoch, or all at once",
    )
    parser.add_argument("--page-size", type=cli.positive, help="generated images a page (default: VAE 100, AUG+VAE 50)")
    parser.add_argument(
        "--precision", choices=("float32", "mixed_bfloat16"), default="float32", help="of the network's arithmetic"
    )
    parser.add_argument(
        "--subset", metavar="FILE", help="train on the images that this split.json or subset.json lists"
    )
    scarce.add_arguments(parser)
    parser.add_argument("--tensorboard", metavar="DIR", help="write TensorBoard logs to DIR")
    parser.add_argument("--out", help="run folder (default: runs/<arm>-<protocol>-<limtr>-seed<seed>)")
    cli.add_image_arguments(parser)
    backend.add_arguments(parser)
    args = parser.parse_args(argv)
    if args.protocol == "published" and args.steps and not scarce.is_scarce(args):
        parser.error("--steps: the published protocol sets its own steps; they go with --protocol fair")
    if args.protocol == "fair" and args.select:
        parser.error("--select: the fair protocol keeps the last weights; it goes with --protocol published")
    args.aug = args.aug or args.bad is not None  # Deviation 10
    if args.augmenter == "graph" and (not args.aug or args.bad is not None):
        parser.error("--augmenter graph: goes with --aug; the layer rotates and shifts, --bad does more")
    scarce.check(parser, args)
    if args.page_size and (not args.vae or args.injection == "all"):
        parser.error("--page-size: pages need -vae GEN and --injection pages")
    return args


def plan(args, num_train, num_generated):
    """The schedule that the flags ask for."""
    arm = protocols.name_arm(args.vae, args.aug, args.chain, args.model)
    equal_steps = arm, args.e, args.steps or 3000, args.b, args.injection, args.page_size
    if args.protocol == "fair":
        return protocols.fair(*equal_steps)
    if scarce.is_scarce(args):
        return protocols.scarce(*equal_steps, select=args.select)
    return protocols.published(
        arm, num_train, num_generated, args.e or 60, args.b, args.injection, args.page_size, args.select
    )


def show(result, report, out):
    """Prints what a finished run found, in the original's six lines."""
    print(report)
    lines = {"Loss": "loss", "Acc": "accuracy", "Precision": "precision", "Recall": "recall", "F1": "f1"}
    for word, key in lines.items():
        print(f"{word:<10}{result['scores'][key]:.4f}")
    print(f"{'Support':<10}{result['scores']['support']}")
    remark = f" ({result['remark']})" if result["remark"] else ""
    print(f"{result['arm']}, {result['protocol']} protocol{remark}: {result['steps']} optimiser steps, {out}")


def fit(args, schedule, real, test, generated, extras, num_classes):
    """Builds, trains and tests the network: the model, its history, the epoch kept, probabilities, chain facts."""
    scope = backend.configure(args.seed, args.devices, args.deterministic, args.precision)
    import keras  # and what needs it, once the back end is configured

    from cnn import augmentation, models, training
    from cnn.affine import RandomAffine

    pixels = real[0]
    real, test = classifier_data.as_batch(*real, num_classes), classifier_data.as_batch(*test, num_classes)
    if generated:
        album, labels = generated
        images = album[range(len(album))] if schedule.page_size < 0 else album  # all at once, or a page an epoch
        generated = images, np.eye(num_classes, dtype=np.float32)[labels]
    in_graph, augment, seed = args.augmenter == "graph", None, backend.derive_seed(args.seed, "augmentation")
    if schedule.augmented and not in_graph:
        settings = presets.SUITABLE if args.bad is None else presets.inexpert(args.bad)
        augment = augmentation.Augmentation(real[0], seed, settings)
    batches = injection.batches(real, generated, schedule, backend.derive_seed(args.seed, "batches"), augment)
    with scope():
        network = model = models.build(args.model, real[0].shape[1:], num_classes, args.noise)
        if in_graph:
            model = keras.Sequential(
                [keras.Input(real[0].shape[1:]), RandomAffine(**presets.SUITABLE, seed=seed), network]
            )
        training.compile_classifier(model, 1 if args.chain else schedule.steps_per_epoch)
    joined = scarce.join(args, schedule.epochs, extras, model, pixels, real[1], batches, augment)
    callbacks = joined.callbacks + ([keras.callbacks.TensorBoard(args.tensorboard)] if args.tensorboard else [])
    total = schedule.epochs * schedule.steps_per_epoch
    with cli.progress(total=total, unit="step", desc=schedule.arm, disable=args.v) as bar:
        history, kept = training.train(
            model,
            joined.batches,
            schedule,
            test,
            callbacks,
            int(args.v),
            bar.update,
            in_step=bool(joined.labelling),
            as_dataset=backend.as_dataset,
        )
    probabilities = network.predict(test[0], batch_size=training.EVALUATION_BATCH, verbose=0)
    return network, history, kept, probabilities, scarce.facts(args, extras, joined)


def save_result(folder, result, report, history):
    """Writes the numbers and their pictures into the run folder."""
    runs.write_json(folder / "result.json", result)
    (folder / "report.txt").write_text(report, encoding="utf-8", errors="replace")
    history.to_csv(folder / "history.csv", index=False)
    panels = [("cross-entropy (nats an image)", ["loss", "val_loss"]), ("accuracy", ["accuracy", "val_accuracy"])]
    plots.curves(folder / "curves.png", history, panels)
    title = f"{result['arm']}, {result['protocol']}: macro F1 {result['scores']['f1']:.4f}"
    plots.confusion(folder / "confusion.png", np.array(result["confusion"]), result["classes"], title)


def main(argv=None):
    args = parse_args(argv)
    arm = protocols.name_arm(args.vae, args.aug, args.chain, args.model)
    variant = "".join([f"-bad{args.bad or ''}" * (args.bad is not None), f"-by-{args.select}" * bool(args.select)])
    variant = scarce.variant(args) + variant + "-graph" * (args.augmenter == "graph")
    out = Path(args.out or f"runs/{arm}{variant}-{args.protocol}-{args.limtr}-seed{args.seed}".lower())
    for folder in filter(None, (args.path, args.vae, args.chain, args.unlabelled)):
        runs.refuse_overlap(out, folder)
    schedule, train_files, real, test, generated, extras = classifier_data.read(args, plan)
    class_names = list(train_files)
    settings = {
        "schedule": dataclasses.asdict(schedule),
        "bad": args.bad,
        "precision": args.precision,
        "size": args.size,
        "color": args.color,
        "seed": args.seed,
        "deterministic": args.deterministic,
        **scarce.settings(args),
    }
    if args.augmenter != "generator":
        settings["augmenter"] = args.augmenter
    data = {"train": albums.fingerprint(*real), "test": albums.fingerprint(*test)}
    if generated:
        data["generated"] = generated[0].fingerprint(generated[1])
    data |= scarce.fingerprints(extras)
    if runs.finished(out, settings, data):
        print(f"{out} is done already")
        show(runs.read_json(out / "result.json"), (out / "report.txt").read_text(encoding="utf-8"), out)
        return

    with runs.writing(out, settings, data) as folder:
        started = time.perf_counter()
        model, history, kept, probabilities, facts = fit(
            args, schedule, real, test, generated, extras, len(class_names)
        )
        report = metrics.report(probabilities, test[1], class_names)
        result = {
            "arm": schedule.arm,
            "protocol": schedule.protocol,
            "remark": schedule.remark,
            **facts,
            "scores": metrics.scores(probabilities, test[1]),
            "images": {"train": len(real[0]), "test": len(test[0]), "generated": len(generated[0]) if generated else 0},
            "steps": len(history) * schedule.steps_per_epoch,
            "epochs": len(history),
            "epoch_kept": kept,
            "seconds": round(time.perf_counter() - started, 1),
            "classes": class_names,
            "confusion": metrics.confusion(probabilities, test[1]).tolist(),
        }
        model.save(folder / "model.keras")
        selection.save_list(folder / "subset.json", subset=train_files)
        save_result(folder, result, report, history)
    show(result, report, out)


if __name__ == "__main__":
    cli.run(main)
