"""Saved models from anyone: whatever is wrong with one ends in one line that names the file, and runs nothing."""

import json
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
from conftest import ROOT

from cnn import ensemble
from cnn.ladder import Ladder
from common import archives
from common.errors import BadInput
from vae_aug import cdcgan, cdcvae
from vae_aug.rbm import RBM
from vae_aug.vae import VariationalAutoencoder

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, as it saves


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    """A saved model of Keras' own layers."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4), keras.layers.Reshape((2, 2, 1))])
    path = tmp_path_factory.mktemp("models") / "decoder.keras"
    model.save(path)
    return path


def rewrite(path, out, change=None, **parts):
    """Copies a saved model with `change` made to its configuration, and with other parts."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    if change is not None:
        config = json.loads(content["config.json"])
        content["config.json"] = json.dumps(change(config) or config)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (content | {name.replace("__", "."): data for name, data in parts.items()}).items():
            if data is not None:
                archive.writestr(name, data)
    return out


def set_dense(**changed):
    """A change of the configuration of the one dense layer."""

    def change(config):
        dense = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Dense")
        for key, value in changed.items():
            if key in ("module", "class_name", "registered_name"):
                dense[key] = value
            else:
                dense["config"][key] = value

    return change


FOREIGN = {"module": "os", "class_name": "system", "config": "touch run", "registered_name": "system"}
HOSTILE = {
    "a list": lambda config: [config],
    "an empty object": lambda config: {"x": 1},
    "a class of no name": lambda config: {**config, "class_name": None},
    "a foreign class": set_dense(module="subprocess", class_name="Popen", registered_name=None),
    "a class of another package": set_dense(module=None, class_name="Dense", registered_name="theirs>Dense"),
    "a foreign function": set_dense(activation=FOREIGN),
    "a class that Keras has not": set_dense(class_name="Tense"),
    "no layers": lambda config: {**config, "config": {}},
    "layers that are none": lambda config: {**config, "config": {"layers": 5}},
    "units below zero": set_dense(units=-3),
    "units that are no number": set_dense(units="many"),
    "units that the weights have not": set_dense(units=5),
    "more units than there is memory": set_dense(units=10**15),
    "a function of code": set_dense(activation={"class_name": "__lambda__", "config": {"value": "4wAAAA=="}}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_configuration_ends_in_one_line(decoder, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    path = rewrite(decoder, tmp_path / "m.keras", HOSTILE[kind])
    with pytest.raises(BadInput, match=r"m\.keras: ") as error:
        archives.load_model(path)
    assert len(str(error.value)) < len(str(path)) + 250
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.keras"]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"config__json": b"null"}, "describes no model"),
        ({"config__json": b"["}, "describes no model"),
        ({"config__json": b"[" * 100_000}, "describes no model"),
        ({"config__json": b'{"class_name": ' * 10_000 + b"1" + b"}" * 10_000}, "describes no model"),
        ({"config__json": None}, "not a readable model"),
        ({"model__weights__h5": None}, "not a readable model"),
        ({"model__weights__h5": b"weights"}, "not a readable model"),
    ],
)
def test_a_broken_part_is_found_without_keras(decoder, tmp_path, parts, words):
    with pytest.raises(BadInput, match=rf"m\.keras: .*{words}"):
        archives.check_model(rewrite(decoder, tmp_path / "m.keras", **parts))


def test_what_unpacks_to_more_than_is_taken_is_refused(decoder, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 2**20)
    path = rewrite(decoder, tmp_path / "m.keras", model__weights__h5=bytes(2**21))
    assert path.stat().st_size < 2**16
    with pytest.raises(BadInput, match=r"m\.keras: would unpack to 0\.0 GB"):
        archives.check_model(path)
    np.savez_compressed(tmp_path / "a.npz", z_mean=np.zeros(2**20))
    with pytest.raises(BadInput, match=r"a\.npz: would unpack"):
        archives.load_arrays(tmp_path / "a.npz")


def test_weights_that_are_packed_inside_are_not_unpacked(decoder, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 2**20)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("layers/dense/vars/0", data=np.zeros(2**20), compression="gzip")
    path = rewrite(decoder, tmp_path / "m.keras", model__weights__h5=(tmp_path / "w.h5").read_bytes())
    with pytest.raises(BadInput, match=r"m\.keras: holds weights of"):
        archives.check_model(path)


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"no archive"])
def test_arrays_that_are_none_are_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.npz: not a readable"):
        archives.load_arrays(tmp_path / "a.npz")


def test_pickled_objects_are_not_read(tmp_path):
    np.savez(tmp_path / "a.npz", z_mean=np.array([{}], dtype=object))
    with pytest.raises(BadInput, match=r"a\.npz: not a readable"):
        archives.load_arrays(tmp_path / "a.npz")


def test_good_files_load(decoder, tmp_path):
    model = archives.load_model(decoder)
    assert model.output_shape == (None, 2, 2, 1)
    archives.load_weights(model, decoder)
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    assert archives.load_arrays(tmp_path / "a.npz")["x"].tolist() == [0, 1, 2]


def test_a_trained_model_is_saved_without_its_optimizer(tmp_path):
    model = keras.Sequential([keras.Input((50,)), keras.layers.Dense(400)])
    archives.save_model(model, tmp_path / "never-compiled.keras")
    model.compile("adam", "mse")
    x, y = np.random.default_rng(0).normal(size=(2, 8, 50)).astype("float32"), np.zeros((8, 400), np.float32)
    model.fit(x[0], y, verbose=0)
    model.save(tmp_path / "whole.keras")
    archives.save_model(model, tmp_path / "alone.keras")
    whole, alone = ((tmp_path / name).stat().st_size for name in ("whole.keras", "alone.keras"))
    assert 0.3 < alone / whole < 0.45  # Adam keeps two moments of each weight
    assert alone == pytest.approx((tmp_path / "never-compiled.keras").stat().st_size, rel=0.02)
    again = keras.saving.load_model(tmp_path / "alone.keras")
    assert not again.compiled
    np.testing.assert_array_equal(again.predict(x[1], verbose=0), model.predict(x[1], verbose=0))
    archives.save_model(ensemble.average([model]), tmp_path / "average.keras")
    assert (tmp_path / "average.keras").stat().st_size < 1.2 * alone
    assert model.compiled
    model.fit(x[0], y, verbose=0)  # goes on


LOAD = """
import sys, keras, vae_aug.registered, cnn.registered
print(*(type(keras.saving.load_model(path)).__name__ for path in sys.argv[1:]))
"""


def test_our_models_load_in_a_process_that_imports_the_package(decoder, tmp_path, monkeypatch):
    monkeypatch.setattr(cdcgan, "UNITS", 16)
    encoder = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    models = {
        "vae": VariationalAutoencoder(encoder, keras.saving.load_model(decoder)),
        "rbm": RBM((2, 2, 1), 3),
        "ladder": Ladder((2, 2, 1), 2, (3, 3), 0.1),
        "cdcvae": cdcvae.build_encoder((8, 8, 1), 3, 2),
    }
    paths = []
    for name, model in models.items():
        if not model.built:
            model.build((None, 2, 2, 1))
        paths.append(str(tmp_path / f"{name}.keras"))
        model.save(paths[-1])
    ended = subprocess.run([sys.executable, "-c", LOAD, *paths], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.stdout.split() == ["VariationalAutoencoder", "RBM", "Ladder", "Functional"], ended.stderr
