"""The walk of the README on MNIST itself, shortened. Needs the variable MNIST_NPZ: the path of an mnist.npz."""

import json
import os

import numpy as np
import pytest

import generate
import prepare_data
import train_cnn
import train_vae
from images import albums, folders

pytestmark = pytest.mark.skipif("MNIST_NPZ" not in os.environ, reason="MNIST_NPZ names no mnist.npz")


@pytest.fixture(scope="module")
def mnist(tmp_path_factory):
    """All of MNIST as class folders."""
    out = tmp_path_factory.mktemp("mnist") / "data"
    prepare_data.main(["--source", os.environ["MNIST_NPZ"], "--out", str(out)])
    return out


def test_all_of_mnist_lies_in_class_folders_under_its_original_numbers(mnist):
    listings = {part: folders.list_images(mnist / part) for part in ("train", "test")}
    assert {part: sum(map(len, files.values())) for part, files in listings.items()} == {"train": 60000, "test": 10000}
    for part, first_labels in (("train", [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]), ("test", [7, 2, 1, 0, 4, 1, 4, 9, 5, 9])):
        for place, label in enumerate(first_labels):
            assert mnist / part / str(label) / f"example{place}.png" in listings[part][str(label)]


def test_png_files_hold_the_pixels_of_the_original(mnist):
    with np.load(os.environ["MNIST_NPZ"]) as archive:
        original = archive["x_train"][:10]
        labels = archive["y_train"][:10]
    paths = [mnist / "train" / str(label) / f"example{k}.png" for k, label in enumerate(labels)]
    np.testing.assert_array_equal(albums.read_images(paths)[..., 0], original)


def test_five_images_make_a_generator_and_a_better_than_chance_classifier(mnist, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for digit in ("0", "1"):
        train_vae.main(["--digit", digit, "--latent", "3", "--epochs", "40", "-path", str(mnist)])
    generate.main(["-models", "models", "-out", "gen", "--count", "20"])
    zeros, ones = (albums.read_images(sorted((tmp_path / "gen" / name).iterdir())) for name in "01")
    # a one has far less ink than a zero, and so have their generated images
    assert zeros.mean() > 1.3 * ones.mean()
    flags = ["-path", str(mnist), "-vae", "gen", "-limtr", "5", "-limte", "20", "-b", "8", "--steps", "60", "-e", "6"]
    train_cnn.main([*flags, "--out", "run"])
    scores = json.loads((tmp_path / "run" / "result.json").read_text())["scores"]
    assert scores["support"] == 200
    assert scores["accuracy"] > 0.3  # chance is 0.1
