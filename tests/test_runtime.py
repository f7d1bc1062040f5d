"""Seeds, precision and devices; and which module may import which."""

import argparse
import os
import random
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from common import backend, environment

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


def test_memory_that_is_freed_is_not_cleared_again():
    code = """
import resource, numpy as np
from common import backend
{}
def use():
    for _ in range(20):
        np.ones(5_000_000)  # 40 MB, 9,766 pages
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    faults = [
        int(
            subprocess.run([sys.executable, "-c", code.format(line)], check=True, capture_output=True, text=True).stdout
        )
        for line in ("", "backend._keep_memory()")
    ]
    if faults[0] < 1000:
        pytest.skip("this C library keeps it by itself")
    assert faults[1] < faults[0] / 10


def test_memory_is_left_alone_where_there_is_no_glibc(monkeypatch):
    asked = []
    monkeypatch.setattr(backend.ctypes, "CDLL", lambda name: asked.append(name) or object())  # without mallopt
    backend._keep_memory()
    assert asked == [None]


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


@pytest.mark.parametrize(("flags", "said"), [("fpu avx2", True), ("fpu avx512f avx512_bf16", False)])
def test_bfloat16_that_is_emulated_is_said(monkeypatch, caplog, flags, said):
    monkeypatch.setattr(backend, "_processor_flags", lambda: set(flags.split()))
    try:
        with caplog.at_level("INFO"):
            backend.configure(precision="mixed_bfloat16", devices="cpu")
    finally:
        backend.configure()
    assert ("this processor has no bfloat16 instructions" in caplog.text) == said


def test_the_back_end_that_keras_chose_is_recorded_and_passed_on(monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND")
    backend.configure(0)
    assert os.environ["KERAS_BACKEND"] == environment.environment()["backend"] == keras.backend.backend()
