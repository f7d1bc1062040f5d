"""MixMatch: guesses, blending, weights and loss by hand; the average of weights; as train_cnn.py runs it."""

import contextlib
import json
import shutil

import keras
import numpy as np
import pytest
from conftest import write_digits

import arms
import train_cnn
from arms.arm import Reading
from cnn import averaging, mixmatch, models, objectives, protocols, recipes, training
from images import albums, folders

EYE = np.eye(3, dtype=np.float32)


def stream(images, labels):
    while True:
        yield images, labels


def test_sharpening_by_hand():
    found = mixmatch.sharpen(np.array([[0.5, 0.3, 0.2], [1, 0, 0]]))
    np.testing.assert_allclose(found, [[25 / 38, 9 / 38, 4 / 38], [1, 0, 0]])  # squares, normalised
    np.testing.assert_allclose(mixmatch.sharpen(np.array([[0.5, 0.5]]), 1.0), [[0.5, 0.5]])


def test_every_image_stays_mostly_itself():
    count = 3000
    images = np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1)
    labels = np.eye(count, dtype=np.float32)
    x, y = mixmatch.blend(images, labels, np.random.default_rng(0))
    share = np.diag(y)
    assert share.min() >= 0.5
    # of Beta(a, a), a = 0.75, the mean of max(s, 1 - s), by SciPy's integral
    from scipy import integrate, stats

    law = stats.beta(0.75, 0.75)
    mean = 2 * integrate.quad(lambda s: s * law.pdf(s), 0.5, 1)[0]
    assert share.mean() == pytest.approx(mean, abs=0.01)
    partner = np.where(share < 1, (y - np.diag(share)).argmax(axis=1), np.arange(count))
    expected = share * np.arange(count) + (1 - share) * partner
    np.testing.assert_allclose(x[:, 0, 0, 0], expected, rtol=1e-4, atol=1e-2)


def test_a_step_by_hand(monkeypatch):
    monkeypatch.setattr(mixmatch, "blend", lambda images, labels, rng: (images, labels))
    unlabelled = np.arange(5, dtype=np.float32).reshape(5, 1, 1, 1) / 10
    asked, added = [], iter([0.01, 0.02, 0.03, 0.04])

    def classify(images):
        asked.append(images)
        return np.where(images[:, 0, 0] * 100 % 10 < 1.5, [[0.8, 0.2, 0]], [[0.4, 0.2, 0.4]]).astype(np.float32)

    arm = mixmatch.MixMatch(unlabelled, classify, lambda images: images + next(added), 4, 0)
    batches = arm.batches(stream(np.ones((2, 1, 1, 1), np.float32), EYE[[0, 2]]))
    x, targets = next(batches)
    assert x.shape == (6, 1, 1, 1)
    np.testing.assert_array_equal(x[:2], 1)
    np.testing.assert_allclose(x[4:6] - x[2:4], 0.01, atol=1e-6)  # two copies of the same two images
    np.testing.assert_array_equal(asked[0], x[2:])
    # the guess is the mean (0.6, 0.2, 0.2) of the copies' predictions, squared and normalised: 36, 4, 4 of 44
    np.testing.assert_allclose(targets[2:, :3], np.tile([[36 / 44, 4 / 44, 4 / 44]], (4, 1)), rtol=1e-5)
    np.testing.assert_array_equal(targets[:2, :3], EYE[[0, 2]])
    np.testing.assert_allclose(targets[:, 3], [3, 3, 0, 0, 0, 0])  # mean over 6 rows: 1 over the 2 labelled ones
    np.testing.assert_allclose(targets[:, 4], 0)  # the ramp begins at 0
    _, targets = next(batches)
    np.testing.assert_allclose(targets[2:, 4], 75 / 4 * 6 / 4)  # a quarter of the way
    assert sorted(np.round(np.concatenate([x[:2] for x in (asked[0], asked[1])]).ravel() * 10).astype(int)) == sorted(
        set(np.round(np.concatenate([x[:2] for x in (asked[0], asked[1])]).ravel() * 10).astype(int))
    )  # a pass shows no image twice


def test_the_loss_by_hand():
    labels = np.array([[0.9, 0.1], [0.25, 0.75]], np.float32)
    probabilities = np.array([[0.5, 0.5], [0.75, 0.25]], np.float32)
    targets = np.concatenate([labels, [[2, 0], [0, 8]]], axis=1).astype(np.float32)
    found = np.array(objectives.mixmatch(keras.ops.array(targets), keras.ops.array(probabilities)))
    np.testing.assert_allclose(found, [2 * np.log(2), 8 * 0.25], rtol=1e-5)
    alone = np.array(objectives.mixmatch(keras.ops.array(labels), keras.ops.array(probabilities)))
    np.testing.assert_allclose(alone, [np.log(2), -0.25 * np.log(0.75) - 0.75 * np.log(0.25)], rtol=1e-5)
    measure = objectives.accuracy(keras.ops.array(targets), keras.ops.array(probabilities))
    np.testing.assert_array_equal(np.array(measure), [1, 0])


def test_the_average_judges_and_the_own_weights_train():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    average = averaging.Average(decay=0.5)
    average.set_model(model)
    weights = []
    for step, value in enumerate((1.0, 2.0, 4.0)):
        average.on_train_batch_begin(step)
        weights.append(model.get_weights()[0].item())
        model.set_weights([np.array([[value]], np.float32)])
        average.on_train_batch_end(step)
        if step == 1:
            average.on_test_begin()
            shown = model.get_weights()[0].item()
    # averages: 1; then decay min(0.5, 2/11): 2/11 * 1 + 9/11 * 2 = 20/11; then 3/12: 0.25 * 20/11 + 0.75 * 4
    assert shown == pytest.approx(20 / 11)
    assert weights[2] == 2.0  # the step after the look goes on from its own weights
    average.on_train_end()
    average.on_train_end()
    assert model.get_weights()[0].item() == pytest.approx(5 / 11 + 3)


def test_it_trains_on_its_targets_and_is_judged_by_its_average():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    images = rng.random((30, 4, 4, 1), dtype=np.float32) * 0.2
    labels = np.arange(30) % 3
    images[np.arange(30), labels] += 0.7
    model = models.build("fc1", (4, 4, 1), 3, noise=0.0)
    schedule = protocols.Schedule("MIXMATCH", "fair", 3, 8, 6, 0, False, True, None, None, last_steps=4)
    training.compile_classifier(model, 1, recipes.ADAM, "mixmatch")
    joined = mixmatch.MixMatch(images, model.predict_on_batch, lambda x: x + 0.01, 20, 1)
    batches = joined.batches(stream(images[:6], EYE[labels[:6]]))
    average = averaging.Average()
    history, _ = training.train(model, batches, schedule, callbacks=[average], in_step=True)
    assert len(history) == 3
    assert {"loss", "accuracy"} <= set(history)
    for weight, expected in zip(model.get_weights(), average.averages, strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert average.steps == 20


@pytest.fixture
def data(tmp_path, monkeypatch):
    write_digits(tmp_path / "data", num_train=8, side=8)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(models.TABLE, "flat", models.Classifier("flat net", "toy_net:build", least_batch=1))
    return tmp_path


BASE = [
    "--model",
    "flat",
    "--mix",
    "mixmatch",
    "--aug",
    "mild",
    "--steps",
    "6",
    "-b",
    "4",
    "-limtr",
    "2",
    "-limte",
    "2",
]


def test_supervised_it_learns_from_the_labelled_images_alone(data):
    train_cnn.main([*BASE, "-path", "data", "--out", "run"])
    result = json.loads((data / "run/result.json").read_text())
    assert (result["arm"], result["steps"], result["unlabelled"]) == ("AUG+MIXMATCH", 6, 0)
    model = keras.saving.load_model(data / "run/model.keras")  # its loss is Keras' own again
    assert model.predict(np.zeros((1, 8, 8, 1), np.float32), verbose=0).sum() == pytest.approx(1)


def test_with_unlabelled_images(data):
    shutil.copytree(data / "data/train", data / "free")
    shutil.copytree(data / "data/test", data / "data/validation")
    flags = ["-path", "data", "--unlabelled", "free", "--unlabelled-images", "5", "--protocol", "validated"]
    train_cnn.main([*BASE, *flags, "--out", "run"])
    result = json.loads((data / "run/result.json").read_text())
    assert (result["arm"], result["unlabelled"]) == ("AUG+MIXMATCH", 15)
    config = json.loads((data / "run/config.json").read_text())
    assert set(config["data"]) == {"train", "test", "validation", "unlabelled"}
    assert config["settings"]["mixmatch"] == {"copies": 2, "weight": 75.0}
    write_digits(data / "other", side=10)
    with pytest.raises(ValueError, match="10x10"):
        train_cnn.main([*BASE, "-path", "data", "--unlabelled", "other/train", "--out", "run2"])


def test_images_that_have_labels_are_not_among_the_unlabelled(data):
    flags = ["-path", "data", "-limtr", "2", "--unlabelled", "data/train", "--unlabelled-images", "2"]
    train_cnn.main([*BASE, *flags, "--out", "run"])
    assert json.loads((data / "run/result.json").read_text())["unlabelled"] == 6
    labelled = json.loads((data / "run/subset.json").read_text())["subset"]
    args = train_cnn.parse_args([*BASE, *flags])
    files = folders.list_images("data/train")
    chosen = {name: [path for path in paths if path.name in labelled[name]] for name, paths in files.items()}
    assert sum(map(len, chosen.values())) == 6
    (arm,) = arms.read(args, Reading("data/train", (8, 8, 1), protocols.fair("AUG+MIXMATCH", steps=6), (), (), chosen))
    known = set(albums.open_album([path for paths in chosen.values() for path in paths]).digests())
    assert known.isdisjoint(arm.images.digests())


def test_unlabelled_images_are_read_as_such(data):
    with contextlib.suppress(FileExistsError):
        shutil.copytree("data/test", "others")
    args = train_cnn.parse_args([*BASE, "--unlabelled", "others"])
    schedule = protocols.fair("AUG+MIXMATCH", steps=6)
    (arm,) = arms.read(args, Reading("data/train", (8, 8, 1), schedule, (), (), {}))
    assert arm.images.shape == (12, 8, 8, 1)
    assert arms.folders(args) == ["others"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "--mix mixmatch: needs --aug (without --augmenter graph)"),
        (["--aug", "--augmenter", "graph"], "--mix mixmatch: needs --aug (without --augmenter graph)"),
        (["--aug", "--loss", "cosine"], "--loss cosine: --mix mixmatch has its own"),
        (["--aug", "--mixup", "1"], "--mix mixmatch: has a mixing of its own"),
        (["--aug", "-chain", "x"], "--mix mixmatch: has a mixing of its own"),
    ],
)
def test_flags_that_do_not_go_together(flags, words, capsys):
    with pytest.raises(SystemExit) as ended:
        train_cnn.parse_args(["--mix", "mixmatch", *flags])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
