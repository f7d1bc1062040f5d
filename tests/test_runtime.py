"""Seeds, precision and devices; and which module may import which."""

import argparse
import json
import os
import random
import subprocess
import sys
import zlib
from pathlib import Path

import keras
import numpy as np
import pytest

from common import backend

ROOT = Path(backend.__file__).parent.parent


def test_derived_seeds_are_stable():
    # written down: models of another day have to be found again
    assert [backend.derive_seed(42, name) for name in ("0", "cat")] == [1254069530, 887437946]


def test_a_data_set_has_the_generators_batches_and_nothing_tunes_it():
    rng = np.random.default_rng(0)
    made = [
        ({"labelled": rng.random((n, 2), np.float32), "unlabelled": rng.random((3, 2), np.float32)}, np.eye(n, 3))
        for n in (3, 2, 3, 1)
    ]
    dataset = backend.as_dataset(iter(made))
    found = list(dataset.as_numpy_iterator())
    assert len(found) == 4
    for (images, labels), (expected, targets) in zip(found, made, strict=True):
        assert images.keys() == expected.keys()
        for name in expected:
            np.testing.assert_array_equal(images[name], expected[name])
        np.testing.assert_array_equal(labels, targets)
    assert dataset.options().autotune.enabled is False


def test_derived_seeds_differ_by_seed_and_name():
    names = [str(k) for k in range(100)] + ["batches", "augmentation", "pages", "joint"]
    seeds = [backend.derive_seed(seed, name) for seed in range(20) for name in names]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)


def draw_as_a_layer_does():
    return float(keras.random.uniform((), seed=keras.random.SeedGenerator()))


@pytest.mark.parametrize("draw", [random.random, np.random.random, draw_as_a_layer_does])
def test_set_seeds_reaches_every_source_of_random_numbers(draw):
    found = []
    for seed in (3, 3, 4):
        backend.set_seeds(seed)
        found.append(draw())
    assert found[0] == found[1] != found[2]


def test_set_seeds_makes_weights_equal():
    def weights(seed):
        backend.set_seeds(seed)
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).get_weights()[0]

    np.testing.assert_array_equal(weights(3), weights(3))
    assert not np.array_equal(weights(3), weights(4))


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_every_seed_of_the_command_line_is_taken(seed):
    backend.set_seeds(seed)


@pytest.mark.parametrize("text", ["auto", "cpu", "gpu", "1", "12", "cpu:2"])
def test_devices_are_taken(text):
    assert backend.devices(text) == text


@pytest.mark.parametrize("text", ["", "0", "-1", "cpu:0", "cpu:", "gpu:1", "tpu", "1.5", "auto "])
def test_other_devices_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"received {text!r}"):
        backend.devices(text)


def test_flags_have_the_documented_defaults():
    parser = argparse.ArgumentParser()
    backend.add_arguments(parser)
    assert vars(parser.parse_args([])) == {"seed": 42, "devices": "auto", "deterministic": False}


def test_configure_refuses_several_machines(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{}")
    with pytest.raises(ValueError, match=r"TF_CONFIG.*several machines"):
        backend.configure()


@pytest.mark.parametrize(("name", "words"), [("theano", "expected tensorflow, jax, torch"), ("jax", "not installed")])
def test_a_back_end_that_is_not_there_is_refused(monkeypatch, name, words):
    monkeypatch.setenv("KERAS_BACKEND", name)
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=f"KERAS_BACKEND={name}: {words}"):
        backend.configure()


def test_configure_refuses_more_gpus_than_there_are():
    with pytest.raises(ValueError, match=r"--devices 999: 999 GPU wanted, \d+ found"):
        backend.configure(devices="999")


def test_configure_sets_seeds_and_precision():
    try:
        backend.configure(seed=5, precision="mixed_bfloat16")
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        first = np.random.random()  # noqa: NPY002
    finally:
        scope = backend.configure(seed=5)
    assert keras.config.dtype_policy().name == "float32"
    assert np.random.random() == first  # noqa: NPY002
    with scope():  # one device: a context that does nothing
        assert keras.layers.Dense(1).dtype_policy.name == "float32"


# Two logical CPU devices stand in for two GPUs. They have to be set before TensorFlow starts, so in a process each.

TRAINING = """
import json, sys
from common import backend
scope = backend.configure(seed=1, devices=sys.argv[1])
import keras, numpy as np
from cnn import injection, protocols, training

def make_data(count, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=count)
    images = rng.random((count, 4, 4, 1), dtype=np.float32) + labels[:, None, None, None].astype(np.float32) / 3
    return images, np.eye(3, dtype=np.float32)[labels]

found = {}
for schedule in (
    protocols.fair("VAE", epochs=4, steps=20, batch_size=8, page_size=12),
    protocols.published("CNN", 20, epochs=4, batch_size=8),  # batches of 8, 8 and 4
):
    backend.set_seeds(1)
    with scope():
        dense = keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3, activation="softmax")
        model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), *dense])
        training.compile_classifier(model)
    batches = injection.batches(make_data(20, 0), make_data(40, 1), schedule, 7)
    history, kept = training.train(model, batches, schedule, make_data(30, 2))
    found[schedule.protocol] = {**history.to_dict("list"), "kept": [kept]}
    found[schedule.protocol]["probabilities"] = model.predict(make_data(30, 2)[0], verbose=0).ravel().tolist()
found["replicas"] = model.distribute_strategy.num_replicas_in_sync
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def trainings():
    """What the same training finds on one device and on two; both processes run at once."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", TRAINING, devices],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for devices in ("cpu", "cpu:2")
    ]
    outputs = [process.communicate(timeout=240) for process in started]
    assert [process.returncode for process in started] == [0, 0], outputs
    return [json.loads(stdout.splitlines()[-1]) for stdout, _ in outputs]


def test_two_devices_are_two_replicas(trainings):
    assert [found["replicas"] for found in trainings] == [1, 2]


@pytest.mark.parametrize("protocol", ["fair", "published"])
def test_two_devices_learn_what_one_learns_from_the_same_batches(trainings, protocol):
    one, two = (found[protocol] for found in trainings)
    assert one.keys() == two.keys()
    for name in one:
        # float32 sums in another order: 1e-7 a step, with a margin
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4, err_msg=name)


def test_a_seed_comes_of_any_folder_name_and_of_utf_8_as_ever():
    assert backend.derive_seed(42, "größe") == zlib.crc32("42 größe".encode()) % 2**31
    assert backend.derive_seed(42, os.fsdecode(b"gr\xf6")) == zlib.crc32(b"42 gr\xf6") % 2**31
