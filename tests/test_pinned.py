"""Numbers of small runs from before the scripts were made fast: a faster way has to give the same.

They were written by one processor; another rounds otherwise, hence the tolerance.
"""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import TESTS, write_digits

import generate
import train_cnn
import train_vae
from images import albums, folders

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
PINNED = json.loads((TESTS / "pinned.json").read_text())
TOLERANCE = 2e-3
ARMS = {"CNN": [], "VAE": ["-vae"], "AUG": ["--aug"], "AUG+VAE": ["-vae", "--aug"]}
PROTOCOLS = {"fair": ["--steps", "12", "-e", "3"], "published": ["--protocol", "published", "-e", "3"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Class folders of real digits, a VAE a class trained on them, their generated images, and others in their place.

    What classifiers are fed beside the data are real digits: a change of one grey level, which is all that a faster VAE
    makes, would grow in them.
    """
    return make(tmp_path_factory.mktemp("pinned"))


def make(root):
    write_digits(root / "data")
    write_digits(root / "others", num_train=28)
    for path in (root / "others" / "train").glob("*/*.png"):
        if (root / "data" / "train" / path.parent.name / path.name).exists():
            path.unlink()
    flags = ["--all", "-path", str(root / "data"), "--out", str(root / "models")]
    train_vae.main([*flags, "--images", "8", "--epochs", "20", "--latent", "2"])
    generate.main(["-models", str(root / "models"), "-out", str(root / "gen"), "--count", "20"])
    return root


def measure_vaes(root):
    tables = {name: pd.read_csv(root / "models" / name / "loss.csv") for name in "012"}
    return {name: table.iloc[[0, 9, -1]].round(5).to_dict("list") for name, table in tables.items()}


def measure_images(root):
    """The mean grey level of each class' generated images, by the first 10 and the last 10."""
    files = folders.list_images(root / "gen")
    means = {name: albums.read_images(paths).mean(axis=(1, 2, 3)) for name, paths in files.items()}
    return {name: [round(float(m), 4) for m in (mean[:10].mean(), mean[10:].mean())] for name, mean in means.items()}


def measure_classifier(root, arm, protocol):
    out = root / f"{arm}-{protocol}"
    vae = ["-vae", str(root / "others" / "train")] if "-vae" in ARMS[arm] else []
    aug = ["--aug"] if "--aug" in ARMS[arm] else []
    flags = ["-path", str(root / "data"), "-limtr", "5", "-limte", "-1", "-b", "8", "--out", str(out)]
    train_cnn.main([*flags, *vae, *aug, *PROTOCOLS[protocol]])
    result = json.loads((out / "result.json").read_text())
    history = pd.read_csv(out / "history.csv").round(6).to_dict("list")
    return {"loss": result["scores"]["loss"], "kept": result["epoch_kept"], "history": history}


def assert_same(found, pinned):
    assert found.keys() == pinned.keys()
    for name, value in pinned.items():
        if isinstance(value, dict):
            assert_same(found[name], value)
        else:
            np.testing.assert_allclose(found[name], value, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)


def test_vaes_lose_what_they_lost(made):
    assert_same(measure_vaes(made), PINNED["vaes"])


def test_generated_images_are_those_that_were_generated(made):
    found, pinned = measure_images(made), PINNED["images"]
    assert found.keys() == pinned.keys()
    for name in pinned:  # grey levels of 0 to 255
        np.testing.assert_allclose(found[name], pinned[name], atol=0.25)


@pytest.mark.parametrize(
    ("arm", "protocol"), [*((arm, "fair") for arm in ARMS), ("VAE", "published"), ("AUG+VAE", "published")]
)
def test_each_arm_learns_what_it_learned(made, arm, protocol):
    assert_same(measure_classifier(made, arm, protocol), PINNED["classifiers"][f"{arm} {protocol}"])
