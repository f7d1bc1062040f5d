"""The two loss terms, the noise and the model that adds them up, against NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from vae_aug import dense, losses
from vae_aug.layers import Sampling
from vae_aug.vae import VariationalAutoencoder

OBJECTIVES = losses.OBJECTIVES


def to_numpy(tensor):
    return ops.convert_to_numpy(tensor)


def random_pair(shape, seed=0):
    """Images and probabilities away from 0 and 1, where Keras would clip them."""
    rng = np.random.default_rng(seed)
    return rng.random(shape, dtype=np.float32), rng.uniform(0.05, 0.95, shape).astype(np.float32)


def cross_entropy(images, probabilities):
    """Binary cross-entropy of each image, summed over its values, in nats."""
    terms = -(images * np.log(probabilities) + (1 - images) * np.log(1 - probabilities))
    return terms.reshape(len(images), -1).sum(axis=1)


def kl(z_mean, z_log_var, objective):
    terms = -0.5 * (1 + z_log_var - z_mean**2 - np.exp(z_log_var))
    return terms.mean(axis=1) if objective == "thesis" else terms.sum(axis=1)


def build_vae(objective="thesis", seed=0, image_shape=(6, 6, 1), latent_dim=3):
    keras.utils.set_random_seed(seed)
    encoder, decoder = dense.build_encoder(image_shape, latent_dim), dense.build_decoder(image_shape, latent_dim)
    vae = VariationalAutoencoder(encoder, decoder, objective, seed)
    vae.compile("rmsprop")
    return vae


def set_z_log_var(vae, value):
    """Makes the encoder say the same log-variance of every image."""
    kernel, bias = vae.encoder.get_layer("z_log_var").get_weights()
    vae.encoder.get_layer("z_log_var").set_weights([np.zeros_like(kernel), np.full_like(bias, value)])


@pytest.mark.parametrize("channels", [1, 3])
def test_reconstruction_loss_is_the_summed_cross_entropy(channels):
    images, probabilities = random_pair((4, 6, 5, channels))
    loss = to_numpy(losses.reconstruction_loss(images, probabilities))
    assert loss.shape == (4,)
    np.testing.assert_allclose(loss, cross_entropy(images, probabilities), rtol=1e-5)


def test_reconstruction_loss_of_one_known_pixel():
    images = np.ones((1, 1, 1, 1), np.float32)
    loss = losses.reconstruction_loss(images, np.full_like(images, 0.25))
    np.testing.assert_allclose(to_numpy(loss), [np.log(4)], rtol=1e-6)


def test_reconstruction_loss_is_784_times_the_mean_over_the_pixels():
    images, probabilities = random_pair((3, 28, 28, 1))
    mean = [float(ops.mean(keras.losses.binary_crossentropy(images[k], probabilities[k]))) for k in range(3)]
    np.testing.assert_allclose(
        to_numpy(losses.reconstruction_loss(images, probabilities)), 784 * np.array(mean), rtol=1e-5
    )


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_kl_of_the_prior_is_zero(objective):
    zeros = np.zeros((4, 3), np.float32)
    np.testing.assert_array_equal(to_numpy(losses.kl_divergence(zeros, zeros, objective)), np.zeros(4))


@pytest.mark.parametrize(
    ("z_mean", "z_log_var", "term"),
    [
        (1.0, 0.0, 0.5),  # -0.5 * (1 + 0 - 1 - 1)
        (-2.0, 0.0, 2.0),  # -0.5 * (1 + 0 - 4 - 1)
        (0.0, np.log(4), 0.8068528),  # -0.5 * (1 + 1.3862944 - 0 - 4)
        (0.0, -np.log(2), 0.0965736),  # -0.5 * (1 - 0.6931472 - 0 - 0.5)
    ],
)
def test_kl_matches_hand_worked_values(z_mean, z_log_var, term):
    z_mean, z_log_var = np.full((2, 4), z_mean, np.float32), np.full((2, 4), z_log_var, np.float32)
    np.testing.assert_allclose(to_numpy(losses.kl_divergence(z_mean, z_log_var)), [4 * term] * 2, rtol=1e-5)
    np.testing.assert_allclose(to_numpy(losses.kl_divergence(z_mean, z_log_var, "thesis")), [term] * 2, rtol=1e-5)


@pytest.mark.parametrize("latent_dim", [1, 2, 3, 8])
def test_thesis_kl_is_the_elbo_kl_over_latent_dim(latent_dim):
    z_mean, z_log_var = np.random.default_rng(0).normal(size=(2, 5, latent_dim)).astype(np.float32)
    thesis, elbo = (to_numpy(losses.kl_divergence(z_mean, z_log_var, objective)) for objective in ("thesis", "elbo"))
    np.testing.assert_allclose(thesis, elbo / latent_dim, rtol=1e-5)
    assert np.all(elbo > 0)


@pytest.mark.parametrize(
    ("objective", "std"),
    [("thesis", [0.25, 1.0, 9.0]), ("elbo", [0.5, 1.0, 3.0]), ("kl", [0.5, 1.0, 3.0]), ("reconstruction", [0, 0, 0])],
)
def test_posterior_std_reads_the_log_variance_as_the_objective_does(objective, std):
    z_log_var = np.log(np.array([0.25, 1.0, 9.0], np.float32))
    np.testing.assert_allclose(to_numpy(losses.posterior_std(z_log_var, objective)), std, rtol=1e-5)


@pytest.mark.parametrize(
    ("objective", "std"),
    [("thesis", [np.exp(-1), np.exp(0.6)]), ("elbo", [np.exp(-0.5), np.exp(0.3)])],
)
def test_sampling_draws_from_the_objectives_posterior(objective, std):
    count = 40_000
    z_mean = np.tile(np.float32([2.0, -3.0]), (count, 1))
    z_log_var = np.tile(np.float32([-1.0, 0.6]), (count, 1))
    z = to_numpy(Sampling(objective, seed=3)((z_mean, z_log_var)))
    # five standard errors: of the mean std / sqrt(n), of the standard deviation std / sqrt(2 n)
    assert np.all(np.abs(z.mean(axis=0) - [2.0, -3.0]) < 5 * np.array(std) / np.sqrt(count))
    assert np.all(np.abs(z.std(axis=0) / std - 1) < 5 / np.sqrt(2 * count))
    eps = (z - [2.0, -3.0]) / std
    assert abs(np.corrcoef(eps.T)[0, 1]) < 5 / np.sqrt(count)
    assert abs(np.mean(eps**4) - 3) < 5 * np.sqrt(96 / (2 * count))  # a normal's kurtosis


def test_sampling_depends_on_its_seed_alone():
    inputs = np.zeros((4, 3), np.float32), np.zeros((4, 3), np.float32)

    def draws(seed, global_seed):
        keras.utils.set_random_seed(global_seed)
        layer = Sampling(seed=seed)
        return [to_numpy(layer(inputs)) for _ in range(2)]

    first, again, other = draws(5, 0), draws(5, 1), draws(6, 0)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first[0], first[1])
    assert not np.allclose(first[0], other[0])


def test_sampling_config_round_trip():
    layer = Sampling("elbo", seed=7, name="noise")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (copy.objective, copy.seed, copy.name) == ("elbo", 7, "noise")
    inputs = np.ones((2, 3), np.float32), np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(to_numpy(copy(inputs)), to_numpy(layer(inputs)))


def test_vae_config_round_trip():
    vae = build_vae("elbo", seed=9)
    copy = VariationalAutoencoder.from_config(vae.get_config())
    assert (copy.objective, copy.seed, copy.sampling.objective, copy.sampling.seed) == ("elbo", 9, "elbo", 9)
    assert [weight.shape for weight in copy.weights] == [weight.shape for weight in vae.weights]


@pytest.mark.parametrize(
    "build", [losses.check_objective, Sampling, lambda objective: VariationalAutoencoder(None, None, objective)]
)
def test_unknown_objective_is_refused(build):
    with pytest.raises(ValueError, match=r"\('thesis', 'elbo', .*\). Received: 'beta'"):
        build("beta")


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("channels", [1, 3])
def test_total_loss_is_reconstruction_plus_kl_of_the_models_own_outputs(objective, channels):
    vae = build_vae(objective, image_shape=(6, 6, channels))
    images = random_pair((5, 6, 6, channels))[0]
    state = vae.sampling.seed_generator.state.numpy()
    outputs = {name: to_numpy(value) for name, value in vae(images).items()}
    vae.sampling.seed_generator.state.assign(state)  # so that the step draws the same noise
    logs = vae.test_on_batch(images, return_dict=True)

    reconstruction = cross_entropy(images, outputs["reconstruction"]).mean()
    kl_loss = kl(outputs["z_mean"], outputs["z_log_var"], objective).mean()
    assert logs.keys() == {"loss", "reconstruction_loss", "kl_loss"}
    assert logs["reconstruction_loss"] == pytest.approx(reconstruction, rel=1e-5)
    assert logs["kl_loss"] == pytest.approx(kl_loss, rel=1e-4)
    total = {"reconstruction": reconstruction, "kl": kl_loss}.get(objective, reconstruction + kl_loss)
    assert logs["loss"] == pytest.approx(total, rel=1e-4)


def test_the_kl_term_alone_leaves_the_decoder_as_it_is():
    vae = build_vae("kl")
    before = [weight.copy() for weight in vae.decoder.get_weights()], [w.copy() for w in vae.encoder.get_weights()]
    vae.train_on_batch(random_pair((5, 6, 6, 1))[0])
    assert all(np.array_equal(old, new) for old, new in zip(before[0], vae.decoder.get_weights(), strict=True))
    assert not all(np.array_equal(old, new) for old, new in zip(before[1], vae.encoder.get_weights(), strict=True))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_model_decodes_mean_plus_noise_of_the_objectives_size(objective):
    vae = build_vae(objective)
    images = random_pair((5, 6, 6, 1))[0]
    set_z_log_var(vae, 0.7)
    state = vae.sampling.seed_generator.state.numpy()
    outputs = vae(images)
    vae.sampling.seed_generator.state.assign(state)
    eps = to_numpy(keras.random.normal((5, 3), seed=vae.sampling.seed_generator))
    z = to_numpy(outputs["z_mean"]) + {"thesis": np.exp(0.7), "reconstruction": 0}.get(objective, np.exp(0.35)) * eps
    np.testing.assert_allclose(to_numpy(outputs["reconstruction"]), to_numpy(vae.decoder(z)), rtol=1e-4)


def test_without_variance_the_model_decodes_the_mean():
    vae = build_vae()
    images = random_pair((5, 6, 6, 1))[0]
    set_z_log_var(vae, -50.0)
    outputs = vae(images)
    np.testing.assert_allclose(to_numpy(outputs["reconstruction"]), to_numpy(vae.decoder(outputs["z_mean"])), rtol=1e-5)


def test_one_training_step_reports_the_loss_before_it():
    vae, same = build_vae(seed=4), build_vae(seed=4)
    images = random_pair((5, 6, 6, 1))[0]
    before, reported = same.test_on_batch(images, return_dict=True), vae.train_on_batch(images, return_dict=True)
    assert reported.keys() == before.keys()
    for name, value in before.items():
        assert float(reported[name]) == pytest.approx(float(value), rel=1e-5)


def test_trackers_add_up_to_the_loss_over_batches_of_different_sizes():
    vae = build_vae()
    images = np.concatenate([np.ones((4, 6, 6, 1), np.float32), np.zeros((1, 6, 6, 1), np.float32)])
    logs = vae.evaluate(images, batch_size=4, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(logs["reconstruction_loss"] + logs["kl_loss"], rel=1e-5)


def test_fit_needs_no_targets_and_lowers_the_loss():
    vae = build_vae()
    images = np.tile(random_pair((1, 6, 6, 1))[0].round(), (8, 1, 1, 1))
    history = vae.fit(images, epochs=10, verbose=0).history
    assert history["loss"][-1] < 0.9 * history["loss"][0]
