"""Training of the generative models: what a history says, how many steps there were, and restarts without a trace."""

import keras
import numpy as np
import pytest
from conftest import write_digits

import train_vae
from common import backend, runs
from images import codec, sources
from vae_aug import training
from vae_aug.vae import VariationalAutoencoder

VAE_LOSSES = ("loss", "reconstruction_loss", "kl_loss")


@pytest.fixture(scope="module")
def real():
    """Real digits by class: float32 `(num_images, 12, 12, 1)` in [0, 1]."""
    data = sources.digits(seed=0, side=12)
    return {label: codec.to_float(data.x_train[data.y_train == label][..., None]) for label in range(3)}


def build(architecture="dense", objective="thesis", seed=0, latent_dim=3):
    keras.utils.set_random_seed(seed)
    return training.build(architecture, (12, 12, 1), latent_dim, objective, seed)


class FakeModel:
    """Says that its loss is the mean of all pixels since the last reset, and remembers what it was given."""

    def __init__(self):
        self.trained, self.tested, self.targets = [], [], []
        self.seen = np.empty(0)

    def reset_metrics(self):
        self.seen = np.empty(0)

    def report(self, x):
        self.seen = np.append(self.seen, x)
        return {"loss": self.seen.mean()}

    def train_on_batch(self, x, y, return_dict):
        assert return_dict
        self.trained.append(x.ravel())
        self.targets.append(y.ravel())
        return self.report(x)

    def test_on_batch(self, x, y, return_dict):
        assert return_dict
        self.tested.append(x.ravel())
        return self.report(x)


def numbered(count, first=0):
    """Images of one pixel that hold their own number."""
    return np.arange(first, first + count, dtype=np.float32).reshape(-1, 1, 1, 1)


@pytest.mark.parametrize(
    ("architecture", "objective"), [("conv", "thesis"), ("dense", "thesis"), ("dense", "elbo"), ("autoencoder", None)]
)
def test_loss_falls_on_real_digits(real, architecture, objective):
    model = build(architecture, objective)
    history = training.train(model, real[1][:4], real[1][4:6], 12, seed=0, batch_size=2)
    assert history[-1]["loss"] < 0.95 * history[0]["loss"]
    assert history[-1]["val_loss"] < history[0]["val_loss"]


@pytest.mark.parametrize(("architecture", "names"), [("dense", VAE_LOSSES), ("autoencoder", ("loss",))])
def test_history_has_one_row_an_epoch_with_every_loss(real, architecture, names):
    calls = []
    history = training.train(
        build(architecture), real[0][:3], real[0][3:5], 4, seed=0, on_epoch=lambda: calls.append(len(calls))
    )
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert len(calls) == 4
    for row in history:
        assert row.keys() == {"epoch", *names, *(f"val_{name}" for name in names)}
        assert all(np.isfinite(value) for value in row.values())
        if architecture == "dense":
            assert row["loss"] == pytest.approx(row["reconstruction_loss"] + row["kl_loss"], rel=1e-5)
            assert row["val_loss"] == pytest.approx(row["val_reconstruction_loss"] + row["val_kl_loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("num_images", "batch_size", "steps"), [(4, 100, 1), (7, 3, 3), (6, 3, 2), (5, 1, 5)], ids=lambda n: str(n)
)
def test_an_epoch_takes_as_many_steps_as_batches(real, num_images, batch_size, steps):
    model = build("autoencoder")
    training.train(model, real[0][:num_images], real[0][10:14], 3, seed=0, batch_size=batch_size)
    assert int(model.optimizer.iterations) == 3 * steps


def test_mean_loss_weighs_a_smaller_last_batch_by_its_images():
    history = training.train(FakeModel(), numbered(7), numbered(5, first=100), 2, seed=0, batch_size=3)
    # (0 + ... + 6) / 7 = 3 whatever the order; the mean of the three batches' means would depend on it
    assert [row["loss"] for row in history] == pytest.approx([3, 3])
    # batches 100 101 102 and 103 104: (3 * 101 + 2 * 103.5) / 5 = 102, and not (101 + 103.5) / 2 = 102.25
    assert [row["val_loss"] for row in history] == pytest.approx([102, 102])


def test_each_epoch_visits_every_image_once_in_a_new_order():
    model = FakeModel()
    training.train(model, numbered(7), numbered(5, first=100), 3, seed=0, batch_size=3)
    assert [len(batch) for batch in model.trained] == [3, 3, 1] * 3
    epochs = [list(np.concatenate(model.trained[k : k + 3])) for k in (0, 3, 6)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert list(np.concatenate(model.tested)) == [100, 101, 102, 103, 104] * 3


def test_order_follows_from_the_seed():
    def order(seed):
        model = FakeModel()
        training.train(model, numbered(7), numbered(1), 2, seed=seed, batch_size=3)
        return list(np.concatenate(model.trained))

    assert order(1) == order(1) != order(2)


def test_an_autoencoder_learns_its_own_images():
    model = FakeModel()
    training.train(model, numbered(7), numbered(1), 2, seed=0, batch_size=3)
    for images, targets in zip(model.trained, model.targets, strict=True):
        np.testing.assert_array_equal(images, targets)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_no_number_ends_the_training_and_names_the_epoch(bad):
    class Diverging(FakeModel):
        def train_on_batch(self, x, y, return_dict):
            super().train_on_batch(x, y, return_dict)
            return {"loss": bad if len(self.trained) == 5 else 1.0}

    with pytest.raises(FloatingPointError, match=rf"the loss became {bad} in epoch 3"):
        training.train(Diverging(), numbered(4), numbered(1), 5, seed=0, batch_size=2)


def test_images_that_are_no_numbers_end_the_training(real):
    images = np.full_like(real[0][:3], np.nan)
    with pytest.raises(FloatingPointError, match="nan in epoch 1"):
        training.train(build(), images, real[0][:1], 2, seed=0)


def test_a_class_whose_loss_is_no_number_is_trained_again_from_other_weights(tmp_path, monkeypatch, capsys):
    data, real_train, seeds = write_digits(tmp_path / "data", side=8), training.train, []

    def diverging(model, images, validation, epochs, seed, **options):
        seeds.append(seed)
        if len(seeds) in broken:
            raise FloatingPointError("the loss became nan in epoch 2")
        return real_train(model, images, validation, epochs, seed, **options)

    def learn(out):
        flags = ["--all", "--path", data, "--images", 8, "--epochs", 1, "--out", tmp_path / out]
        train_vae.main([str(flag) for flag in flags])
        return {name: runs.read_json(tmp_path / out / name / "config.json")["facts"] for name in "012"}

    monkeypatch.setattr(training, "train", diverging)
    broken = {2}
    facts = learn("out")
    assert "class 1: the loss became nan in epoch 2; it is trained again from other weights" in capsys.readouterr().out
    assert [facts[name].get("attempts") for name in "012"] == [None, 2, None]
    derived = [backend.derive_seed(42, name) for name in ("0", "1", "1, attempt 2", "2")]
    assert seeds == derived
    seeds.clear()
    broken = {2, 3, 4}
    with pytest.raises(FloatingPointError, match="class 1: the loss became nan in epoch 2, 3 times from other weights"):
        learn("none")
    assert {path.name for path in (tmp_path / "none").iterdir()} == {"0"}


@pytest.mark.parametrize("in_graph", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("architecture", ["conv", pytest.param("autoencoder", marks=pytest.mark.slow)])
def test_restart_trains_a_second_class_as_if_it_were_the_first(real, architecture, in_graph, monkeypatch):
    traces = []
    compute_loss = VariationalAutoencoder.compute_loss

    def counting(self, *args, **kwargs):  # Python runs it only while a graph is traced
        traces.append(1)
        return compute_loss(self, *args, **kwargs)

    monkeypatch.setattr(VariationalAutoencoder, "compute_loss", counting)

    def run(model, run_epochs, label):
        parts = real[label][:4], real[label][4:5]
        history = training.train(model, *parts, 3, seed=label, batch_size=3, run_epochs=run_epochs)
        return history, model.get_weights()

    def prepare(seed):
        model = build(architecture, seed=seed)
        return model, training.epochs_in_graph(model, backend.in_graph) if in_graph else training.run_step_by_step

    alone = run(*prepare(22), 2)

    model, run_epochs = prepare(11)
    run(model, run_epochs, 1)
    traced = len(traces)
    keras.utils.set_random_seed(22)
    training.restart(model, 22)
    assert int(model.optimizer.iterations) == 0
    second = run(model, run_epochs, 2)

    assert second[0] == alone[0]
    for weight, expected in zip(second[1], alone[1], strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert len(traces) == traced
    assert traced > 0 or architecture == "autoencoder"


@pytest.mark.parametrize("trained", [True, False])
def test_restart_gives_the_weights_and_the_noise_of_a_fresh_model(real, trained):
    model = build(seed=1)
    if trained:
        training.train(model, real[0][:3], real[0][3:4], 1, seed=0)
    keras.utils.set_random_seed(2)
    training.restart(model, 2)
    assert model.get_config()["seed"] == 2
    for weight, expected in zip(model.get_weights(), build(seed=2).get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
    np.testing.assert_array_equal(
        model.sampling.seed_generator.state.numpy(), build(seed=2).sampling.seed_generator.state.numpy()
    )
    assert model.optimizer.built == trained
    assert all(not np.any(variable.numpy()) for variable in model.optimizer.variables[2:])  # after iteration and rate
    assert int(model.optimizer.iterations) == 0


@pytest.mark.parametrize("architecture", ["conv", "dense", "autoencoder"])
def test_epochs_in_one_graph_lose_what_single_steps_lose(real, architecture):
    histories, weights = [], []
    for in_graph in (True, False):
        model = build(architecture, seed=5)
        model.run_eagerly = not in_graph
        run_epochs = training.epochs_in_graph(model, backend.in_graph) if in_graph else training.run_step_by_step
        # 7 images in batches of 3, 3 and 1; 5 validation images in batches of 3 and 2
        parts = real[0][:7], real[0][7:12]
        histories.append(training.train(model, *parts, 4, seed=3, batch_size=3, run_epochs=run_epochs))
        weights.append(model.get_weights())
    assert len(histories[0]) == 4
    for row, expected in zip(*histories, strict=True):
        assert row == pytest.approx(expected, rel=1e-4)
    for weight, expected in zip(*weights, strict=True):
        np.testing.assert_allclose(weight, expected, atol=2e-3)  # the first steps of RMSprop are of 0.003


def test_one_graph_serves_any_number_of_images(real):
    traces, model = [], build()
    run_epochs = training.epochs_in_graph(
        model, lambda function, inputs: backend.in_graph(lambda *x: traces.append(1) or function(*x), inputs)
    )
    for count in (3, 4, 9):
        training.train(model, real[0][:count], real[0][20 : 20 + count], 2, seed=0, run_epochs=run_epochs)
    assert traces == [1]


def test_without_a_back_end_that_compiles_steps_run_one_by_one():
    assert training.epochs_in_graph(build(), lambda function, inputs: None) is training.run_step_by_step


@pytest.mark.parametrize("at_once", [1, 5, 1000])
def test_progress_is_called_for_each_epoch_however_many_run_at_once(real, at_once, monkeypatch):
    monkeypatch.setattr(training, "STEPS_AT_ONCE", at_once)
    calls = []
    history = training.train(
        build(), real[0][:3], real[0][3:4], 7, seed=0, batch_size=3, on_epoch=lambda: calls.append(1)
    )
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6, 7]
    assert len(calls) == 7


def copy_optimizer(model):
    return model.optimizer.__class__.from_config(model.optimizer.get_config())


def test_vae_optimizer_updates_as_rmsprop_of_keras_2_did():
    optimizer = copy_optimizer(build())
    weights, velocity = np.float64([1.0, -2.0, 0.5, 0.1]), np.zeros(4)
    variable = keras.Variable(weights.astype(np.float32))
    for gradient in np.array([[10.0, -0.3, 1e-3, 0.0], [-2.0, 0.01, 2e-3, 0.0]]):
        optimizer.apply([keras.ops.convert_to_tensor(gradient.astype(np.float32))], [variable])
        velocity = 0.9 * velocity + 0.1 * gradient**2
        weights -= 0.001 * gradient / (np.sqrt(velocity) + 1e-7)
        # The epsilon stands inside the root, so small gradients differ a little: by 0.03 % of a step of 0.003 at 1e-3.
        # With Keras 3's own epsilon that step would be 29 % too short.
        np.testing.assert_allclose(variable.numpy(), weights, rtol=0, atol=3e-6)


def test_vae_optimizer_is_rmsprop_with_keras_2_settings():
    config = build().optimizer.get_config()
    assert build().optimizer.__class__ is keras.optimizers.RMSprop
    assert {name: config[name] for name in ("rho", "momentum", "centered")} == {
        "rho": 0.9,
        "momentum": 0.0,
        "centered": False,
    }
    assert config["learning_rate"] == pytest.approx(0.001)
    assert config["epsilon"] == 1e-14  # the square of Keras 2's 1e-7, for it stands inside the root


def test_first_vae_step_moves_a_weight_by_the_learning_rate_over_the_root_of_a_tenth(real):
    model = build()
    before = np.concatenate([weight.ravel() for weight in model.get_weights()[:-1]])
    model.train_on_batch(real[0][:4])
    moved = np.abs(np.concatenate([weight.ravel() for weight in model.get_weights()[:-1]]) - before)
    step = 0.001 / np.sqrt(0.1)  # g / sqrt(0.1 g^2) is the same for every gradient but zero
    assert moved.max() == pytest.approx(step, rel=1e-3)
    assert np.mean(moved > 0.98 * step) > 0.5


def test_autoencoder_optimizer_is_adadelta_with_a_learning_rate_of_one():
    optimizer = build("autoencoder").optimizer
    assert isinstance(optimizer, keras.optimizers.Adadelta)
    assert float(optimizer.learning_rate) == 1.0


def test_unknown_architecture_is_refused():
    with pytest.raises(ValueError, match=r"`architecture` should be one of .*autoencoder.*Received: 'deep'"):
        training.build("deep", (12, 12, 1), 3)


@pytest.mark.parametrize(("objective", "scale"), [("thesis", 1.0), ("elbo", 0.5)])
def test_latents_are_the_encoders_mean_and_the_objectives_spread(real, objective, scale):
    model = build(objective=objective)
    z_mean, z_std = training.latents(model, real[0][:5])
    expected_mean, z_log_var = model.encoder.predict(real[0][:5], verbose=0)
    np.testing.assert_array_equal(z_mean, expected_mean)
    np.testing.assert_allclose(z_std, np.exp(scale * z_log_var), rtol=1e-5)
    assert z_mean.dtype == z_std.dtype == np.float32
    assert isinstance(z_std, np.ndarray)


def test_latents_of_an_autoencoder_have_no_spread(real):
    model = build("autoencoder", latent_dim=4)
    code, spread = training.latents(model, real[0][:5])
    np.testing.assert_array_equal(code, model.get_layer("encoder").predict(real[0][:5], verbose=0))
    np.testing.assert_array_equal(spread, np.zeros((5, 4), np.float32))


@pytest.mark.parametrize("architecture", ["dense", "autoencoder"])
def test_halves_are_the_trained_encoder_and_decoder(real, architecture):
    model = build(architecture)
    encoder, decoder = training.halves(model)
    assert (encoder.name, decoder.name) == ("encoder", "decoder")
    before = encoder.get_weights(), decoder.get_weights()
    model.train_on_batch(real[0][:3], None if architecture != "autoencoder" else real[0][:3])
    for half, old in zip((encoder, decoder), before, strict=True):
        assert any(not np.array_equal(new, weight) for new, weight in zip(half.get_weights(), old, strict=True))
