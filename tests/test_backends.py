"""Every script on every back end, on tiny digits; slow, and left out where JAX or PyTorch is not installed."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import GUARD, ROOT, write_digits

pytestmark = pytest.mark.slow
TINY = ["-limtr", "4", "-limte", "2", "-b", "4", "--steps", "4"]


@pytest.fixture(scope="module", params=["tensorflow", "jax", "torch"])
def backend(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed (requirements-backends.txt)")
    return request.param


@pytest.fixture(scope="module")
def root(backend, tmp_path_factory):
    folder = tmp_path_factory.mktemp(backend)
    write_digits(folder / "data", side=8)
    return folder


@pytest.fixture(scope="session")
def first():
    """What the back end found that ran first, for the others to agree with."""
    return {}


@pytest.fixture(scope="module")
def run(backend, root):
    """Runs a script in a process of its own, in the folder `root`."""

    def call(script, *flags):
        line = [sys.executable, str(ROOT / script), *map(str, flags)]
        environment = {**os.environ, "KERAS_BACKEND": backend}
        ended = subprocess.run(line, cwd=root, env=environment, capture_output=True, text=True, timeout=GUARD)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return call


def result(folder):
    return json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="module")
def gen(run, root):
    run("train_vae.py", "--all", "--images", 4, "--epochs", 3, "--latent", 2, "--out", "models")
    run("generate.py", "-models", "models", "-out", "gen", "--count", 12)
    return root / "gen"


@pytest.fixture(scope="module")
def rbm(run, root):
    run("train_rbm.py", "--images", 4, "--hidden", 8, "--epochs", 2, "--out", "rbm")
    return root / "rbm"


def test_vaes_are_trained_and_write_images(gen, root):
    assert [len(list((gen / name).glob("*.png"))) for name in "012"] == [12] * 3
    for name in "012":
        assert len((root / "models" / name / "loss.csv").read_text().splitlines()) == 4


def test_each_arm_trains(run, root, gen):
    for arm, flags in {"CNN": [], "VAE": ["-vae", gen], "AUG": ["--aug"], "AUG+VAE": ["-vae", gen, "--aug"]}.items():
        run("train_cnn.py", *TINY, *flags, "--out", arm)
        assert (result(root / arm)["arm"], result(root / arm)["steps"]) == (arm, 4)


def test_weights_are_picked_in_the_published_protocol(run, root):
    run("train_cnn.py", *TINY[:-2], "-e", 2, "--protocol", "published", "--out", "published")
    assert result(root / "published")["epochs"] == 2
    assert "val_loss" in (root / "published" / "history.csv").read_text()


def test_chains_join_and_write_images(run, root, rbm):
    run("train_cnn.py", *TINY, "--model", "fc1", "-chain", rbm, "--labels", "y", "--out", "chain")
    assert result(root / "chain")["chain"]["drawn"] == 4 * 3 * 4
    run("generate.py", "--sampler", "chain", "-models", rbm, "-path", "data", "--count", 5, "-out", "states")
    assert len(list((root / "states" / "0").glob("*.png"))) == 5


def test_a_cglo_is_trained_and_replaces_images(run, root):
    run("train_cglo.py", "--images", 4, "--epochs", 2, "--latent", 6, "--preset", "released", "--out", "cglo")
    assert len((root / "cglo" / "losses.csv").read_text().splitlines()) == 3
    run("train_cnn.py", *TINY, "-cglo", "cglo", "--out", "replaced")
    assert result(root / "replaced")["cglo"]["of"] == 16


@pytest.mark.parametrize("model", ["cdcvae", "cdcgan"])
def test_a_conditional_model_is_trained_and_its_images_are_learned_and_assessed(run, root, model):
    models, gen, vgg, out = (f"{model}-{part}" for part in ("models", "gen", "vgg", "assess"))
    run("train_cdc.py", "--model", model, "--images", 4, "--epochs", 2, "--latent", 6, "--out", models)
    assert len((root / models / "losses.csv").read_text().splitlines()) == 3
    run("generate.py", "-models", models, "-out", gen, "--count", 4)
    assert [len(list((root / gen / name).glob("*.png"))) for name in "012"] == [4] * 3
    flags = ["--model", "vgg", "--width", 0.05, "-vae", gen, "--injection", "all"]
    run("train_cnn.py", *TINY, *flags, "--out", vgg)
    assert result(root / vgg)["images"] == {"train": 12, "test": 6, "generated": 12}
    flags = ["--features", "pixels", "classifier", "--classifier", vgg, "--steps", 2, "--images", 4]
    run("assess.py", "-real", "data", "-gen", gen, *flags, "--out", out)
    found = json.loads((root / out / "assessment.json").read_text())
    assert all(found["features"][space]["frechet"] > 0 for space in ("pixels", "classifier"))
    assert found["accuracy"]["model"] == f"the network of {vgg}"


def test_the_ladder_network_learns_from_unlabelled_images(run, root):
    run("train_cnn.py", *TINY, "--model", "ladder", "--unlabelled", "data/train", "--out", "ladder")
    assert result(root / "ladder")["unlabelled"] == 24


def test_deformations_are_learned_join_and_write_images(run, root, first):
    run(
        "train_deformation.py",
        "--images",
        3,
        "--pairs",
        2,
        "--per-class",
        "--affine",
        "--appearance",
        "--out",
        "deform",
    )
    after = pd.read_csv(root / "deform" / "pairs.csv")["after"].to_numpy()
    np.testing.assert_allclose(after, first.setdefault("after", after), rtol=0.02)
    run("generate.py", "-models", "deform", "-out", "deformed", "--count", 4)
    assert [len(list((root / "deformed" / name).glob("*.png"))) for name in "012"] == [4] * 3
    run("train_cnn.py", *TINY, "-deform", "deform", "--out", "deforming")
    assert (result(root / "deforming")["arm"], result(root / "deforming")["steps"]) == ("DEFORM", 4)


def test_wide_residual_networks_train_by_every_loss(run, root):
    wrn = [*TINY, "--model", "wrn-10-2"]
    run("train_cnn.py", *wrn, "--aug", "stroke", "--mix", "cutout", "--loss", "cosine+ce", "--out", "wrn")
    assert (result(root / "wrn")["arm"], result(root / "wrn")["steps"]) == ("AUG+CUTOUT", 4)
    run("train_cnn.py", *wrn, "--aug", "mild", "--mix", "mixmatch", "--unlabelled", "data/train", "--out", "mixmatch")
    assert result(root / "mixmatch")["unlabelled"] == 12  # the other 12 have labels


def test_several_devices_share_a_training_and_its_evaluation(backend, run, root):
    if backend == "torch":
        pytest.skip("with PyTorch one training uses one device")
    flags = ["--devices", "cpu:3", "-limtr", 4, "-limte", 4, "-b", 6, "--steps", 2]
    run("train_cnn.py", *flags, "--out", "devices")
    assert result(root / "devices")["scores"]["support"] == 12
    run("train_vae.py", "--digit", 1, "--images", 4, "--epochs", 2, "--devices", "cpu:3", "--out", "models-devices")
    assert (root / "models-devices" / "1" / "vae.keras").exists()
