"""CDCVAE and CDCGAN: their layers by hand, their steps against hand-written ones, and their training loop."""

import importlib.util
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import ENVIRONMENT

from common import backend
from vae_aug import cdcgan, cdcvae, conditional

SHAPE, CLASSES, LATENT = (8, 8, 1), 2, 3


@pytest.fixture
def small(monkeypatch):
    """Networks of few units, to build and trace quickly."""
    monkeypatch.setattr(cdcgan, "UNITS", 16)
    monkeypatch.setattr(cdcgan, "FILTERS", (4, 6))


def build(kind, image_shape=SHAPE, **options):
    keras.utils.set_random_seed(0)
    return conditional.build(kind, image_shape, CLASSES, LATENT, **options)


def draw(count, image_shape=SHAPE, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((count, *image_shape), np.float32), np.arange(count) % CLASSES


def one_hot(labels, num_classes=CLASSES):
    return np.eye(num_classes, dtype=np.float32)[labels]


def table(model):
    """Output shape and number of trainable parameters of each layer that has any."""
    layers = [layer for layer in model.layers if layer.count_params()]
    count = [sum(int(np.prod(v.shape)) for v in layer.trainable_variables) for layer in layers]
    return [(layer.output.shape[1:], number) for layer, number in zip(layers, count, strict=True)]


GENERATOR = {
    (28, 28, 1): [
        ((1024,), (62 + 10) * 1024 + 1024),  # = 74,752
        ((1024,), 2 * 1024),
        ((6272,), 1024 * 6272 + 6272),  # = 6,428,800, of 7 * 7 * 128 units
        ((6272,), 2 * 6272),
        ((14, 14, 64), 4 * 4 * 128 * 64 + 64),  # = 131,136
        ((14, 14, 64), 2 * 64),
        ((28, 28, 1), 4 * 4 * 64 * 1 + 1),  # = 1,025
    ],
    (32, 32, 3): [
        ((1024,), (100 + 10) * 1024 + 1024),
        ((1024,), 2 * 1024),
        ((8192,), 1024 * 8192 + 8192),
        ((8192,), 2 * 8192),
        ((16, 16, 64), 4 * 4 * 128 * 64 + 64),
        ((16, 16, 64), 2 * 64),
        ((32, 32, 3), 4 * 4 * 64 * 3 + 3),
    ],
}
DISCRIMINATOR = {
    (28, 28, 1): [
        ((14, 14, 64), 4 * 4 * (1 + 10) * 64 + 64),  # = 11,328; no batch norm
        ((7, 7, 128), 4 * 4 * 64 * 128 + 128),  # = 131,200
        ((7, 7, 128), 2 * 128),
        ((1024,), 6272 * 1024 + 1024),  # = 6,423,552
        ((1024,), 2 * 1024),
        ((1,), 1024 + 1),
    ],
    (32, 32, 3): [
        ((16, 16, 64), 4 * 4 * (3 + 10) * 64 + 64),
        ((8, 8, 128), 4 * 4 * 64 * 128 + 128),
        ((8, 8, 128), 2 * 128),
        ((1024,), 8192 * 1024 + 1024),
        ((1024,), 2 * 1024),
        ((1,), 1024 + 1),
    ],
}
TOTALS = {(28, 28, 1): (6_650_433, 6_569_409), (32, 32, 3): (8_663_235, 8_537_537)}


@pytest.mark.parametrize("image_shape", TOTALS, ids=["MNIST", "CIFAR-10"])
def test_layers_of_the_published_sizes(image_shape):
    model = conditional.build("cdcgan", image_shape, 10)
    assert table(model.generator) == GENERATOR[image_shape]
    assert table(model.discriminator) == DISCRIMINATOR[image_shape]
    assert tuple(sum(count for _, count in table(net)) for net in model.networks().values()) == TOTALS[image_shape]
    assert model.latent_dim == {1: 62, 3: 100}[image_shape[-1]]


@pytest.mark.usefixtures("small")
def test_the_vae_has_the_networks_of_the_gan():
    vae, gan = build("cdcvae"), build("cdcgan")
    assert table(vae.generator) == table(gan.generator)
    assert table(vae.encoder)[:-1] == table(gan.discriminator)[:-1]
    assert table(vae.encoder)[-1] == ((2 * LATENT,), 16 * 2 * LATENT + 2 * LATENT)


@pytest.mark.usefixtures("small")
def test_any_multiple_of_4():
    model = build("cdcgan", (4, 12, 3))
    assert model.generator.output_shape == (None, 4, 12, 3)
    assert model.discriminator.output_shape == (None, 1)


@pytest.mark.parametrize("kind", ["cdcgan", "cdcvae"])
def test_other_sizes_are_refused_with_the_next_one(kind):
    with pytest.raises(ValueError, match=r"multiples of 4\. Received: 10x28; scale the images, e\.g\. --size 12 28"):
        build(kind, (10, 28, 1))


def test_unknown_names():
    with pytest.raises(ValueError, match="Received: 'gan'"):
        build("gan")
    with pytest.raises(ValueError, match="Received: 'thesis'"):
        build("cdcvae", objective="thesis")


@pytest.mark.usefixtures("small")
def test_initial_weights():
    kernels = [v.numpy() for net in build("cdcgan").networks().values() for v in net.weights if "kernel" in v.path]
    assert len(kernels) == 8
    assert np.concatenate([kernel.ravel() for kernel in kernels]).std() == pytest.approx(0.02, rel=0.1)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", ["cdcgan", "cdcvae"])
def test_labels_reach_both_networks(kind):
    model = build(kind)
    images, labels = draw(4)
    z = np.random.default_rng(0).standard_normal((4, LATENT)).astype(np.float32)
    first = model.networks()["discriminator" if kind == "cdcgan" else "encoder"]
    for net, inputs in ((model.generator, z), (first, images)):
        given, other = (np.concatenate(net([inputs, one_hot(y)], training=True), -1) for y in (labels, 0 * labels))
        assert np.abs(given - other).max() > 1e-3


def test_label_maps_are_constant_channels():
    model = build("cdcgan")
    maps = next(layer for layer in model.discriminator.layers if isinstance(layer, keras.layers.Concatenate))
    inside = keras.Model(model.discriminator.inputs, maps.output)
    images, labels = draw(3)
    joined = inside([images, one_hot(labels)]).numpy()
    assert np.array_equal(joined[..., :1], images)
    assert np.array_equal(joined[..., 1:], np.broadcast_to(one_hot(labels)[:, None, None], (3, 8, 8, 2)))


class ByHand:
    """The two networks and Adam in plain TensorFlow, in the order of the reference code."""

    def __init__(self, model):
        self.weights, self.moments, self.steps = {}, {}, {"generator": 0, "discriminator": 0}
        for name, net in model.networks().items():
            self.weights[name] = [tf.Variable(w) for w in net.get_weights()]
            self.moments[name] = [[np.zeros(w.shape), np.zeros(w.shape)] for w in self.weights[name]]

    def normalise(self, x, gamma, beta, mean, variance):
        m, v = tf.nn.moments(x, list(range(len(x.shape) - 1)))
        mean.assign(0.9 * mean + 0.1 * m)
        variance.assign(0.9 * variance + 0.1 * v)
        return (x - m) / tf.sqrt(v + 1e-5) * gamma + beta

    def generate(self, z, labels):
        w = self.weights["generator"]
        x = tf.nn.relu(self.normalise(tf.concat([z, labels], 1) @ w[0] + w[1], *w[2:6]))
        x = tf.nn.relu(self.normalise(x @ w[6] + w[7], *w[8:12]))
        x = tf.reshape(x, (-1, 2, 2, 6))
        x = tf.nn.conv2d_transpose(x, w[12], (len(z), 4, 4, 4), 2) + w[13]
        x = tf.nn.relu(self.normalise(x, *w[14:18]))
        return tf.sigmoid(tf.nn.conv2d_transpose(x, w[18], (len(z), 8, 8, 1), 2) + w[19])

    def judge(self, images, labels):
        w = self.weights["discriminator"]
        maps = tf.ones((len(images), 8, 8, 1)) * labels[:, None, None, :]
        x = tf.nn.leaky_relu(tf.nn.conv2d(tf.concat([images, maps], 3), w[0], 2, "SAME") + w[1], 0.2)
        x = tf.nn.leaky_relu(self.normalise(tf.nn.conv2d(x, w[2], 2, "SAME") + w[3], *w[4:8]), 0.2)
        x = tf.reshape(x, (len(images), -1)) @ w[8] + w[9]
        return tf.nn.leaky_relu(self.normalise(x, *w[10:14]), 0.2) @ w[14] + w[15]

    def update(self, name, tape, loss, rate):
        self.steps[name] += 1
        step, gradients = self.steps[name], tape.gradient(loss, self.weights[name])
        for variable, gradient, moments in zip(self.weights[name], gradients, self.moments[name], strict=True):
            if gradient is None:  # of a moving mean
                continue
            gradient = gradient.numpy()
            moments[0] = 0.5 * moments[0] + 0.5 * gradient
            moments[1] = 0.999 * moments[1] + 0.001 * gradient**2
            first, second = moments[0] / (1 - 0.5**step), moments[1] / (1 - 0.999**step)
            variable.assign_sub((rate * first / (np.sqrt(second) + 1e-7)).astype(np.float32))

    def step(self, images, labels, z):
        def cross_entropy(target, logits):
            targets = target * tf.ones_like(logits)
            return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, logits))

        with tf.GradientTape() as tape:
            real, made = self.judge(images, labels), self.judge(self.generate(z, labels), labels)
            d_loss = cross_entropy(1.0, real) + cross_entropy(0.0, made)
        self.update("discriminator", tape, d_loss, 2e-4)
        with tf.GradientTape() as tape:
            g_loss = cross_entropy(1.0, self.judge(self.generate(z, labels), labels))
        self.update("generator", tape, g_loss, 1e-3)
        return [float(x) for x in (d_loss, tf.reduce_mean(tf.sigmoid(real)), tf.reduce_mean(tf.sigmoid(made)), g_loss)]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("graph", [False, True], ids=["step by step", "in a graph"])
def test_the_gans_step_is_the_hand_written_one(graph):
    model = build("cdcgan")
    rng = np.random.default_rng(1)
    for net in model.networks().values():  # weights far from 0, so that every gradient counts
        net.set_weights([w + 0.2 * rng.standard_normal(w.shape) if w.ndim > 1 else w for w in net.get_weights()])
    start, by_hand = {name: net.get_weights() for name, net in model.networks().items()}, ByHand(model)
    images, labels = draw(32)
    z = rng.uniform(-1, 1, (3, 2, 16, LATENT)).astype(np.float32)
    orders = np.stack([rng.permutation(32).reshape(2, 16) for _ in range(3)])
    expected = [
        np.mean([by_hand.step(images[rows], one_hot(labels[rows]), some) for rows, some in zip(*epoch, strict=True)], 0)
        for epoch in zip(orders, z, strict=True)
    ]
    run = conditional.epochs_in_graph(model, backend.in_graph) if graph else conditional.run_step_by_step
    assert (run is not conditional.run_step_by_step) == graph
    found = list(run(model, images, one_hot(labels), orders, z))
    assert [list(row) for row in found] == [["d_loss", "d_real", "d_generated", "g_loss"]] * 3
    assert np.array([list(row.values()) for row in found]) == pytest.approx(np.array(expected), abs=1e-5)
    for name, net in model.networks().items():
        for variable, value, before in zip(net.weights, by_hand.weights[name], start[name], strict=True):
            # Adam makes whole steps of a gradient that is rounding alone. That of a bias before a batch norm always is,
            # that of a single weight sometimes: so the others' way is compared as a whole.
            if variable.name != "bias" or variable.shape[0] == 1:
                way = value.numpy() - before
                assert np.linalg.norm(variable.numpy() - value) < 0.1 * np.linalg.norm(way), variable.path


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("channels", [1, 3])
def test_the_vaes_loss_by_hand(channels):
    shape = (8, 8, channels)
    model = build("cdcvae", shape, objective="elbo")
    images, labels = draw(6, shape)
    batch = [images, one_hot(labels)]
    found = model.steps[0](batch, training=True)
    p, mean, log_var = (found[name].numpy() for name in ("reconstruction", "z_mean", "z_log_var"))
    last = [layer for layer in model.encoder.layers if isinstance(layer, keras.layers.Dense)][-1]
    raw = keras.Model(model.encoder.inputs, last.output)(batch, training=True).numpy()
    std = np.log1p(np.exp(raw[:, LATENT:])) + 1e-6
    assert mean == pytest.approx(raw[:, :LATENT], abs=1e-6)
    assert np.exp(log_var / 2) == pytest.approx(std, abs=1e-6)
    kl = 0.5 * np.sum(mean**2 + std**2 - np.log(std**2) - 1, axis=1).mean()
    likelihood = np.sum(images * np.log(p) + (1 - images) * np.log(1 - p), axis=(1, 2, 3)).mean()
    for objective, weight in (("elbo", 1), ("published", 1 / channels)):
        model.steps[0].objective = objective
        assert float(model.steps[0].compute_loss(batch, y_pred=found)) == pytest.approx(
            kl - weight * likelihood, rel=1e-4
        )


@pytest.mark.usefixtures("small")
def test_epochs_in_a_graph_are_the_steps_one_by_one(monkeypatch):
    monkeypatch.setattr(conditional, "BATCH_SIZE", 8)
    images, labels = draw(20)
    found = []
    for graph in (False, True):
        model = build("cdcvae")
        run_epochs = conditional.epochs_in_graph(model, backend.in_graph) if graph else conditional.run_step_by_step
        rows = conditional.train(model, images, labels, 3, seed=1, run_epochs=run_epochs)
        assert [row["epoch"] for row in rows] == [1, 2, 3]
        assert list(rows[0]) == ["epoch", "loss", "reconstruction_loss", "kl_loss"]
        assert int(model.steps[0].optimizer.iterations) == 6  # 20 // 8 an epoch
        found.append(([list(row.values()) for row in rows], model.generator.get_weights()))
    assert np.array(found[0][0]) == pytest.approx(np.array(found[1][0]), rel=1e-4)
    for first, second in zip(found[0][1], found[1][1], strict=True):
        assert first == pytest.approx(second, abs=1e-4)


class FakeModel:
    """Stands for a model where only the training loop matters."""

    prior, latent_dim, num_classes, image_shape = "uniform", 2, 3, (1, 1, 1)


def run_fake(images, epochs, losses=None, **options):
    """Trains a `FakeModel`; the rows of images of each epoch, and the history."""
    seen = []

    def run_epochs(model, images, labels, orders, z):
        assert np.abs(z).max() <= 1
        assert z.shape == (*orders.shape, 2)
        for order in orders:
            seen.append(order)
            yield {"loss": losses[len(seen) - 1] if losses else 1.0}

    labels = np.arange(len(images)) % 3
    return seen, conditional.train(FakeModel(), images, labels, epochs, 0, run_epochs=run_epochs, **options)


def test_every_epoch_has_whole_batches_of_an_order_of_its_own():
    seen, _ = run_fake(np.zeros((150, 1, 1, 1), np.float32), 40)
    assert {order.shape for order in seen} == {(2, 64)}
    assert all(len(np.unique(order)) == 128 for order in seen)
    assert len(np.unique(seen)) == 150  # what one epoch leaves out, another takes
    assert not np.array_equal(seen[0], seen[1])


def test_few_images_are_one_batch():
    seen, _ = run_fake(np.zeros((5, 1, 1, 1), np.float32), 2)
    assert [sorted(order[0]) for order in seen] == [[0, 1, 2, 3, 4]] * 2


def test_measures_join_every_tenth_epoch_and_the_last():
    ticks, calls = [], []

    def measure(model):
        calls.append(len(ticks))
        return {"diversity": len(calls)}

    _, history = run_fake(np.zeros((5, 1, 1, 1), np.float32), 25, on_epoch=lambda: ticks.append(1), measure=measure)
    assert len(ticks) == 25
    assert calls == [10, 20, 25]
    assert {row["epoch"]: row["diversity"] for row in history if "diversity" in row} == {10: 1, 20: 2, 25: 3}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_no_number_names_its_epoch(value):
    with pytest.raises(FloatingPointError, match=f"loss became {value} in epoch 3"):
        run_fake(np.zeros((5, 1, 1, 1), np.float32), 9, losses=[1.0, 1.0, value, 1.0] + 5 * [1.0])


@pytest.mark.usefixtures("small")
def test_generation_is_of_the_label_and_of_no_other_image_in_the_batch():
    model = build("cdcgan")
    model.generator.set_weights([20 * weights for weights in model.generator.get_weights()])
    labels = np.array([0, 1, 1, 0, 1])
    made = conditional.generate(model, labels, np.random.default_rng(4))
    again = conditional.generate(model, labels, np.random.default_rng(4), batch_size=2)
    other = conditional.generate(model, 1 - labels, np.random.default_rng(4))
    assert made.dtype == np.float32
    assert made == pytest.approx(again, abs=1e-4)
    assert (np.abs(made - other).max((1, 2, 3)) > 1e-3).all()
    assert len(np.unique(made.reshape(5, -1), axis=0)) == 5


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", ["cdcgan", "cdcvae"])
def test_networks_survive_a_file(kind, tmp_path):
    for name, net in build(kind).networks().items():
        net.save(tmp_path / f"{name}.keras")
        loaded = keras.saving.load_model(tmp_path / f"{name}.keras", compile=False)
        inputs = [np.ones((2, *shape[1:]), np.float32) for shape in net.input_shape]
        for found, expected in zip(keras.tree.flatten(loaded(inputs)), keras.tree.flatten(net(inputs)), strict=True):
            assert np.array_equal(found, expected)


def test_priors():
    rng, model = np.random.default_rng(0), FakeModel()
    uniform = conditional.draw_z(model, 2000, rng)
    model.prior = "normal"
    normal = conditional.draw_z(model, 2000, rng)
    assert np.abs(uniform).max() <= 1
    assert uniform.std() == pytest.approx(1 / np.sqrt(3), rel=0.05)
    assert normal.std() == pytest.approx(1, rel=0.05)
    assert (cdcgan.ConditionalGAN.prior, cdcvae.ConditionalVAE.prior) == ("uniform", "normal")


RUN = """
import json, sys
import numpy as np
from vae_aug import cdcgan, conditional
cdcgan.UNITS, cdcgan.FILTERS, conditional.BATCH_SIZE = 16, (4, 6), 8
model = conditional.build(sys.argv[1], (8, 8, 3), 2, 3)
rng = np.random.default_rng(1)
for net in model.networks().values():
    net.set_weights([0.3 * rng.standard_normal(w.shape) if w.ndim > 1 else w for w in net.get_weights()])
if sys.argv[1] == "cdcvae":  # no noise, which differs from back end to back end
    model.steps[0].sampling.call = lambda inputs: inputs[0]
images, labels = rng.random((20, 8, 8, 3), np.float32), np.arange(20) % 2
history = conditional.train(model, images, labels, 3, seed=1)
made = conditional.generate(model, labels, np.random.default_rng(0))
print(json.dumps([[list(row.values()) for row in history], made.sum((1, 2)).tolist()]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cdcgan", "cdcvae"])
@pytest.mark.parametrize("name", ["jax", "torch"])
def test_the_back_ends_agree(kind, name):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    found = []
    for back_end in ("tensorflow", name):
        environment = {**ENVIRONMENT, "KERAS_BACKEND": back_end}
        run = subprocess.run([sys.executable, "-c", RUN, kind], env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        found.append(json.loads(run.stdout.splitlines()[-1]))
    for first, second in zip(*found, strict=True):
        assert np.array(first) == pytest.approx(np.array(second), rel=2e-3)
