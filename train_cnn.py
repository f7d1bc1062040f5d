"""Trains a classifier on real images, with or without what joins them, and tests it.

Reads   <path>/train/<class>/*.png, <path>/test/<class>/*.png, and with -vae <vae>/<class>/*.png
Writes  <out>/: result.json, report.txt, model.keras, predictions.npz, history.csv, curves.png, confusion.png,
        subset.json; with --no-test no report, predictions and confusion matrix

Four arms: CNN (neither flag), VAE (-vae), AUG (--aug), AUG+VAE (both). Three protocols: `fair` gives every arm equal
steps and looks at the test set once; `validated` keeps the weights that do best on <path>/validation; `published` is
the released code of the thesis, which picks its weights on the test set, or with --paper scarce the protocol of Maronas
2018. For very scarce data there are other classifiers, with Markov chains from the training images (-chain) or, the
ladder network, with unlabelled images.

Example python train_cnn.py -path data -vae gen/ --aug -limtr 5
        3,000 steps on 50 digits and pages of generated ones: F1 0.9109 after 9 min on 2 cores busy with other work
"""

import common.interrupts  # noqa: F401  first: Ctrl-C while the rest is imported ends in one line

# isort: split

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import arms
import train_cnn_flags
from arms import generated
from arms.arm import Reading, Training
from cnn import hand_made, injection, losses, metrics, models, presets, protocols
from common import archives, backend, cli, plots, runs
from images import albums, codec, folders, reading, selection


def parse_args(argv=None):
    parser = cli.ArgumentParser(__doc__)
    train_cnn_flags.add_data_arguments(parser.add_argument_group("images"))
    train_cnn_flags.add_training_arguments(parser.add_argument_group("classifier and training"))
    arms.add_arguments(parser)
    parser.add_argument("--verbose", "--v", action="store_true", help="show Keras' progress instead of one bar")
    parser.add_argument("--tensorboard", metavar="DIR", help="write TensorBoard logs to DIR")
    parser.add_argument("--out", help="run folder (default: runs/<arm>-<protocol>-<images per class>-seed<seed>)")
    backend.add_arguments(parser)
    args = parser.parse_args(argv)
    if args.bad is not None and args.aug not in (None, "suitable"):
        parser.error(f"--bad: inexpert settings take the place of --aug {args.aug}; give one of them")
    args.aug = args.aug or (None if args.bad is None else "suitable")  # Deviation 10
    arms.check(parser, args)
    args.paper = args.paper or arms.paper(args) or models.find(args.model).paper
    train_cnn_flags.check(parser, args)
    return args


@dataclass(frozen=True)
class Files:
    """The images that a training uses, listed: {class: paths} of each part, `validation` None without one."""

    train: dict
    test: dict
    validation: dict | None
    generated: tuple  # paths and labels, in the order in which pages take them


def list_files(args):
    """Lists the images that the flags name, without reading one."""
    roots = {part: Path(args.path) / part for part in ("train", "test", "validation")}
    if args.no_test:
        roots["train"] = folders.training_root(args.path)
    train, test = folders.list_images(roots["train"]), {}
    if not args.no_test:
        test = folders.list_images(roots["test"])
        folders.check_same_classes(train, test, roots["train"], roots["test"])
    validation = None
    if args.protocol == "validated":
        validation = folders.list_images(roots["validation"])
        folders.check_same_classes(train, validation, roots["train"], roots["validation"])
        each = max(1, args.validation_images // len(train)) if args.validation_images else -1
        validation = selection.draw_subset(validation, each, args.seed)
    if args.subset:
        train = selection.load_list(args.subset, train, "subset")
    else:
        train = selection.draw_subset(train, args.images_per_class, args.seed)
    test = selection.draw_subset(test, args.test_images_per_class, args.seed)
    made = generated.list_files(args.vae, list(train), args.seed) if args.vae else ([], [])
    return Files(train, test, validation, made)


def plan(args, files):
    """The schedule that the flags ask for."""
    if args.model in models.FITTED:
        return protocols.fitted(args.model, args.batch_size)
    arm = protocols.name_arm(arms.names(args), args.aug)
    num_train, num_generated = sum(map(len, files.train.values())), len(files.generated[0])
    layout = args.batch_size, args.injection, args.page_size
    if args.protocol == "fair":
        return protocols.fair(arm, args.epochs, args.steps or 3000, *layout)
    if args.protocol == "validated":
        page = protocols.count_injected(arm, args.injection, args.page_size)
        per_pass = num_train + (num_generated if page < 0 else page)
        every = args.validate_every or 1
        return protocols.validated(arm, per_pass, args.epochs, args.steps, *layout, evaluate_every=every)
    if args.paper == "scarce":
        return protocols.scarce(arm, args.epochs, args.steps or 3000, *layout, select=args.select)
    return protocols.published(arm, num_train, num_generated, args.epochs or 60, *layout, args.select)


@dataclass(frozen=True)
class Part:
    """Images of one part: an album, uint8 in memory or on disk, and the place of each image's class among them."""

    images: object
    labels: np.ndarray
    num_classes: int

    def one_hot(self, labels=None):
        """One-hot labels, float32 `(num_images, num_classes)`: of its images, or of the places `labels`."""
        return np.eye(self.num_classes, dtype=np.float32)[self.labels if labels is None else labels]

    def fingerprint(self):
        return self.images.fingerprint(self.labels)


def read_parts(args, files):
    """Reads the real images: {"train" and, where there are such, "test" and "validation": `Part`}."""
    parts = {}
    for name in ("train", "test", "validation"):
        if listed := getattr(files, name):
            album, labels = albums.open_classes(listed, args.size, args.color)
            source = Path(args.path) / name
            parts[name] = Part(albums.binary(album, source) if args.binarise else album, labels, len(listed))
    codec.check_same_shape({Path(args.path) / name: part.images.shape[1:] for name, part in parts.items()})
    for name in list(parts)[1:]:
        if shared := albums.count_shared(parts[name].images, parts["train"].images):
            total = len(parts[name].labels)
            print(f"{Path(args.path) / name}: {shared} of {total} images are training images too; scores are too good")
    return parts


def build(args, train, seed):
    """Builds the network, and the model that trains it: with --augmenter graph the augmentation layer in front.

    `train` is the training part, by whose images some networks normalise, and `seed` is the network's.
    """
    import keras

    from cnn.affine import RandomAffine

    entry, options, image_shape = models.TABLE[args.model], {}, train.images.shape[1:]
    if entry.normalised:
        options["pixels"] = albums.statistics(train.images)
    if args.weights:
        options["weights"] = args.weights
    guard = contextlib.nullcontext()
    if args.weights:
        file = None if args.weights == "imagenet" else args.weights
        guard = archives.loading_weights("ResNet-50 without top", "--weights imagenet", "--weights", file)
    with guard:
        network = models.build(args.model, image_shape, train.num_classes, args.noise, args.width, **options)
    if args.augmenter != "graph":
        return network, network
    layer = RandomAffine(**presets.SUITABLE, seed=backend.derive_seed(seed, "augmentation"))
    return network, keras.Sequential([keras.Input(image_shape), layer, network])


def loss_of(args, joined):
    """The name of the loss: that of an arm that needs one of its own, else that of --loss."""
    return next((arm.loss for arm in joined if arm.loss), args.loss)


def recipe_of(args):
    """The classifier's recipe, with the flags' learning rate and weight decay."""
    return models.find(args.model).recipe.changed(args.rate, args.weight_decay)


def make_augmentation(args, images, seed):
    """Classic augmentation outside the graph."""
    if args.aug != "suitable":
        return hand_made.HandMade(presets.PRESETS[args.aug], seed)
    from cnn import augmentation

    settings = presets.SUITABLE if args.bad is None else presets.inexpert(args.bad)
    return augmentation.Augmentation(images, seed, settings)


def fit(args, schedule, parts, joined):
    """Builds and trains the network: the network, a DataFrame of its epochs, and the epoch that is kept.

    With --networks it is the average of several, and the DataFrame has a column `network`, from 1.
    """
    scope = backend.configure(args.seed, args.devices, args.deterministic, args.precision)
    if args.model in models.FITTED:
        empty = pd.DataFrame(columns=["epoch", "loss", "accuracy"])
        return fit_at_once(args, parts["train"]), empty, 0
    trained = [train_one(args, schedule, parts, joined, scope, k) for k in range(args.networks)]
    if len(trained) == 1:
        return trained[0]
    from cnn import ensemble

    networks, histories, kept = zip(*trained, strict=True)
    history = pd.concat([table.assign(network=k) for k, table in enumerate(histories, 1)], ignore_index=True)
    return ensemble.average(networks), history, kept[0]


def make_batches(args, schedule, train, joined, seed):
    """Makes the stream of batches that the arms join, and the augmentation in it, None without one."""
    augment = None
    if args.aug and args.augmenter == "generator":
        augment = make_augmentation(args, train.images, backend.derive_seed(seed, "augmentation"))
    pages = next((arm.pages for arm in joined if arm.pages), None)
    if pages:
        pages = pages[0], train.one_hot(pages[1])
    real, seed = (train.images, train.one_hot()), backend.derive_seed(seed, "batches")
    return injection.batches(real, pages, schedule, seed, augment), augment


def train_one(args, schedule, parts, joined, scope, place):
    """Builds and trains one network, as `fit` says; `place`, from 0, is that among those of --networks."""
    import keras  # and what needs it, once the back end is configured

    from cnn import objectives, training

    own_seed = args.seed
    if place:
        own_seed = backend.derive_seed(args.seed, f"network {place + 1}")
        backend.set_seeds(own_seed)
    train, recipe = parts["train"], recipe_of(args)
    batches, augment = make_batches(args, schedule, train, joined, own_seed)
    in_step = any(arm.in_step for arm in joined)
    with scope():
        network, model = build(args, train, own_seed)
        if args.loss != "ce":
            objectives.give_logits(network)
        loss = loss_of(args, joined)
        at_once = 1 if in_step else schedule.steps_per_epoch
        training.compile_classifier(model, at_once, recipe, loss, schedule.steps())
    if any(arm.one_device for arm in joined):
        backend.check_one_device(model, f"--devices {args.devices}: with -chain, --mix mixmatch or --model ladder")
    for arm in joined:
        batches = arm.join(batches, Training(model, train.images, train.one_hot(), own_seed, augment))
    callbacks = [callback for arm in joined for callback in arm.callbacks()]
    callbacks += [keras.callbacks.TensorBoard(args.tensorboard)] if args.tensorboard else []
    watched = parts.get("validation" if args.protocol == "validated" else "test")
    name = f"{schedule.arm} {place + 1}/{args.networks}" if args.networks > 1 else schedule.arm
    with cli.progress(total=schedule.steps(), unit="step", desc=name, disable=args.verbose) as bar:
        history, kept = training.train(
            model,
            batches,
            schedule,
            watched and (watched.images, watched.one_hot()),
            callbacks,
            int(args.verbose),
            bar.update,
            in_step=in_step,
            as_dataset=backend.as_dataset,
            recipe=recipe,
        )
    if loss != "ce":
        objectives.finish(network)
    return network, history, kept


def fit_at_once(args, train):
    """Fits a classifier that takes no optimiser steps."""
    guard = contextlib.nullcontext()
    if args.model == "imagenet":
        guard = archives.loading_weights("MobileNetV2", "--model imagenet", "--pretrained", args.pretrained)
    with guard:
        return models.fit(args.model, train.images, train.labels, train.num_classes, args.pretrained)


def average_views(args, network, parts):
    """Tests a network by the mean over views of every test image: facts for result.json."""
    from cnn import evaluation

    part = parts["test"]
    augment = make_augmentation(args, parts["train"].images, backend.derive_seed(args.seed, "views"))
    probabilities = evaluation.averaged(network, part.images, augment, args.views)
    return {"count": args.views, "scores": metrics.scores(probabilities, part.labels)}


def evaluate(network, part, files, class_names):
    """Tests a network: facts for result.json, the report as text, and arrays of the predictions.

    The arrays are `files` (`<class>/<name>`), `labels` (integers) and `probabilities` (float32), in one order.
    """
    from cnn import evaluation

    probabilities, labels = evaluation.probabilities(network, part.images), part.labels
    facts = {
        "scores": metrics.scores(probabilities, labels),
        "confusion": metrics.confusion(probabilities, labels).tolist(),
    }
    names = [f"{name}/{path.name}" for name, paths in files.items() for path in paths]
    arrays = {"files": np.array(names), "labels": labels, "probabilities": probabilities}
    return facts, metrics.report(probabilities, labels, class_names), arrays


def save_result(folder, result, history, report, predictions, title):
    """Writes the numbers and their pictures into the run folder; `predictions` is None where nothing was tested.

    `title` says what the loss is.
    """
    runs.write_json(folder / "result.json", result)
    history.to_csv(folder / "history.csv", index=False)
    panels = [(title, ["loss", "val_loss"]), ("accuracy", ["accuracy", "val_accuracy"])]
    shown = history.groupby("epoch", as_index=False).mean() if "network" in history else history
    plots.curves(folder / "curves.png", shown, panels)
    if predictions is None:
        return
    (folder / "report.txt").write_text(report, encoding="utf-8", errors="replace")
    np.savez_compressed(folder / "predictions.npz", **predictions)
    title = f"{result['arm']}, {result['protocol']}: macro F1 {result['scores']['f1']:.4f}"
    plots.confusion(folder / "confusion.png", np.array(result["confusion"]), result["classes"], title)


def show(result, out):
    """Prints what the finished run in the folder `out` found, in the original's six lines."""
    if result["scores"]:
        print((out / "report.txt").read_text(encoding="utf-8"))
        lines = {"Loss": "loss", "Acc": "accuracy", "Precision": "precision", "Recall": "recall", "F1": "f1"}
        for word, key in lines.items():
            print(f"{word:<10}{result['scores'][key]:.4f}")
        print(f"{'Support':<10}{result['scores']['support']}")
    if views := result.get("views"):
        print(f"F1 by the mean over each image and {views['count']} transformed copies: {views['scores']['f1']:.4f}")
    remark = f" ({result['remark']})" if result["remark"] else ""
    several = f" of {result['networks']} networks" if "networks" in result else ""
    steps = f"{result['steps']} optimiser steps{several}"
    print(f"{result['arm']}, {result['protocol']} protocol{remark}: {steps}, {out}")


def main(argv=None):
    args = parse_args(argv)
    out = Path(args.out or train_cnn_flags.default_out(args))
    for folder in (args.path, *arms.folders(args)):
        runs.refuse_overlap(out, folder)
    files = list_files(args)
    class_names = list(files.train)
    schedule = plan(args, files)
    parts = read_parts(args, files)
    source, train = folders.training_root(args.path), parts["train"].images
    known = tuple(class_names), files.train, train
    joined = arms.read(args, Reading(source, train.shape[1:], schedule, files.generated, *known))
    settings = train_cnn_flags.settings_of(args, schedule, joined)
    data = {name: part.fingerprint() for name, part in parts.items()}
    files_of_weights = {"weights": args.weights if args.weights != "imagenet" else None, "pretrained": args.pretrained}
    for name, path in files_of_weights.items():
        data |= {name: albums.fingerprint(np.fromfile(path, np.uint8))} if path else {}
    for arm in joined:
        data |= arm.data
    if runs.finished(out, settings, data, prose=("schedule.remark",)):
        print(f"{out} is done already")
        show(runs.read_json(out / "result.json"), out)
        return

    with runs.writing(out, settings, data) as folder:
        started = time.perf_counter()
        network, history, kept = fit(args, schedule, parts, joined)
        facts, report, predictions = {"scores": None, "confusion": None}, "", None
        if "test" in parts:
            facts, report, predictions = evaluate(network, parts["test"], files.test, class_names)
        pages = next((arm.pages for arm in joined if arm.pages), None)
        epochs = len(history) // args.networks
        result = {
            "arm": schedule.arm,
            "protocol": schedule.protocol,
            "remark": schedule.remark,
            "model": args.model,
            **{name: fact for arm in joined for name, fact in arm.facts().items()},
            "scores": facts["scores"],
            "images": {
                "train": len(parts["train"].labels),
                "test": len(parts["test"].labels) if "test" in parts else 0,
                "generated": len(pages[1]) if pages else 0,
            },
            "steps": args.networks * schedule.steps(epochs),
            "epochs": epochs,
            "epoch_kept": kept,
            "seconds": round(time.perf_counter() - started, 1),
            "classes": class_names,
            "confusion": facts["confusion"],
        }
        trained = [path for paths in files.train.values() for path in paths]
        levels = reading.white_level(trained)
        result |= {"levels": levels} if levels else {}
        result |= {"black_and_white": reading.has_black_and_white(trained)}
        result |= {"networks": args.networks} if args.networks > 1 else {}
        result |= {"views": average_views(args, network, parts)} if args.views else {}
        archives.save_model(network, folder / "model.keras")
        selection.save_list(folder / "subset.json", subset=files.train)
        title = losses.title(loss_of(args, joined), recipe_of(args).weight_decay)
        save_result(folder, result, history, report, predictions, title)
    show(result, out)


if __name__ == "__main__":
    cli.run(main)
