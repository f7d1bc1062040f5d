"""The RBM against brute force: the 128 states of a machine of 4 pixels and 3 hidden units can be written down."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from vae_aug import rbm_training
from vae_aug.rbm import RBM, free_energy_gap, pseudo_likelihood, reconstruction_error

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, as it saves

SHAPE = (2, 2, 1)


def bits(count):
    """All binary vectors of a length: float32 `(2**count, count)`."""
    return np.array(list(itertools.product((0, 1), repeat=count)), np.float32)


V, H = bits(4), bits(3)
IMAGES = V.reshape(-1, *SHAPE)


def small(**options):
    """A 4x3 machine with weights and biases of about 1, so that no distribution is flat."""
    model = RBM(SHAPE, 3, **options)
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return model


def parameters(model):
    return tuple(np.float64(v) for v in (model.kernel, model.visible_bias, model.hidden_bias))


def joint(kernel, visible_bias, hidden_bias):
    """p(v, h) by enumeration, float64 `(16, 8)`."""
    weight = np.exp((V @ visible_bias)[:, None] + H @ hidden_bias + V @ kernel @ H.T)
    return weight / weight.sum()


@pytest.fixture(scope="module")
def model():
    return small()


@pytest.fixture(scope="module")
def exact(model):
    return joint(*parameters(model))


# Energies and conditionals


def test_free_energy_is_the_log_of_the_sum_over_all_hidden_states(model):
    kernel, visible_bias, hidden_bias = parameters(model)
    expected = -np.log(np.exp((V @ visible_bias)[:, None] + H @ hidden_bias + V @ kernel @ H.T).sum(axis=1))
    np.testing.assert_allclose(model.free_energy(IMAGES), expected, rtol=1e-5)


def test_free_energies_give_the_marginal_distribution(model, exact):
    weight = np.exp(-np.float64(model.free_energy(IMAGES)))
    np.testing.assert_allclose(weight / weight.sum(), exact.sum(axis=1), rtol=1e-4)


def test_conditionals_are_those_of_the_joint_distribution(model, exact):
    hidden = (exact @ H) / exact.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.hidden_probabilities(IMAGES), hidden, rtol=1e-5)
    visible = (exact.T @ V) / exact.sum(axis=0)[:, None]
    np.testing.assert_allclose(model.visible_probabilities(H), visible.reshape(-1, *SHAPE), rtol=1e-5)


def test_transition_has_the_exact_probabilities(model, exact):
    """From one image: the law of the next state, and of its expectation given the hidden units."""
    start, count = 5, 40_000
    given = exact[start] / exact[start].sum()  # p(h | v)
    expected = given @ (exact / exact.sum(axis=0)).T  # p(v' | v)
    states, expectations = model.transition(np.repeat(IMAGES[[start]], count, axis=0), keras.random.SeedGenerator(1))
    found = np.bincount(places(states), minlength=16) / count
    np.testing.assert_allclose(found, expected, atol=5 * np.sqrt(0.25 / count))
    mean = np.mean(np.asarray(expectations), axis=0)
    np.testing.assert_allclose(mean, (expected @ V).reshape(SHAPE), atol=5 * np.sqrt(0.25 / count))


def places(images):
    """Where binary images of 4 pixels stand in `V`."""
    return np.int64(np.asarray(images).reshape(-1, 4) @ [8, 4, 2, 1])


def test_the_chain_s_stationary_distribution_is_the_exact_one(model, exact):
    """2,000 chains from a blank image, 50 steps to forget it, then 50 states of each."""
    states, seed = np.zeros((2000, *SHAPE), np.float32), keras.random.SeedGenerator(0)
    counts = np.zeros(16)
    for step in range(100):
        states, _ = model.transition(states, seed)
        counts += (step >= 50) * np.bincount(places(states), minlength=16)
    assert counts.sum() == 100_000
    # states of one chain follow each other closely: as if only one in ten were independent
    np.testing.assert_allclose(counts / counts.sum(), exact.sum(axis=1), atol=5 * np.sqrt(0.25 / 10_000))
    assert 0.5 * np.abs(counts / counts.sum() - exact.sum(axis=1)).sum() < 0.01


# The loss and its gradient


class Given(RBM):
    """Its chains end where it is told."""

    ends = None

    def call(self, images, training=False):
        return self.ends, images


def moments(distribution, hidden):
    """Mean of v h', v and h under weights of the 16 images."""
    return (V * distribution[:, None]).T @ hidden, distribution @ V, distribution @ hidden


def step_of_gradient_descent(model, images):
    """What one update subtracts from kernel, visible and hidden bias at a learning rate of 1."""
    before = parameters(model)
    model.compile(keras.optimizers.SGD(1.0))
    model.train_on_batch(images)
    return [old - new for old, new in zip(before, parameters(model), strict=True)]


def test_gradient_is_that_of_contrastive_divergence():
    """Data moments less chain moments with p(h | v) for the hidden units, in closed form."""
    model = small()
    given = Given.from_config(model.get_config())
    given.set_weights(model.get_weights())
    data, ends = IMAGES[[1, 5, 5, 12]], IMAGES[[0, 2, 7, 14, 15]]
    given.ends = ops.convert_to_tensor(ends)
    hidden = np.float64(model.hidden_probabilities(IMAGES))
    weights = [np.bincount(places(part), minlength=16) / len(part) for part in (data, ends)]
    expected = [end - start for start, end in zip(*(moments(w, hidden) for w in weights), strict=True)]
    for found, gradient in zip(step_of_gradient_descent(given, data), expected, strict=True):
        np.testing.assert_allclose(found, gradient, atol=1e-6)


def test_with_chains_from_the_model_it_is_the_gradient_of_the_likelihood(exact):
    """Chain ends in proportion to their exact probability, to 1 in 20,000, against finite differences of log p."""
    model = small()
    given = Given.from_config(model.get_config())
    given.set_weights(model.get_weights())
    given.ends = ops.convert_to_tensor(np.repeat(IMAGES, np.round(exact.sum(axis=1) * 20_000).astype(int), axis=0))
    data = IMAGES[[1, 5, 5, 12]]

    def log_likelihood(*values):
        return np.log(joint(*values).sum(axis=1))[places(data)].mean()

    values = [value.copy() for value in parameters(model)]
    found = step_of_gradient_descent(given, data)
    for value, gradient in zip(values, found, strict=True):
        for place in np.ndindex(value.shape):
            middle = value[place]
            value[place] = middle + 1e-5
            above = log_likelihood(*values)
            value[place] = middle - 1e-5
            below = log_likelihood(*values)
            value[place] = middle
            assert -(above - below) / 2e-5 == pytest.approx(gradient[place], abs=1e-3)


def test_mean_update_of_cd_1_is_the_exact_one(exact):
    """Over many images the sampled update comes to its expectation under one exact Gibbs step."""
    model = small(seed=5)
    weights = np.full(16, 1 / 16)
    transition = (exact / exact.sum(axis=1, keepdims=True)) @ (exact / exact.sum(axis=0)).T  # p(v' | v), (16, 16)
    hidden = np.float64(model.hidden_probabilities(IMAGES))
    start, end = moments(weights, hidden), moments(weights @ transition, hidden)
    found = step_of_gradient_descent(model, np.repeat(IMAGES, 5000, axis=0))
    for update, first, last in zip(found, start, end, strict=True):
        np.testing.assert_allclose(update, last - first, atol=5 * np.sqrt(0.25 / 80_000))


def test_weights_decay_and_biases_do_not():
    model, plain = small(weight_decay=0.1, seed=1), small(seed=1)
    images = IMAGES[[1, 5, 12]]
    kernel = parameters(model)[0]
    moved, other = (step_of_gradient_descent(m, images) for m in (model, plain))
    np.testing.assert_allclose(moved[0] - other[0], 0.1 * kernel, atol=1e-6)
    np.testing.assert_allclose(moved[1], other[1], atol=1e-6)
    np.testing.assert_allclose(moved[2], other[2], atol=1e-6)


def test_k_steps_are_one_step_k_times():
    states, seed = IMAGES, keras.random.SeedGenerator(7)
    for _ in range(3):
        states, expectations = small().transition(states, seed)
    found = small(k=3, seed=7)(IMAGES)
    np.testing.assert_array_equal(found[0], states)
    np.testing.assert_array_equal(found[1], expectations)


# Persistent chains


def test_persistent_chains_go_on_while_training_and_rest_otherwise():
    model = small(num_chains=6, seed=2)
    assert not np.any(model.chains)
    assert len(model.trainable_variables) == 3
    model.compile(keras.optimizers.SGD(0.1))
    expected, _ = small().transition(np.zeros((6, *SHAPE), np.float32), keras.random.SeedGenerator(2))
    model.train_on_batch(IMAGES[:4])
    np.testing.assert_array_equal(model.chains, expected)
    model.test_on_batch(IMAGES[:4])
    model.predict_on_batch(IMAGES[:4])
    np.testing.assert_array_equal(model.chains, expected)
    before = model.get_weights()[-1]
    for _ in range(5):
        model.train_on_batch(IMAGES[:4])
    after = model.get_weights()[-1]
    assert not np.array_equal(before, after)
    assert set(np.unique(after)) <= {0, 1}


# Learning


def bars_and_stripes(side):
    """All images whose rows are each uniform, or whose columns are: float32 `(2 * 2**side - 2, side, side, 1)`."""
    bars = [np.tile(pattern, (side, 1)) for pattern in bits(side)]
    patterns = np.unique(np.stack([*bars, *(bar.T for bar in bars)]).reshape(-1, side * side), axis=0)
    return patterns.reshape(-1, side, side, 1)


def log_likelihood(model, images):
    """Exact mean log p(image): the partition function sums over all images."""
    energies = -np.float64(model.free_energy(bits(9).reshape(-1, 3, 3, 1)))
    return float(np.mean(-np.float64(model.free_energy(images))) - np.logaddexp.reduce(energies))


@pytest.mark.parametrize(
    ("num_chains", "momentum", "epochs", "distance"),
    [
        pytest.param(0, 0.9, 50, 0.3, id="CD-5"),
        pytest.param(500, 0.5, 150, 0.5, id="PCD-5", marks=pytest.mark.slow),  # 16 s
    ],
)
def test_bars_and_stripes_are_learnt_almost_to_the_optimum(num_chains, momentum, epochs, distance):
    """In nats an image. The optimum is -log 14 = -2.64; pixel frequencies alone give -9 log 2 = -6.24."""
    images = bars_and_stripes(3)
    assert len(images) == 14
    model = rbm_training.build(images, 16, 0.1, momentum, k=5, num_chains=num_chains, seed=0)
    assert log_likelihood(model, images) == pytest.approx(-9 * np.log(2), abs=0.01)
    model.fit(np.tile(images, (100, 1, 1, 1)), batch_size=140, epochs=epochs, shuffle=False, verbose=0)
    assert log_likelihood(model, images) > -np.log(14) - distance


def test_a_new_machine_knows_the_frequency_of_each_pixel():
    images = (np.random.default_rng(0).random((50, 2, 3, 1)) < [[[0.1], [0.5], [0.9]]]).astype(np.float32)
    model = rbm_training.build(images, 4, 0.1)
    lit = (images.sum(axis=0) + 1) / 52
    np.testing.assert_allclose(model.visible_probabilities(np.zeros((1, 4), np.float32))[0], lit, rtol=1e-5)


# Monitors


def test_pseudo_likelihood_is_that_of_every_pixel_given_the_others(model, exact):
    marginal = exact.sum(axis=1)
    start, expected = 6, 0.0
    for pixel in (8, 4, 2, 1):
        expected += np.log(marginal[start] / (marginal[start] + marginal[start ^ pixel]))
    images = np.repeat(IMAGES[[start]], 20_000, axis=0)
    found = np.array(pseudo_likelihood(model, images, keras.random.SeedGenerator(0)))
    assert found.shape == (20_000,)
    assert found.mean() == pytest.approx(expected, abs=5 * found.std() / np.sqrt(20_000))


def test_reconstruction_error_is_the_mean_squared_difference_from_the_expectation(model):
    images = np.repeat(IMAGES[[3, 9]], 2, axis=0)
    found = reconstruction_error(model, images, keras.random.SeedGenerator(4))
    _, expectations = model.transition(images, keras.random.SeedGenerator(4))
    np.testing.assert_allclose(found, np.square(images - expectations).reshape(4, -1).mean(axis=1), rtol=1e-6)


def test_free_energy_gap_is_between_the_means(model):
    energies = np.float64(model.free_energy(IMAGES))
    found = free_energy_gap(model, IMAGES[:5], IMAGES[5:7])
    assert float(found) == pytest.approx(energies[5:7].mean() - energies[:5].mean(), rel=1e-5)


def test_history_says_what_the_monitors_saw():
    model, calls = small(), []
    model.compile(keras.optimizers.SGD(0.01))
    history = rbm_training.train(
        model, IMAGES[:7], IMAGES[7:9], 3, seed=0, batch_size=3, on_epoch=lambda: calls.append(1)
    )
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert len(calls) == 3
    assert int(model.optimizer.iterations) == 9
    for row in history:
        assert row.keys() == {"epoch", *rbm_training.MONITORS}
        assert row["free_energy_gap"] == pytest.approx(row["free_energy_heldout"] - row["free_energy_train"])
    last = history[-1]
    assert last["free_energy_train"] == pytest.approx(float(ops.mean(model.free_energy(IMAGES[:7]))), rel=1e-4)
    assert last["free_energy_heldout"] == pytest.approx(float(ops.mean(model.free_energy(IMAGES[7:9]))), rel=1e-4)
    assert last["pseudo_likelihood"] < 0 < last["reconstruction_error"] < 1


def test_without_heldout_images_their_monitors_are_nan():
    model = small()
    model.compile(keras.optimizers.SGD(0.01))
    (row,) = rbm_training.train(model, IMAGES, IMAGES[:0], 1, seed=0, batch_size=16)
    assert {name for name in row if np.isnan(row[name])} == {"free_energy_heldout", "free_energy_gap"}


def test_training_follows_from_the_seed():
    def run(seed):
        model = rbm_training.build(IMAGES, 3, 0.1, momentum=0.5, num_chains=4, seed=seed)
        return rbm_training.train(model, IMAGES, IMAGES[:2], 2, seed, batch_size=4), model.get_weights()

    (first, weights), (again, same), (other, _) = run(1), run(1), run(2)
    assert first == again != other
    for weight, twin in zip(weights, same, strict=True):
        np.testing.assert_array_equal(weight, twin)


def test_a_learning_rate_that_is_too_large_ends_the_training():
    model = rbm_training.build(IMAGES, 3, 1e38, seed=0)
    with pytest.raises(FloatingPointError, match="smaller learning rate"):
        rbm_training.train(model, IMAGES, IMAGES[:0], 30, seed=0, batch_size=4)


# Saving


@pytest.mark.parametrize("num_chains", [0, 5])
def test_a_saved_machine_is_the_same_machine(tmp_path, num_chains):
    model = rbm_training.build(IMAGES, 3, 0.1, 0.9, 0.01, k=2, num_chains=num_chains, seed=4)
    rbm_training.train(model, IMAGES, IMAGES[:0], 2, seed=0, batch_size=4)
    model.save(tmp_path / "rbm.keras", include_optimizer=False)
    loaded = keras.saving.load_model(tmp_path / "rbm.keras")
    assert type(loaded) is RBM
    assert loaded.get_config() == model.get_config()
    for weight, expected in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(weight, expected)
    np.testing.assert_array_equal(loaded.free_energy(IMAGES), model.free_energy(IMAGES))
    assert (loaded.chains is None) == (num_chains == 0)


def test_colour_images_are_flattened_inside():
    images = (np.random.default_rng(0).random((4, 3, 5, 3)) < 0.5).astype(np.float32)
    model = RBM((3, 5, 3), 6)
    states, expectations = model.predict(images, verbose=0)
    assert states.shape == expectations.shape == images.shape
    assert model.kernel.shape == (45, 6)
    assert ops.shape(model.free_energy(images)) == (4,)
