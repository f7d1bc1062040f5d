"""Markov chains from images: which state comes when, whose it is, restarts, seeds, and models read from a folder."""

import json
import resource

import keras
import numpy as np
import pytest
from keras import ops

from common import saved
from vae_aug import chains, training
from vae_aug.rbm import RBM

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, as it saves

SHAPE = (4, 4, 1)


class Counting:
    """A model whose states count the steps since the start: it adds 1. Expectations are a thousandth of the states."""

    image_shape = (1, 1, 1)

    def transition(self, images, seed_generator):
        del seed_generator
        return images + 1, (images + 1) / 1000


def counting(num_starts=3, length=4, **options):
    """Chains that start at 0, 100, 200, ..."""
    starts = 100 * np.arange(num_starts, dtype=np.float32).reshape(-1, 1, 1, 1)
    return chains.Chains(Counting(), starts, length, seed=0, **options)


def values(walk, count):
    images, rows = walk.next(count)
    assert (images.shape, images.dtype) == ((count, 1, 1, 1), np.float32)
    assert (rows.shape, rows.dtype) == ((count,), np.int64)
    return images.ravel().tolist(), rows.tolist()


def binary(count, seed=0, shape=SHAPE):
    return (np.random.default_rng(seed).random((count, *shape)) < 0.5).astype(np.float32)


@pytest.fixture(scope="module")
def rbm():
    model = RBM(SHAPE, 5, seed=1)
    model.kernel.assign(np.random.default_rng(0).normal(size=model.kernel.shape))
    return model


@pytest.fixture(scope="module")
def vae():
    keras.utils.set_random_seed(0)
    model = training.build("dense", SHAPE, 2, "elbo", 0)
    model(binary(1))
    return model


@pytest.fixture(params=["rbm", "vae"])
def model(request):
    return request.getfixturevalue(request.param)


# Order, restarts, labels


def test_all_chains_advance_together_and_the_start_is_no_state():
    assert values(counting(), 7) == ([1, 101, 201, 2, 102, 202, 3], [0, 1, 2, 0, 1, 2, 0])


def test_each_chain_restarts_from_its_image_after_its_length():
    found, rows = values(counting(2, length=3), 12)
    assert found == [1, 101, 2, 102, 3, 103] * 2
    assert rows == [0, 1] * 6


@pytest.mark.parametrize("length", [1, 2, 7, 60, 101])
@pytest.mark.parametrize("num_starts", [1, 3])
def test_lengths_that_no_block_divides_are_kept(length, num_starts):
    found, _ = values(counting(num_starts, length), 2 * length * num_starts)
    assert found[::num_starts] == [*range(1, length + 1)] * 2


def test_what_comes_does_not_depend_on_how_it_is_asked_for():
    walk = counting()
    parts = [values(walk, count) for count in (1, 5, 0, 2, 12)]
    found, rows = ([number for part in kind for number in part] for kind in zip(*parts, strict=True))
    assert (found, rows) == values(counting(), 20)


@pytest.mark.parametrize(("thin", "states"), [(2, [2, 4, 6]), (3, [3, 6]), (4, [4]), (7, [7])])
def test_thinning_keeps_every_kth_state_and_counts_from_the_start(thin, states):
    found, rows = values(counting(2, length=7, thin=thin), 4 * len(states))
    assert found == [value for state in states for value in (state, state + 100)] * 2
    assert rows == [0, 1] * 2 * len(states)


def test_expectations_come_in_place_of_the_states_and_the_chain_goes_on_from_the_states():
    found, _ = values(counting(1, expectation=True), 5)
    assert found == pytest.approx([0.001, 0.002, 0.003, 0.004, 0.001])


def test_more_starts_than_a_block_keep_their_order(monkeypatch):
    monkeypatch.setattr(chains, "BLOCK", 4)
    found, rows = values(counting(10, length=2), 30)
    assert rows == [*range(10)] * 3
    assert found == [100 * k + state for state in (1, 2, 1) for k in range(10)]


@pytest.mark.parametrize(
    ("options", "words"), [({"num_starts": 0}, "0 starts"), ({"length": 0}, "length 0"), ({"thin": 5}, "thin 5")]
)
def test_chains_without_states_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        counting(**options)


def test_images_of_another_shape_are_refused(rbm):
    with pytest.raises(ValueError, match=r"\(4, 4, 1\).*Received: \(5, 4, 1\)"):
        chains.Chains(rbm, binary(2, shape=(5, 4, 1)), 3, seed=0)


# Models


def test_states_are_binary_and_expectations_probabilities(model):
    states, rows = chains.Chains(model, binary(3), 5, seed=0).next(20)
    assert (states.shape, states.dtype) == ((20, *SHAPE), np.float32)
    assert set(np.unique(states)) == {0, 1}
    assert rows.tolist() == [k % 3 for k in range(20)]
    expectations, _ = chains.Chains(model, binary(3), 5, seed=0, expectation=True).next(20)
    assert expectations.min() > 0
    assert expectations.max() < 1
    assert len(np.unique(expectations)) > 20


def test_chains_follow_from_the_seed(model):
    first, again, other = (chains.Chains(model, binary(3), 6, seed).next(30)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[:18], first[12:])  # a chain that restarts goes another way


def test_making_chains_leaves_the_model_alone(model):
    before = model.get_weights()
    chains.Chains(model, binary(3), 5, seed=0).next(20)
    for weight, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_states_have_the_probabilities_of_their_expectations(model):
    """One step from one image, 20,000 times: the mean state is the mean expectation."""
    starts = np.repeat(binary(1), 1000, axis=0)
    walks = [chains.Chains(model, starts, 1, seed=3, expectation=expectation) for expectation in (False, True)]
    states, expectations = (walk.next(20_000)[0].mean(axis=0) for walk in walks)
    np.testing.assert_allclose(states, expectations, atol=5 * np.sqrt(0.25 / 20_000))
    # The same seed gives the same hidden units, so that the difference is the last draw's alone.


def test_a_vae_s_chain_draws_from_q_and_decodes(vae):
    images, seed = binary(4), keras.random.SeedGenerator(5)
    z_mean, z_log_var = vae.encoder(images)
    eps = keras.random.normal((4, 2), seed=seed)
    probabilities = vae.decoder(z_mean + ops.exp(z_log_var / 2) * eps)
    uniform = keras.random.uniform((4, *SHAPE), seed=seed)
    states, expectations = chains.advance(vae, images, keras.random.SeedGenerator(5))
    np.testing.assert_allclose(expectations, probabilities, rtol=1e-6)
    np.testing.assert_array_equal(states, np.float32(np.asarray(uniform) < np.asarray(probabilities)))


@pytest.mark.slow
def test_a_thousand_chains_of_a_thousand_states_fit_in_memory():
    """1,000,000 images of 28x28, 3.1 GB in all, a batch at a time."""
    model, starts = RBM((28, 28, 1), 500), binary(1000, shape=(28, 28, 1))
    walk = chains.Chains(model, starts, 1000, seed=0)
    walk.next(1000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(1000):
        walk.next(1000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


# Folders of models


def save(model, path, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path, include_optimizer=False)
    (path.parent / "config.json").write_text(json.dumps({"settings": {"image_shape": SHAPE, **settings}}))
    return path.parent


def test_a_model_is_found_where_its_script_puts_it(tmp_path, rbm, vae):
    save(rbm, tmp_path / "rbm/rbm.keras")
    save(vae, tmp_path / "vae/joint/vae.keras", binarise=True, objective="elbo")
    starts = binary(3)
    for folder, model in (("rbm", rbm), ("vae", vae), ("vae/joint", vae)):
        loaded = saved.load(tmp_path / folder)
        assert type(loaded) is type(model)
        assert tuple(loaded.image_shape) == SHAPE
        found, expected = (chains.Chains(m, starts, 4, seed=0, expectation=True).next(12)[0] for m in (loaded, model))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"objective": "elbo"}, "a VAE of grey levels"),
        ({"objective": "kl", "binarise": True}, "--objective kl"),
        ({"image_shape": None}, "does not say how vae.keras was made"),
    ],
)
def test_a_vae_that_is_not_for_chains_is_refused(tmp_path, vae, settings, words):
    save(vae, tmp_path / "vae.keras", **settings)
    with pytest.raises(ValueError, match=words):
        saved.load(tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ValueError, match=r"no model in it that can run a chain"):
            saved.load(folder)


def test_a_broken_model_is_named(tmp_path, rbm):
    (save(rbm, tmp_path / "rbm.keras") / "rbm.keras").write_bytes(b"PK\3\4 cut short")
    with pytest.raises(ValueError, match=r"rbm\.keras: not a readable model"):
        saved.load(tmp_path)


def test_a_model_trained_anew_has_another_fingerprint(tmp_path, rbm):
    other = RBM(SHAPE, 5, seed=2)
    found = {saved.find(save(model, tmp_path / "rbm.keras")).sha256 for model in (rbm, rbm, other)}
    assert len(found) == 2


def test_a_machine_keeps_its_precision_whatever_the_policy(tmp_path, rbm):
    save(rbm, tmp_path / "rbm.keras")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        states, _ = chains.Chains(saved.load(tmp_path), binary(3), 4, seed=0).next(12)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(states, chains.Chains(rbm, binary(3), 4, seed=0).next(12)[0])
