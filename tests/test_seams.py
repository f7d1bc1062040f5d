"""The seams of train_cnn.py: a classifier or an arm of somebody else's is one file and one line."""

import json
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import write_digits

import arms
import train_cnn
from arms import mixup
from arms.arm import Training
from cnn import models
from images import albums, codec, folders

TINY = ["--steps", "2", "-b", "4", "-limtr", "2", "-limte", "2"]
NET = """
from keras import Input, Sequential, layers


def build(image_shape, num_classes, noise):
    return Sequential([Input(image_shape), layers.Flatten(), layers.Dense(num_classes, activation="softmax")])
"""
ARM = """
from arms.arm import Arm

NAME, PAPER = "DARK", None


def add_arguments(parser):
    parser.add_argument("--dark", action="store_true", help="halve the brightness")


def is_asked(args):
    return args.dark


def folders(args):
    return []


def check(parser, args):
    pass


def read(args, reading):
    return Dark({"dark": True})


class Dark(Arm):
    seen = 0

    def join(self, batches, training):
        for images, labels in batches:
            self.seen = max(self.seen, float(images.max()))
            yield images / 2, labels

    def facts(self):
        return {"brightest": self.seen}
"""


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder of the test's own, with digits in it, from which modules can be imported."""
    write_digits(tmp_path / "data", side=8)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def result(out):
    return json.loads((out / "result.json").read_text())


def test_a_new_classifier_is_a_file_and_a_line(elsewhere, monkeypatch):
    (elsewhere / "somebodys_net.py").write_text(NET)
    monkeypatch.setitem(models.TABLE, "flat", models.Classifier("flat net", "somebodys_net:build", least_batch=1))
    train_cnn.main(["--model", "flat", "--aug", *TINY, "--out", "out"])
    assert (result(elsewhere / "out")["model"], result(elsewhere / "out")["steps"]) == ("flat", 2)
    args = train_cnn.parse_args(["--model", "flat", "--protocol", "published", "--steps", "3"])
    assert args.paper == "scarce"  # as its line says
    assert train_cnn.parse_args(["--model", "flat", "--paper", "thesis", "--protocol", "published"]).paper == "thesis"


def test_a_new_arm_is_a_file_and_a_word(elsewhere, monkeypatch):
    (elsewhere / "somebodys_arm.py").write_text(ARM)
    import somebodys_arm

    monkeypatch.setattr(arms, "MODULES", (*arms.MODULES, somebodys_arm))
    monkeypatch.setitem(models.TABLE, "flat", models.Classifier("flat net", "toy_net:build", least_batch=1))
    train_cnn.main(["--dark", "--aug", "--model", "flat", *TINY, "--out", "out"])
    found = result(elsewhere / "out")
    assert found["arm"] == "AUG+DARK"
    assert 0 < found["brightest"] <= 1
    assert json.loads((elsewhere / "out" / "config.json").read_text())["settings"]["dark"] is True
    sys.modules.pop("somebodys_arm")


# Mixup


def blended(alpha, seed=0, count=4000):
    images = np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1) * np.ones((1, 2, 2, 1), np.float32)
    labels = np.eye(3, dtype=np.float32)[np.arange(count) % 3]
    arm = mixup.Mixup(alpha)
    [(x, y)] = arm.join(iter([(images, labels)]), Training(None, None, None, seed, None))
    return images, labels, x, y


def test_mixup_blends_images_and_labels_by_the_same_shares():
    images, labels, x, y = blended(0.4)
    assert (x.shape, x.dtype, y.dtype) == (images.shape, np.float32, np.float32)
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-6)
    # x = s i + (1 - s) j with j from a permutation: the shares that the labels show explain the images
    share = y[np.arange(len(y)), labels.argmax(1)]
    alone = (y > 0).sum(axis=1) == 2  # of two classes, so that the share can be read off
    other = (x[:, 0, 0, 0] - share * images[:, 0, 0, 0])[alone] / (1 - share[alone])
    sure = (1 - share[alone]) > 0.05
    partner = np.round(other[sure])
    np.testing.assert_allclose(other[sure], partner, atol=0.05)
    rest = y[alone][sure] * (labels[alone][sure] == 0)  # without the image's own class
    np.testing.assert_array_equal(partner.astype(int) % 3, rest.argmax(1))


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_mixup_draws_its_shares_from_beta(alpha):
    _, labels, _, y = blended(alpha)
    share = y[np.arange(len(y)), labels.argmax(1)]
    share = share[(y > 0).sum(axis=1) == 2]
    assert abs(share.mean() - 0.5) < 0.03
    assert abs(share.var() - 1 / (4 * (2 * alpha + 1))) < 0.02  # of Beta(alpha, alpha)


def test_mixup_follows_from_the_seed():
    first, again, other = (blended(0.4, seed)[2] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("flags", [["-chain", "x"], ["--model", "ladder", "--unlabelled", "x"]], ids=" ".join)
def test_mixup_does_not_go_with_what_needs_whole_labels(flags, capsys):
    with pytest.raises(SystemExit):
        train_cnn.parse_args(["--mixup", "0.4", *flags])
    assert "--mixup: blends labels" in capsys.readouterr().err


# The validation part


def test_validated_keeps_the_weights_of_the_best_validation_accuracy(elsewhere, monkeypatch):
    write_digits(elsewhere / "other", num_train=20, side=8)
    (elsewhere / "data" / "validation").parent.mkdir(exist_ok=True)
    (elsewhere / "other" / "train").rename(elsewhere / "data" / "validation")
    monkeypatch.setitem(models.TABLE, "flat", models.Classifier("flat net", "toy_net:build", least_batch=1))
    flags = ["--protocol", "validated", "--model", "flat", "-b", "4", "-limtr", "2", "-limte", "-1"]
    train_cnn.main([*flags, "-e", "4", "--validate-every", "2", "--out", "out"])
    found = result(elsewhere / "out")
    assert (found["protocol"], found["epochs"], found["steps"]) == ("validated", 4, 8)  # ceil(6 / 4) steps per pass
    history = pd.read_csv(elsewhere / "out" / "history.csv")
    assert history["val_accuracy"].isna().tolist() == [True, False, True, False]
    assert found["epoch_kept"] == history["epoch"][history["val_accuracy"].idxmax()]
    images, labels = albums.read_classes(folders.list_images(elsewhere / "data" / "validation"))
    kept = keras.saving.load_model(elsewhere / "out" / "model.keras").predict(codec.to_float(images), verbose=0)
    assert (kept.argmax(1) == labels).mean() == pytest.approx(history["val_accuracy"].max())
    assert set(json.loads((elsewhere / "out" / "config.json").read_text())["data"]) == {"train", "test", "validation"}


def test_images_that_stand_in_two_parts_are_counted(elsewhere, capsys):
    data = elsewhere / "data"
    source = sorted((data / "train" / "0").iterdir())[0]
    (data / "test" / "0" / "copy.png").write_bytes(source.read_bytes())
    args = train_cnn.parse_args(["-limtr", "-1", "-limte", "-1"])
    train_cnn.read_parts(args, train_cnn.list_files(args))
    assert "data/test: 1 of 13 images are training images too" in capsys.readouterr().out
