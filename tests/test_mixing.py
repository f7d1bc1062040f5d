"""The arms of --mix: areas, shares, labels, policies, their order, and their flags."""

import json

import numpy as np
import pytest
from conftest import write_digits
from PIL import Image
from scipy import stats

import arms
import train_cnn
import train_cnn_flags
from arms.arm import Reading, Training
from cnn import autoaugment, mixing, models
from images import albums


def rng(seed=0):
    return np.random.default_rng(seed)


def noise(count, side=16, channels=3):
    return rng(9).random((count, side, side, channels), dtype=np.float32)


def changed(images, made):
    return (images != made).any(axis=-1)


# Cutout


@pytest.mark.parametrize("size", [5, 8, 16])
def test_cutout_fills_a_square_around_any_pixel_with_the_mean(size):
    images = noise(3000)
    made = mixing.cutout(images, size, rng())
    holes = changed(images, made)
    means = np.broadcast_to(images.mean(axis=(1, 2), keepdims=True), images.shape)
    np.testing.assert_array_equal(made[holes], means[holes])
    tall, wide = holes.any(axis=2).sum(axis=1), holes.any(axis=1).sum(axis=1)
    assert (holes.sum(axis=(1, 2)) == tall * wide).all()  # rectangles
    assert tall.max() == wide.max() == size
    # of a side of 16, the middles c = 0 ... 15 leave min(16, c - size//2 + size) - max(0, c - size//2) rows
    middles = np.arange(16) - size // 2
    kept = np.minimum(16, middles + size) - np.maximum(0, middles)
    assert tall.mean() == pytest.approx(kept.mean(), rel=0.03)
    assert len({hole.tobytes() for hole in holes}) > 150  # of 256


# Random erasing


def test_erasing_takes_half_of_the_images_and_rectangles_of_the_published_law():
    images, fill = noise(6000, side=32), [0.25, 0.5, 0.75]
    made = mixing.erase(images, fill, rng())
    holes = changed(images, made)
    erased = holes.any(axis=(1, 2))
    assert erased.mean() == pytest.approx(0.5, abs=0.02)
    np.testing.assert_array_equal(made[holes], np.broadcast_to(np.float32(fill), made.shape)[holes])
    tall, wide = holes.any(axis=2).sum(axis=1)[erased], holes.any(axis=1).sum(axis=1)[erased]
    assert (holes.sum(axis=(1, 2))[erased] == tall * wide).all()
    area, aspect = tall * wide / 32**2, tall / wide
    assert 0.015 < area.min() < 0.03
    assert 0.3 < area.max() < 0.36
    assert area.mean() == pytest.approx((0.02 + 0.33) / 2, abs=0.006)
    assert np.log(aspect).mean() == pytest.approx(np.log(0.3 * 3.3) / 2, abs=0.03)
    assert 0.2 < aspect.min() < 0.4
    assert 2.8 < aspect.max() < 4.5


# CutMix


def test_cutmix_shares_labels_by_area():
    count = 4000
    images = np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1) * np.ones((1, 16, 16, 1), np.float32)
    labels = np.eye(count, dtype=np.float32)
    x, y = mixing.cutmix(images, labels, rng())
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-5)
    foreign = changed(images, x).mean(axis=(1, 2))
    np.testing.assert_allclose(1 - y[np.arange(count), np.arange(count)], foreign, atol=1e-6)
    partner = (y - np.diag(np.diag(y))).argmax(axis=1)
    mixed = (foreign > 0) & (foreign < 1) & (partner != np.arange(count))
    for k in np.flatnonzero(mixed)[:200]:
        assert set(np.unique(x[k])) == {float(k), float(partner[k])}
    # Of a rectangle of area u, U(0, 1), about any pixel, t - t^2 / 4 of each side is inside on average, t = sqrt u:
    # E (t - t^2 / 4)^2 = E u - E u^(3/2) / 2 + E u^2 / 16
    expected = 1 / 2 - 1 / 5 + 1 / 48
    assert foreign.mean() == pytest.approx(expected, abs=0.03)
    assert len(np.unique(foreign)) > 50


# AutoAugment


def grey_ramp():
    return Image.fromarray(np.tile(np.arange(0, 256, 8, dtype=np.uint8), (32, 1)))


@pytest.mark.parametrize(
    ("name", "level", "expected"),
    [
        ("invert", 5, lambda x: 255 - x),
        ("posterize", 9, lambda x: x & 0b11110000),
        ("posterize", 0, lambda x: x),
        ("solarize", 0, lambda x: x),
        ("solarize", 9, lambda x: 255 - x),
        ("brightness", 9, lambda x: np.minimum(255, x * 1.9)),
        ("brightness", -9, lambda x: x * 0.1),
        ("translate_x", 9, lambda x: np.hstack([x[:, 15:], np.full((32, 15), 128)])),  # 150/331 of 32 is 14.5
        ("translate_y", -9, lambda x: np.vstack([np.full((14, 32), 128), x[:18]])),
    ],
)
def test_operations(name, level, expected):
    image = grey_ramp()
    found = np.asarray(autoaugment.operate(image, name, level)).astype(float)
    close = np.abs(found - expected(np.asarray(image))) <= 1
    assert close.mean() >= 31 / 32  # a shift of 14.5 pixels falls on either side


def test_turning_and_shearing_leave_the_middle():
    image = np.zeros((33, 33, 3), np.uint8)
    image[16, 16] = 255
    for name in ("rotate", "shear_y"):
        found = np.asarray(autoaugment.operate(Image.fromarray(image), name, 9))
        assert found[15:18, 15:18].max() == 255
        assert (found[0, 0] == 128).any() or (found[-1, 0] == 128).any()


def test_the_policy_is_the_published_one_in_outline():
    assert len(autoaugment.POLICY) == 25
    names = {name for rule in autoaugment.POLICY for name, _, _ in rule}
    assert len(names) == 13  # of the 16 that were searched: no ShearX, Cutout or SamplePairing
    assert all(0 <= level <= 9 and 0 <= p <= 1 for rule in autoaugment.POLICY for _, p, level in rule)
    assert autoaugment.POLICY[18] == (("autocontrast", 0.8, 4), ("solarize", 0.2, 8))


@pytest.mark.parametrize("channels", [1, 3])
def test_every_image_has_its_own_sub_policy(channels, monkeypatch):
    images = np.repeat(noise(1, channels=channels), 3000, axis=0)
    made = autoaugment.autoaugment(images, rng())
    assert (made.shape, made.dtype) == (images.shape, np.float32)
    assert len({image.tobytes() for image in made}) > 60
    np.testing.assert_array_equal(made, autoaugment.autoaugment(images, rng()))
    seen = []
    monkeypatch.setattr(autoaugment, "operate", lambda image, name, level: seen.append((name, level)) or image)
    autoaugment.autoaugment(images, rng())
    # Operations per image: the sum of all probabilities over 25
    expected = sum(p for rule in autoaugment.POLICY for _, p, _ in rule) / 25
    assert len(seen) / 3000 == pytest.approx(expected, abs=0.05)
    turned = [level for name, level in seen if name == "rotate"]
    assert len(turned) / 3000 == pytest.approx(0.7 / 25, abs=0.01)
    assert set(turned) == {-2, 2}
    assert stats.binomtest(turned.count(2), len(turned)).pvalue > 0.001


# The arms


def stream(flags, images, labels, monkeypatch=None):
    args = train_cnn.parse_args(flags)
    batches = iter([(images, labels)])
    joined = arms.read(args, Reading("data", images.shape[1:], None, ()))
    training = Training(None, albums.ArrayAlbum((255 * images).astype(np.uint8)), labels, args.seed, None)
    for arm in joined:
        batches = arm.join(batches, training)
    return next(batches), joined, args


@pytest.mark.parametrize("word", ["autoaugment", "cutout", "erasing", "mixup", "cutmix"])
def test_a_word_of_mix_is_an_arm(word):
    images, labels = noise(40), np.eye(4, dtype=np.float32)[np.arange(40) % 4]
    (x, y), (arm,), args = stream(["--mix", word], images, labels)
    assert (x.shape, x.dtype, y.shape, y.dtype) == (images.shape, np.float32, labels.shape, np.float32)
    assert not np.array_equal(x, images)
    assert np.array_equal(y, labels) == (word not in ("mixup", "cutmix"))
    assert arms.names(args) == [word.upper()]
    assert list(arm.settings) == [word]
    again = stream(["--mix", word], images, labels)[0]
    np.testing.assert_array_equal(again[0], x)
    assert not np.array_equal(stream(["--mix", word, "--seed", "1"], images, labels)[0][0], x)


def test_cutout_comes_after_autoaugment_whatever_the_order_of_words():
    images, labels = noise(40), np.eye(4, dtype=np.float32)[np.arange(40) % 4]
    (x, _), joined, args = stream(["--mix", "cutout", "autoaugment", "--cutout-size", "16"], images, labels)
    assert arms.names(args) == ["AUTOAUGMENT", "CUTOUT"]
    assert [arm.settings for arm in joined] == [{"autoaugment": True}, {"cutout": 16}]
    (before, _), _, _ = stream(["--mix", "autoaugment"], images, labels)
    np.testing.assert_array_equal(x[~changed(before, x)], before[~changed(before, x)])
    corner = x[:, 8, 8]  # under nearly every square of 16 is the image's mean
    assert (np.abs(corner - before.mean(axis=(1, 2))).max(axis=-1) < 1e-6).mean() > 0.5
    assert train_cnn_flags.default_out(args).startswith("runs/autoaugment+cutout-cutout16-fair")


def test_the_older_flag_of_mixup_still_works():
    images, labels = noise(8), np.eye(4, dtype=np.float32)[np.arange(8) % 4]
    old, (arm,), args = stream(["--mixup", "1"], images, labels)
    new, _, _ = stream(["--mix", "mixup"], images, labels)
    np.testing.assert_array_equal(old[0], new[0])
    assert (arm.settings, arms.names(args)) == ({"mixup": 1.0}, ["MIXUP"])
    assert train_cnn_flags.default_out(train_cnn.parse_args(["--mix", "mixup", "--mixup", "0.2"])).startswith(
        "runs/mixup-mixup0.2-"
    )


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--mix", "blur"], "invalid choice: 'blur'"),
        (["--cutout-size", "5"], "--cutout-size: goes with --mix cutout"),
        (["--mix", "cutout", "--cutout-size", "0"], "expected a whole number of pixels from 1 to 4096"),
        (["--mix", "cutmix", "mixup"], "both blend labels; give one of them"),
        (["--mix", "cutmix", "-chain", "x"], "--mix cutmix: blends labels, which -chain needs whole"),
        (["--model", "ladder", "--unlabelled", "x", "--mix", "cutout"], "--model ladder: takes no --mix cutout"),
    ],
)
def test_flags_that_do_not_go_together(flags, words, capsys):
    with pytest.raises(SystemExit) as ended:
        train_cnn.parse_args(flags)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_trained_by_train_cnn(tmp_path, monkeypatch):
    write_digits(tmp_path / "data", side=8)
    monkeypatch.setitem(models.TABLE, "flat", models.Classifier("flat net", "toy_net:build", least_batch=1))
    base = ["-path", tmp_path / "data", "--model", "flat", "--steps", 4, "-limtr", 4]
    flags = [*base, "--aug", "flip-crop", "--mix", "autoaugment", "cutout", "cutmix", "--cutout-size", 3]
    train_cnn.main([str(flag) for flag in (*flags, "--out", tmp_path / "run")])
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["arm"], result["steps"]) == ("AUG+AUTOAUGMENT+CUTOUT+CUTMIX", 4)
    with pytest.raises(ValueError, match=r"--cutout-size 9: larger than the images of .*train, 8x8"):
        train_cnn.main([str(flag) for flag in (*base, "--mix", "cutout", "--cutout-size", 9, "--out", "x")])
