"""train_deformation.py on real digits, generate.py and train_cnn.py after it, and their bad input."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import write_digits

import generate
import train_cnn
import train_deformation
from arms import deformation as arm
from cnn import models
from common import archives
from images import albums, folders
from vae_aug import registration


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("deformation") / "data")


@pytest.fixture(scope="module", autouse=True)
def short():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registration, "STEPS", 4)
        yield


def learn(data, out, *flags):
    flags = ["-path", data, "--images", 3, "--control", 5, "--out", out, *flags]
    train_deformation.main([str(flag) for flag in flags])


@pytest.fixture(scope="module")
def learned(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("learned") / "deform"
    learn(data, out)
    return out


def config(folder):
    return json.loads((folder / "config.json").read_text(), parse_constant=pytest.fail)


def test_a_run_leaves_all_its_files(learned):
    tables, pictures = {"convergence.csv", "pairs.csv"}, {"convergence.png", "pairs.png", "samples.png"}
    others = {"deformation.npz", "subset.json", "config.json"}
    assert {path.name for path in learned.iterdir()} == tables | pictures | others
    steps = pd.read_csv(learned / "convergence.csv")
    assert steps["step"].tolist() == list(range(1, 13))
    pairs = pd.read_csv(learned / "pairs.csv")
    assert pairs["class"].value_counts().to_dict() == {0: 6, 1: 6, 2: 6}
    assert (pairs["from"] != pairs["to"]).all()
    facts = config(learned)["facts"]
    assert (facts["kind"], facts["num_pairs"]) == ("deformation", 18)
    assert facts["error_after"] == pytest.approx(pairs["after"].mean(), rel=1e-5)
    assert facts["error_after"] < facts["error_before"]
    assert facts["folding"] == {"pairs": 0, "samples": 0}
    assert 0 < facts["share_of_means"] < 0.1  # a pair and its reverse nearly cancel
    assert albums.read_images([learned / "pairs.png"]).shape == (
        1,
        5 * (48 + 2) + 2,
        12 * (48 + 2) + 2,
        1,
    )  # 18 rows of 3
    assert albums.read_images([learned / "samples.png"]).shape == (1, 3 * (48 + 2) + 2, 10 * (48 + 2) + 2, 1)


def test_names_that_are_not_utf_8_survive(data, tmp_path):
    shutil.copytree(data / "train" / "0", tmp_path / "odd" / os.fsdecode(b"caf\xe9"))
    shutil.copytree(data / "train" / "1", tmp_path / "odd" / "1")
    learn(tmp_path / "odd", tmp_path / "deform")
    assert set(pd.read_csv(tmp_path / "deform" / "pairs.csv")["class"]) == {"caf\\udce9", "1"}


def test_a_second_run_is_the_first(learned, data, tmp_path, capsys):
    learn(data, learned)
    assert "is done already" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"made with settings penalty=0.1, now penalty=0.2"):
        learn(data, learned, "--penalty", 0.2)
    learn(data, tmp_path / "again")
    for name in ("deformation.npz", "pairs.csv", "samples.png"):
        assert (tmp_path / "again" / name).read_bytes() == (learned / name).read_bytes()
    learn(data, tmp_path / "another", "--seed", 43)
    for name in ("deformation.npz", "samples.png"):
        assert (tmp_path / "another" / name).read_bytes() != (learned / name).read_bytes()


def test_a_gaussian_per_class_lies_beside_the_pooled_one(learned, data, tmp_path):
    learn(data, tmp_path / "own", "--per-class", "--shrinkage", 0)
    own = archives.load_arrays(tmp_path / "own" / "deformation.npz")
    assert {name for name in own if name.startswith("modes")} == {"modes0", "modes1", "modes2"}
    pooled = archives.load_arrays(learned / "deformation.npz")["modes0"].reshape(-1, 50)
    mean = sum(part.T @ part for part in (own[f"modes{k}"].reshape(-1, 50) for k in range(3))) / 3
    np.testing.assert_allclose(pooled.T @ pooled, mean, atol=1e-4)  # six pairs of each class


def test_a_low_rank_is_kept_and_told_only_where_it_is_asked_for(learned, data, tmp_path):
    learn(data, tmp_path / "low", "--rank", 2)
    low, whole = (archives.load_arrays(folder / "deformation.npz")["modes0"] for folder in (tmp_path / "low", learned))
    assert len(low) == 2 < len(whole)
    np.testing.assert_allclose(np.abs(low), np.abs(whole[:2]), atol=1e-4)  # the same but for the sign
    assert config(tmp_path / "low")["settings"]["rank"] == 2
    assert "rank" not in config(learned)["settings"]  # runs of before are what they were


def test_looks_are_learned_beside_the_fields(learned, data, tmp_path, flat):
    learn(data, tmp_path / "all", "--affine", "--appearance")
    settings, facts = config(tmp_path / "all")["settings"], config(tmp_path / "all")["facts"]
    assert (settings["affine"], settings["appearance"]) == (True, True)
    assert not {"affine", "appearance"} & set(config(learned)["settings"])  # runs of before are what they were
    with np.load(tmp_path / "all/deformation.npz") as kept:
        moments = np.square(kept["changes"]).sum(axis=0)
    np.testing.assert_allclose(np.sqrt(moments), facts["changes"], atol=1e-3)
    assert facts["changes"][0] > 0.01  # pixels of thickness
    generate.main(["-models", str(tmp_path / "all"), "-out", str(tmp_path / "gen"), "--count", "4"])
    assert {len(paths) for paths in folders.list_images(tmp_path / "gen").values()} == {4}
    train(data, tmp_path / "run", "-deform", tmp_path / "all")
    with np.load(tmp_path / "all/deformation.npz") as kept:
        arrays = dict(kept) | {"changes": np.ones((2, 7), np.float32)}
    np.savez(tmp_path / "all/deformation.npz", **arrays)
    with pytest.raises(ValueError, match="holds changes of other images"):
        train(data, tmp_path / "again", "-deform", tmp_path / "all")


@pytest.mark.slow
def test_a_few_pairs_and_colours_and_other_sides_will_do(data, tmp_path):
    learn(data, tmp_path / "rgb", "--pairs", 2, "--size", 10, 14, "--color", "rgb", "--scale", 1, 1)
    assert (config(tmp_path / "rgb")["facts"]["num_pairs"]) == 6
    generate.main(["-models", str(tmp_path / "rgb"), "-out", str(tmp_path / "gen"), "--count", "2"])
    images, _ = albums.read_classes(folders.list_images(tmp_path / "gen"))
    assert images.shape == (6, 10, 14, 3)


def test_generate_writes_every_class_and_the_same_again(learned, tmp_path):
    for name in ("a", "b"):
        generate.main(["-models", str(learned), "-out", str(tmp_path / name), "--count", "4"])
    first, second = (folders.list_images(tmp_path / name) for name in "ab")
    assert {name: len(paths) for name, paths in first.items()} == {"0": 4, "1": 4, "2": 4}
    images, _ = albums.read_classes(first)
    np.testing.assert_array_equal(images, albums.read_classes(second)[0])
    assert not np.array_equal(images[0], images[3])  # the first image of the class again, deformed in another way


@pytest.fixture
def flat(monkeypatch):
    monkeypatch.setitem(models.TABLE, "flat", models.Classifier("flat net", "toy_net:build", least_batch=1))


def train(data, out, *flags):
    line = ["-path", data, "-limtr", 3, "-limte", 2, "-b", 4, "--steps", 2, "--model", "flat", "--out", out, *flags]
    train_cnn.main([str(flag) for flag in line])
    return json.loads((out / "result.json").read_text())


def test_train_cnn_deforms_images_with_what_joins_and_augments_them(learned, data, tmp_path, flat):
    generate.main(["-models", str(learned), "-out", str(tmp_path / "gen"), "--count", "4"])
    found = train(data, tmp_path / "cnn", "-deform", learned, "--aug", "-vae", tmp_path / "gen")
    assert (found["arm"], found["steps"], found["images"]["generated"]) == ("AUG+VAE+DEFORM", 2, 12)
    made = config(tmp_path / "cnn")
    assert made["settings"]["deform"] == {"scale": [0.2, 1.3]}
    assert set(made["data"]) == {"train", "test", "generated", "deform"}


def test_each_image_of_a_batch_is_deformed_in_its_own_way_and_by_the_seed():
    class Deformer:
        def __call__(self, images, labels, rng):
            return images + rng.random(len(images))[:, None] + 10 * labels[:, None]

    labels = np.eye(3)[[2, 0]]
    stream = lambda: iter([(np.zeros((2, 1)), labels)] * 2)  # noqa: E731
    batches, again = (list(arm.deformed(stream(), Deformer(), np.random.default_rng(5))) for _ in range(2))
    images = np.concatenate([x for x, _ in batches])
    assert (images // 10).ravel().tolist() == [2, 0, 2, 0]
    assert len(np.unique(images)) == 4
    np.testing.assert_array_equal(images, np.concatenate([x for x, _ in again]))
    assert all(y is labels for _, y in batches)


def test_bad_input_of_the_training_is_one_line(data, tmp_path, capsys):
    one = write_digits(tmp_path / "one", classes=(0, 1), num_train=1)
    with pytest.raises(ValueError, match=r"1 image of each class, at least 2 of some class are needed"):
        learn(one, tmp_path / "out", "--images", 1)
    with pytest.raises(ValueError, match=r"8 images, at least 9 are needed"):
        learn(data, tmp_path / "out", "--images", 9)
    with pytest.raises(ValueError, match=r"3x12 grey; each side needs at least 4 pixels"):
        learn(data, tmp_path / "out", "--size", 3, 12)
    for flags, words in {
        ("--control", "3"): "argument --control: expected a whole number from 4 to 64, received '3'",
        ("--penalty", "0"): "argument --penalty: expected a number above 0, received '0'",
        ("--rank", "0"): "argument --rank: expected a whole number above 0, received '0'",
        ("--shrinkage", "0.2"): "--shrinkage: goes with --per-class",
        ("--scale", "1", "0.5"): "--scale 1 0.5: the first number is above the second",
    }.items():
        with pytest.raises(SystemExit) as ended:
            learn(data, tmp_path / "out", *flags)
        assert ended.value.code == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_pooled_gaussian_deforms_other_classes_too(learned, tmp_path, flat):
    other = write_digits(tmp_path / "other", classes=(5, 6))
    assert train(other, tmp_path / "cnn", "-deform", learned)["arm"] == "DEFORM"


def test_bad_input_of_the_arm_is_one_line(learned, data, tmp_path, flat, capsys):
    with pytest.raises(ValueError, match=r"data: no deformation.npz in it \(train_deformation.py makes one\)"):
        train(data, tmp_path / "cnn", "-deform", data)
    with pytest.raises(ValueError, match=r"deform: learned from 12x12 grey images, but .*train is 10x10 grey"):
        train(data, tmp_path / "cnn", "-deform", learned, "--size", 10, 10)
    fewer = write_digits(tmp_path / "fewer", classes=(0, 1))
    learn(data, tmp_path / "own", "--per-class")
    with pytest.raises(ValueError, match=r"own: has a Gaussian for each of 0, 1, 2, but .*train has 0, 1"):
        train(fewer, tmp_path / "cnn", "-deform", tmp_path / "own")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "deformation.npz").write_bytes(b"no archive")
    (broken / "config.json").write_text((learned / "config.json").read_text())
    with pytest.raises(ValueError, match=r"deformation.npz: not a readable file of arrays"):
        train(data, tmp_path / "cnn", "-deform", broken)
    (broken / "config.json").write_text('{"settings": {"classes": 3}}')
    with pytest.raises(ValueError, match=r"config.json: does not say how deformation.npz was made"):
        train(data, tmp_path / "cnn", "-deform", broken)
    for flags in (["-chain", "x"], ["--model", "ladder", "--unlabelled", "x"]):
        with pytest.raises(SystemExit):
            train_cnn.parse_args(["-deform", str(learned), *flags])
        assert "-deform: goes with generated images and augmentation" in capsys.readouterr().err
    assert not (tmp_path / "cnn").exists()
