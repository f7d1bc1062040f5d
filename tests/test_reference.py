"""The scripts against the plainest loops that do the same: one process, one machine, no number of another processor.

The scripts fetch batches ahead, run several steps or whole epochs in one graph and read generated images a page at a
time. The loops here take one batch after another. Batches have to be equal bit by bit; weights may differ by what
rounding makes of a few steps.
"""

import json
from itertools import chain, islice

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import write_digits

import train_cnn
import train_vae
from cnn import augmentation, injection, models, protocols
from common import backend
from images import albums, codec, folders, selection
from vae_aug import training

pytestmark = [  # Keras' ImageDataGenerator uses an old name of SciPy's, and its saving an old protocol of NumPy's
    pytest.mark.filterwarnings("ignore:Please (import|use) `affine_transform`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
SEED = 42  # the scripts' default
CLASSES = ("0", "1", "2")
NUM_REAL, BATCH_SIZE, EPOCHS = 15, 8, 3
ATOL = 1e-4  # a step of Adam moves a weight by about 1e-3

# Worked out by hand, 15 real images in batches of 8: arm, protocol, steps an epoch, generated images an epoch, whether
# batches are always full, what picks the weights. As published, a pass over 15 + 10 images is ceil(25 / 8) = 4 steps;
# augmented, an epoch has as many steps as there are real images.
TRAININGS = [
    ("CNN", "fair", 4, 0, True, None),
    ("VAE", "fair", 4, 10, True, None),
    ("AUG", "fair", 4, 0, True, None),
    ("AUG+VAE", "fair", 4, 10, True, None),
    ("CNN", "published", 2, 0, False, "val_loss"),
    ("VAE", "published", 4, 10, False, "val_accuracy"),
    ("AUG", "published", 15, 0, False, "val_loss"),
    ("AUG+VAE", "published", 15, 0, False, "val_accuracy"),
]
SLOW = (("AUG", "published"), ("AUG", "fair"), ("VAE", "fair"))  # AUG+VAE has all that they have
each_training = pytest.mark.parametrize(
    ("arm", "protocol", "steps", "page_size", "full_batches", "monitor"),
    [pytest.param(*row, marks=pytest.mark.slow) if row[:2] in SLOW else row for row in TRAININGS],
    ids=str,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Class folders of real digits in `data`, and others in `others`, which stand for generated images."""
    root = tmp_path_factory.mktemp("reference")
    write_digits(root / "data", side=8)
    write_digits(root / "others", num_train=17, num_test=0, side=8)
    for path in (root / "others" / "train").glob("*/*.png"):
        if (root / "data" / "train" / path.parent.name / path.name).exists():
            path.unlink()
    return root


def one_hot(labels):
    return np.eye(len(CLASSES), dtype=np.float32)[labels]


@pytest.fixture(scope="module")
def arrays(root):
    """What those folders hold: the 15 real images that are drawn, the 12 test images, the generated ones in order."""
    drawn = selection.draw_subset(folders.list_images(root / "data" / "train"), NUM_REAL // len(CLASSES), SEED)
    parts = drawn, *(folders.list_images(root / part) for part in ("data/test", "others/train"))
    real, test, generated = (
        (codec.to_float(images), one_hot(labels)) for images, labels in map(albums.read_classes, parts)
    )
    order = np.random.default_rng(backend.derive_seed(SEED, "pages")).permutation(len(generated[0]))
    return real, test, (generated[0][order], generated[1][order])


def epochs_of_batches(real, generated, steps, page_size, full_batches, augment):
    """The batches of each epoch, put together image by image: lists of (images, labels)."""
    rng, start = np.random.default_rng(backend.derive_seed(SEED, "batches")), 0
    while True:
        pool = list(zip(*real, strict=True))
        pool += [
            (generated[0][k % len(generated[0])], generated[1][k % len(generated[0])])
            for k in range(start, start + page_size)
        ]
        start += page_size
        batches, batch = [], []
        while len(batches) < steps:
            for place in rng.permutation(len(pool)):
                batch.append(pool[place])
                if len(batch) == BATCH_SIZE:
                    batches.append(batch)
                    batch = []
            if batch and not full_batches:
                batches.append(batch)
                batch = []
        pairs = [tuple(map(np.stack, zip(*batch, strict=True))) for batch in batches[:steps]]
        yield [(augment(x) if augment else x, y) for x, y in pairs]


def make_augmentation(arm, real):
    if not arm.startswith("AUG"):
        return None
    return augmentation.Augmentation(real[0], backend.derive_seed(SEED, "augmentation"))


def make_schedule(arm, protocol):
    if protocol == "fair":
        return protocols.fair(arm, EPOCHS, 12, BATCH_SIZE, page_size=10)
    return protocols.published(arm, NUM_REAL, 36, EPOCHS, BATCH_SIZE, page_size=10)


@pytest.fixture(scope="module")
def plain_epochs(arrays):
    """The batches of five epochs of each training: five pages of ten, so that the 36 generated images start anew.

    They are made before anything fetches batches ahead in a thread, for augmentation draws from NumPy's global state.
    """
    real, _, generated = arrays
    return {
        (arm, protocol): list(
            islice(epochs_of_batches(real, generated, *settings, make_augmentation(arm, real)), EPOCHS + 2)
        )
        for arm, protocol, *settings, _ in TRAININGS
    }


@each_training
def test_batches_fetched_ahead_are_those_of_the_plain_loop(
    arrays, plain_epochs, arm, protocol, steps, page_size, full_batches, monitor
):
    real, _, generated = arrays
    schedule = make_schedule(arm, protocol)
    assert (schedule.steps_per_epoch, schedule.page_size, schedule.monitor) == (steps, page_size, monitor)
    assert schedule.full_batches == full_batches
    seed, augment = backend.derive_seed(SEED, "batches"), make_augmentation(arm, real)
    found = iter(backend.as_dataset(injection.batches(real, generated, schedule, seed, augment)))
    for images, labels in chain.from_iterable(plain_epochs[arm, protocol]):
        found_images, found_labels = (tensor.numpy() for tensor in next(found))
        np.testing.assert_array_equal(found_images, images)
        np.testing.assert_array_equal(found_labels, labels)
        assert found_images.dtype == np.float32


def build_classifier():
    backend.set_seeds(SEED)
    model = models.build("thesis", (8, 8, 1), len(CLASSES))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.fixture(scope="module")
def fresh_classifier():
    """Gives a network as a script builds it, weights, noise and optimiser fresh each time; graphs are traced once."""
    model = build_classifier()

    def get():
        fresh = build_classifier()
        for part, other in ((model, fresh), (model.optimizer, fresh.optimizer)):
            for variable, value in zip(part.variables, other.variables, strict=True):
                variable.assign(value)
        return model

    return get


def train_plainly(model, epochs, test, monitor):
    """One `train_on_batch` after another: the weights kept, rows of the history, the epoch kept."""
    history, weights = [], []
    for batches in epochs:
        sums = np.zeros(2)
        for images, labels in batches:
            model.reset_metrics()
            sums += np.array(model.train_on_batch(images, labels)) * len(images)
        row = dict(zip(("loss", "accuracy"), sums / sum(len(labels) for _, labels in batches), strict=True))
        if monitor:
            row |= dict(zip(("val_loss", "val_accuracy"), model.evaluate(*test, verbose=0), strict=True))
        history.append(row)
        weights.append(model.get_weights())
    kept = len(history) - 1
    if monitor:
        kept = {"val_loss": np.argmin, "val_accuracy": np.argmax}[monitor]([row[monitor] for row in history])
    return weights[kept], history, kept + 1


def classify(root, out, arm, protocol):
    """Runs train_cnn.py: the weights kept, the history, the result."""
    flags = ["-path", root / "data", "-limtr", 5, "-limte", -1, "-b", BATCH_SIZE, "-e", EPOCHS]
    flags += ["--steps", 12] if protocol == "fair" else ["--protocol", "published"]
    if "VAE" in arm:
        flags += ["-vae", root / "others" / "train", "--page-size", 10]
    if "AUG" in arm:
        flags += ["--aug"]
    train_cnn.main([*map(str, flags), "--out", str(out)])
    weights = keras.saving.load_model(out / "model.keras").get_weights()
    return weights, pd.read_csv(out / "history.csv"), json.loads((out / "result.json").read_text())


def distance(weights, others):
    return max(np.abs(weight - other).max() for weight, other in zip(weights, others, strict=True))


@each_training
def test_a_classifier_is_the_one_of_the_plain_loop(
    arrays, plain_epochs, fresh_classifier, root, tmp_path, arm, protocol, steps, page_size, full_batches, monitor
):
    del page_size, full_batches  # the batches' business
    epochs = plain_epochs[arm, protocol][:EPOCHS]
    expected, rows, kept = train_plainly(fresh_classifier(), epochs, arrays[1], monitor)
    weights, history, result = classify(root, tmp_path / "run", arm, protocol)
    assert distance(weights, expected) < ATOL
    assert result["steps"] == EPOCHS * steps
    assert result["epoch_kept"] == kept
    assert set(history) == {"epoch", *rows[0]}
    for name in rows[0]:
        np.testing.assert_allclose(history[name], [row[name] for row in rows], rtol=1e-3, err_msg=name)


def test_vaes_of_two_classes_are_those_of_the_plain_loop(root, tmp_path):
    epochs, out = 6, tmp_path / "models"
    flags = ["--all", "--part", "1/2", "-path", root / "data", "--images", 6, "--epochs", epochs, "--latent", 2]
    train_vae.main([*map(str, flags), "--out", str(out)])
    for name in CLASSES[:2]:  # the second one starts anew in the first one's graph
        files = json.loads((out / name / "split.json").read_text())
        train, validation = (
            codec.to_float(albums.read_images([root / "data/train" / name / file for file in files[part][name]]))
            for part in ("train", "validation")
        )
        assert (len(train), len(validation)) == (5, 1)  # 16 % of six, rounded up
        seed = backend.derive_seed(SEED, name)
        backend.set_seeds(seed)
        model = training.build("conv", (8, 8, 1), 2, seed=seed)
        model.run_eagerly = True
        rng, losses = np.random.default_rng(seed), []
        for _ in range(epochs):  # one batch holds all five images; validation draws noise too
            row = []
            for step, images in (
                (model.train_on_batch, train[rng.permutation(len(train))]),
                (model.test_on_batch, validation),
            ):
                model.reset_metrics()
                row.append(step(images, return_dict=True)["loss"])
            losses.append(row)
        found = pd.read_csv(out / name / "loss.csv")[["loss", "val_loss"]]
        np.testing.assert_allclose(found, losses, rtol=1e-4)
        saved = keras.saving.load_model(out / name / "decoder.keras")
        assert distance(saved.get_weights(), model.decoder.get_weights()) < 2e-3  # a first step of RMSprop is 0.003
