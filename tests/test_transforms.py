"""Rotated and blurred copies: one turn and one blur per image, the same for the same seed."""

import json

import numpy as np
import pytest

import generate
from common import backend
from images import albums, codec, folders, selection
from vae_aug import transforms

SIDE = 25


def spots(count, row, column, channels=1):
    images = np.zeros((count, SIDE, SIDE, channels), np.float32)
    images[:, row, column] = 1
    return images


def moments(image):
    """Mass, centre and covariance of a grey image's pixels."""
    mass = image.sum()
    at = np.stack(np.meshgrid(*2 * [np.arange(SIDE) - SIDE // 2], indexing="ij"), -1)
    centre = (image[..., None] * at).sum((0, 1)) / mass
    return mass, centre, (image * (at**2).sum(-1)).sum() / mass / 2 - (centre**2).sum() / 2


def test_same_seed_same_bytes_and_another_seed_other_ones():
    images = np.random.default_rng(0).random((3, 8, 8, 3), np.float32)
    for kind in ("rotate", "blur", "rotate-blur"):
        first, again, other = (transforms.transform(images, kind, seed) for seed in (1, 1, 2))
        assert first.tobytes() == again.tobytes()
        assert first.dtype == np.float32
        assert first.shape == images.shape
        assert all(np.abs(a - b).max() > 0.01 for a, b in zip(first, other, strict=True))
        assert all(np.abs(a - b).max() > 0.01 for a, b in zip(first, images, strict=True))
        assert first.min() >= 0
        assert first.max() <= 1


def test_copy_changes_nothing_and_returns_an_array_of_its_own():
    images = np.random.default_rng(0).random((2, 8, 8, 1), np.float32)
    made = transforms.transform(images, "copy", 0)
    assert np.array_equal(made, images)
    assert not np.shares_memory(made, images)


def test_angles_are_per_image_uniform_and_at_most_25_degrees():
    turned = transforms.transform(spots(400, SIDE // 2, SIDE - 3), "rotate", 0)  # 10 pixels right of the centre
    centres = np.array([moments(image[..., 0])[1] for image in turned])
    angles = np.degrees(np.arctan2(-centres[:, 0], centres[:, 1]))
    assert np.abs(angles).max() < 26
    assert angles.min() < -23
    assert angles.max() > 23
    assert np.abs(np.histogram(angles, 4, (-25, 25))[0] - 100).max() < 40  # sd 8.7: uniform, and not normal
    assert len(np.unique(angles.round(3))) > 390


def test_blurs_are_per_image_and_keep_the_mass_in_each_channel():
    blurred = transforms.transform(spots(300, SIDE // 2, SIDE // 2, channels=3), "blur", 0)
    assert np.array_equal(blurred[..., 0], blurred[..., 2])  # never across the channels
    mass, _, variances = zip(*(moments(image[..., 0]) for image in blurred), strict=True)
    assert np.allclose(mass, 1, atol=1e-4)
    sigmas = np.sqrt(variances)
    # A kernel sampled at whole pixels is narrower than its Gaussian where that is narrower than half a pixel.
    assert sigmas.min() < 0.3
    assert 2.1 < sigmas.max() < 2.25
    assert np.abs(np.histogram(sigmas, 2, (0.25, 2.25))[0] - 150).max() < 45


def test_rotate_blur_blurs_what_rotate_gives():
    images = np.random.default_rng(3).random((4, 12, 12, 1), np.float32)
    rotated, blurred = transforms.transform(images, "rotate", 5), transforms.transform(images, "rotate-blur", 5)
    assert np.array_equal(transforms.transform(rotated, "blur", 5), blurred)


def test_corners_that_turn_in_are_black():
    turned = transforms.transform(np.ones((20, 16, 16, 3), np.float32), "rotate", 0)
    assert turned.min() == 0
    assert np.allclose(turned[:, 4:12, 4:12], 1, atol=1e-6)


def test_unknown_kind():
    with pytest.raises(ValueError, match=r"copy.*Received: 'flip'"):
        transforms.transform(np.zeros((1, 4, 4, 1), np.float32), "flip", 0)


# generate.py --sampler


def run(data, out, *flags):
    generate.main([str(flag) for flag in ("-path", data, "-out", out, *flags)])
    return albums.read_classes(folders.list_images(out))


def test_generate_offers_every_kind():
    assert generate.COPIES == transforms.KINDS


def test_generate_writes_one_copy_of_each_image_and_loads_no_back_end(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(backend, "configure", pytest.fail)
    images, labels = albums.read_classes(selection.draw_subset(folders.list_images(digits / "train"), 5, 42))
    made = {
        kind: run(digits, tmp_path / kind, "--sampler", kind, "--images", 5)[0]
        for kind in ("rotate", "blur", "rotate-blur", "copy")
    }
    np.testing.assert_array_equal(made["copy"], images)
    for k, name in enumerate("012"):
        seed = backend.derive_seed(42, name)
        for kind in ("rotate", "blur", "rotate-blur"):
            wanted = transforms.transform(codec.to_float(images[labels == k]), kind, seed)
            np.testing.assert_array_equal(made[kind][labels == k], codec.to_uint8(wanted))
            assert not np.array_equal(made[kind][labels == k], images[labels == k])
    config = json.loads((tmp_path / "rotate" / "config.json").read_text())
    assert config["settings"]["sampler"] == "rotate"
    assert config["facts"]["diversity"]["0"]["images"] == 5
    capsys.readouterr()
    run(digits, tmp_path / "rotate", "--sampler", "rotate", "--images", 5)
    assert "is done already: 5 images of each of 3 classes" in capsys.readouterr().out


def test_all_images_or_those_of_a_list_are_copied(digits, tmp_path):
    files = folders.list_images(digits / "train")
    files["2"][0].unlink()
    _, labels = run(digits, tmp_path / "all", "--sampler", "blur")
    assert np.bincount(labels).tolist() == [8, 8, 7]
    selection.save_list(tmp_path / "subset.json", subset={name: paths[1:3] for name, paths in files.items()})
    images, labels = run(digits, tmp_path / "two", "--sampler", "copy", "--subset", tmp_path / "subset.json")
    np.testing.assert_array_equal(images[:2], albums.read_images(files["0"][1:3]))
    assert len(labels) == 6
    assert run(digits, tmp_path / "small", "--sampler", "copy", "--size", 6, 6)[0].shape == (23, 6, 6, 1)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--sampler", "rotate"], "--sampler rotate: needs -path, the images that are copied"),
        (["--sampler", "copy", "-path", "d", "--count", "3"], "--count: --sampler copy writes one copy of each image"),
        (
            ["--sampler", "copy", "-path", "d", "-models", "m"],
            "-models: --sampler copy copies images",
        ),
        (["--sampler", "blur", "-path", "d", "--thin", "2"], "--thin: goes with --sampler chain"),
        (["--sampler", "chain", "-path", "d", "--images", "2"], "--images: goes with --sampler rotate, blur"),
        (["--sampler", "copy", "-path", "d", "--range", "2"], "--range: goes with --sampler uniform"),
        (["--subset", "x"], "--subset: goes with --sampler rotate, blur"),
        (["-path", "x"], "--path: goes with --sampler chain, or of copies"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(capsys, flags, words):
    with pytest.raises(SystemExit) as ended:
        generate.parse_args(flags)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
