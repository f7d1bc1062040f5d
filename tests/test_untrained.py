"""Images without a model that learns: SMOTE lies between images of a class, noise knows nothing of them."""

import json

import numpy as np
import pytest
from conftest import run_here, write_digits

from images import albums, codec, folders
from vae_aug import transforms, untrained


def two_classes():
    """Two images of class 0, black and white; one of class 1, grey."""
    images = np.stack([np.full((2, 2, 1), level, np.float32) for level in (0.0, 1.0, 0.5)])
    return images, np.array([0, 0, 1])


def test_smote_lies_on_the_line_between_two_images_of_its_class():
    images, labels = two_classes()
    made = untrained.Untrained(images, labels, "smote", [1, 2]).draw(np.zeros(50, int), np.arange(50))
    levels = made[:, 0, 0, 0]
    assert (made == levels[:, None, None, None]).all()  # every pixel by one share, as both images are flat
    assert ((levels >= 0) & (levels <= 1)).all()
    assert len(np.unique(levels)) == 50


def test_of_a_single_image_smote_makes_copies():
    images, labels = two_classes()
    made = untrained.Untrained(images, labels, "smote", [1, 2]).draw(np.ones(3, int), np.arange(3))
    assert (made == 0.5).all()


def test_noise_is_uniform_and_knows_no_image():
    images, labels = np.zeros((4, 16, 16, 3), np.float32), np.array([0, 0, 1, 1])
    source = untrained.Untrained(images, labels, "noise", [1, 2])
    made = source.draw(np.repeat([0, 1], 40), np.arange(80))
    assert made.shape == (80, 16, 16, 3)
    # 61,440 numbers: the mean's standard deviation is 0.29 / sqrt(61440) = 0.0012
    assert made.mean() == pytest.approx(0.5, abs=0.006)
    assert made.std() == pytest.approx(np.sqrt(1 / 12), abs=0.006)
    assert not np.array_equal(made[:40], made[40:])


def test_what_comes_of_a_class_does_not_depend_on_the_others():
    images, labels = np.random.default_rng(0).random((8, 2, 2, 1), np.float32), np.array([0, 0, 0, 0, 1, 1, 1, 1])
    for kind in untrained.KINDS:
        alone = untrained.Untrained(images, labels, kind, [1, 2]).draw(np.ones(3, int), np.arange(3))
        both = untrained.Untrained(images, labels, kind, [1, 2])
        both.draw(np.zeros(5, int), np.arange(5))
        assert np.array_equal(both.draw(np.ones(3, int), np.arange(3)), alone)


@pytest.mark.parametrize("sampler", ["smote", "noise"])
def test_generate_writes_so_many_of_each_class(tmp_path, sampler):
    data = write_digits(tmp_path / "data", num_train=4, side=8)
    out = tmp_path / "gen"
    run = run_here("generate.py", "--sampler", sampler, "-path", data, "--count", 3, "2=5", "-out", out)
    assert run.returncode == 0, run.stderr
    files = folders.list_images(out)
    assert {name: len(paths) for name, paths in files.items()} == {"0": 3, "1": 3, "2": 5}
    assert albums.read_images(files["0"]).shape == (3, 8, 8, 1)
    settings = json.loads((out / "config.json").read_text())["settings"]
    assert (settings["sampler"], settings["count"]) == (sampler, {"0": 3, "1": 3, "2": 5})


def test_a_sampler_of_images_takes_no_model_and_needs_images(tmp_path):
    run = run_here("generate.py", "--sampler", "smote", "-models", "models-x", "-path", tmp_path)
    assert (run.returncode, "takes no model" in run.stderr) == (2, True)
    run = run_here("generate.py", "--sampler", "noise")
    assert (run.returncode, "needs -path" in run.stderr) == (2, True)


@pytest.mark.parametrize("kind", [*untrained.KINDS, *transforms.KINDS])
def test_an_album_that_is_decoded_as_it_is_drawn_gives_the_same_bytes(kind):
    images = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3), np.uint8)
    labels, seeds = np.array([0, 1, 0, 0, 1, 1, 0, 1, 1]), [1, 2]

    def drawn(starts):
        make = untrained.Untrained if kind in untrained.KINDS else transforms.Copies
        source = make(starts, labels, kind, seeds)
        parts = [source.draw(np.full(count, label), np.arange(count)) for label, count in ((0, 4), (1, 5), (0, 2))]
        return b"".join(part.tobytes() for part in parts)

    assert drawn(albums.ArrayAlbum(images)) == drawn(codec.to_float(images))


def test_copies_of_several_classes_are_those_of_the_images():
    images, labels = np.random.default_rng(0).random((5, 4, 4, 1), np.float32), np.array([0, 1, 0, 1, 1])
    for kind in transforms.KINDS:
        made = transforms.Copies(images, labels, kind, [3, 4]).draw([1, 0, 1], [2, 0, 1])
        of = [transforms.transform(images[labels == k], kind, seed) for k, seed in enumerate((3, 4))]
        assert np.array_equal(made, np.stack([of[1][2], of[0][0], of[1][1]]))
