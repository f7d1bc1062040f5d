"""The cGLO's parts: ways on the sphere, losses, optimisers, the step, and the source of images."""

import keras
import numpy as np
import pytest
from keras import ops

from common import backend
from vae_aug import cglo, cglo_training, interpolation, looping, perceptual, sphere
from vae_aug.optimizers import Together

SHAPE, LATENT = (8, 8, 1), 6


@pytest.fixture(scope="module", autouse=True)
def small():
    """Networks of few units, to build and trace quickly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cglo, "UNITS", 16)
        patch.setattr(cglo, "FILTERS", (4, 4))
        patch.setattr(cglo, "WEAK_FILTERS", 4)
        patch.setattr(cglo, "NOISE_DIM", 5)
        yield


def draw(count, shape=SHAPE, seed=0):
    return np.random.default_rng(seed).uniform(size=(count, *shape)).astype(np.float32)


def build(labels, levels=None, epochs=4, start="sphere", seed=0, **options):
    """A model of random images, and its loss."""
    keras.utils.set_random_seed(seed)
    labels = np.asarray(labels)
    loss = perceptual.Loss(levels or perceptual.Laplacian(SHAPE), draw(len(labels)))
    codes = cglo.first_codes(start, labels, LATENT, np.random.default_rng(seed))
    return cglo.CGLO(SHAPE, int(labels.max()) + 1, codes, loss, epochs, **options), loss


def learn(model, loss, labels, epochs=2, batch_size=4, seed=1, graph=False):
    run = cglo_training.epochs_in_graph(model, backend.in_graph, loss.targets) if graph else looping.run_step_by_step
    return cglo_training.train(model, loss.targets, np.asarray(labels), epochs, seed, batch_size, run_epochs=run)


# Ways on the sphere


def test_slerp_by_hand():
    x, y = np.array([[1.0, 0, 0]]), np.array([[0.0, 1, 0]])
    for t in (0, 0.25, 0.5, 1):
        expected = [[np.cos(t * np.pi / 2), np.sin(t * np.pi / 2), 0]]
        np.testing.assert_allclose(sphere.slerp(x, y, np.array([t])), expected, atol=1e-12)
    z = np.array([[0.6, 0.8, 0]])  # cos 53.13 degrees
    middle = (x + z) / np.linalg.norm(x + z)
    np.testing.assert_allclose(sphere.slerp(x, z, np.array([0.5])), middle, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_slerp_between_equal_nearly_equal_and_opposite_latents(dtype):
    first = sphere.uniform(50, 8, np.random.default_rng(0)).astype(dtype)
    t = np.linspace(0, 1, 50)
    np.testing.assert_allclose(sphere.slerp(first, first, t), first, atol=1e-6)
    near = sphere.normalise(first + dtype(1e-7))
    np.testing.assert_allclose(sphere.slerp(first, near, t), first, atol=1e-6)
    opposite = sphere.slerp(first, -first, t)
    np.testing.assert_allclose(np.linalg.norm(opposite, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.sum(opposite * first, axis=1), np.cos(np.pi * t), atol=1e-6)
    axis = np.eye(3)
    np.testing.assert_allclose(np.linalg.norm(sphere.slerp(axis, -axis, np.full(3, 0.5)), axis=1), 1)


def test_slerp_begins_ends_and_stays_on_the_sphere_and_lerp_on_the_line():
    rng = np.random.default_rng(1)
    first, second = sphere.uniform(200, 16, rng), sphere.uniform(200, 16, rng)
    np.testing.assert_allclose(sphere.slerp(first, second, np.zeros(200)), first, atol=1e-12)
    np.testing.assert_allclose(sphere.slerp(first, second, np.ones(200)), second, atol=1e-12)
    middle = sphere.slerp(first, second, rng.random(200))
    np.testing.assert_allclose(np.linalg.norm(middle, axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(sphere.lerp(first, second, np.full(200, 0.25)), 0.75 * first + 0.25 * second)


def test_mean_angles_by_hand():
    latents = np.array([[1.0, 0], [0, 1], [-1, 0]])
    assert sphere.mean_angles(latents, np.array([0, 0, 1])) == pytest.approx((90, (90 + 180) / 2))
    within, between = sphere.mean_angles(latents[:2], np.array([0, 1]))
    assert np.isnan(within)
    assert between == pytest.approx(90)


@pytest.mark.parametrize("start", cglo.STARTS)
def test_first_codes_have_unit_norm(start):
    labels = np.repeat([0, 1, 2, -1], 10)
    features = np.random.default_rng(2).random((40, 7))
    codes = cglo.first_codes(start, labels, 64, np.random.default_rng(0), features)
    assert (codes.shape, codes.dtype) == ((40, 64), np.float32)
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(codes, cglo.first_codes(start, labels, 64, np.random.default_rng(0), features))
    within, between = sphere.mean_angles(codes[:30], labels[:30])
    if start == "hypercube":
        assert within < 45 < between
    elif start == "sphere":
        assert abs(within - 90) < 5


def test_a_hypercube_needs_a_vertex_per_class():
    with pytest.raises(ValueError, match="2 dimensions has fewer vertices than 5 classes"):
        cglo.first_codes("hypercube", np.arange(5), 2, np.random.default_rng(0))


# Losses


def test_the_pyramid_sums_up_to_the_image_and_keeps_flat_images_flat():
    images = draw(3, (12, 10, 2))
    levels = [np.array(level) for level in perceptual.Laplacian(images.shape[1:])(images)]
    assert [level.shape[1:] for level in levels] == [(12, 10, 2), (6, 5, 2)]
    grow = perceptual.growing
    back = np.einsum("ih,bhwc,jw->bijc", grow(12), levels[1], grow(10))
    np.testing.assert_allclose(levels[0] + back, images, atol=1e-5)
    flat = np.full((1, 16, 16, 1), 0.3, np.float32)
    *bands, rest = perceptual.Laplacian((16, 16, 1))(flat)
    assert len(bands) == 2
    for band in bands:
        np.testing.assert_allclose(np.array(band), 0, atol=1e-6)
    np.testing.assert_allclose(np.array(rest), 0.3, rtol=1e-5)


def test_shrinking_by_hand():
    row = np.array([0, 0, 16, 0, 0, 0], float)
    np.testing.assert_allclose(perceptual.shrinking(6) @ row, [2, 6, 1])  # 1 + 1 mirrored, the middle, the side
    assert perceptual.shrinking(5).shape == (3, 5)


@pytest.mark.parametrize("levels", [perceptual.Laplacian(SHAPE), perceptual.Pixels()], ids=["laplacian", "l1"])
def test_the_mean_image_scores_1_and_the_image_0(levels):
    images = draw(20)
    loss = perceptual.Loss(levels, images, batch_size=7)
    mean = np.repeat(images.mean(axis=0, keepdims=True), 20, axis=0)
    assert float(loss(loss.targets, mean)) == pytest.approx(1, rel=1e-4)
    assert float(loss(loss.targets, images)) == pytest.approx(0, abs=1e-5)


def test_features_are_compared_level_by_level_and_not_trained():
    network = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 3, activation="relu")])
    images = draw(10)
    loss = perceptual.Loss(perceptual.Features(network, pixels=True), images)
    assert [level.shape for level in loss.targets] == [(10, 8, 8, 1), (10, 6, 6, 3)]
    assert loss.targets[1].dtype == np.float16
    assert float(loss(loss.targets, images)) == pytest.approx(0, abs=2e-3)
    assert not network.trainable_variables


def test_vgg_sees_bgr_less_the_means_of_imagenet():
    images = keras.Input((None, None, 3))
    x, outputs = images, {}
    for k in range(1, 6):
        x = outputs[k] = keras.layers.Identity(name=f"block{k}_conv2")(x)
    features = perceptual.vgg_features(keras.Model(images, x), "3+pixels")
    grey = np.full((1, 4, 4, 1), 0.5, np.float32)
    _, *levels = features(grey)
    assert len(levels) == 3
    assert len(perceptual.vgg_features(keras.Model(images, x), "5")(grey)) == 5
    np.testing.assert_allclose(np.array(levels[0])[0, 0, 0], 127.5 - perceptual.VGG_MEANS, rtol=1e-5)
    red = np.zeros((1, 4, 4, 3), np.float32)
    red[..., 0] = 1
    np.testing.assert_allclose(np.array(features(red)[1])[0, 0, 0, 2], 255 - perceptual.VGG_MEANS[2], rtol=1e-5)


def test_what_does_not_fit_into_memory_is_refused():
    with pytest.raises(ValueError, match=r"of 10 images takes 0\.0 GB"):
        perceptual.Loss(perceptual.Pixels(), draw(10), most_bytes=100)


# The step


def test_optimisers_move_their_own_variables_alone():
    variables = [keras.Variable([1.0, 2.0]), keras.Variable([3.0]), keras.Variable([4.0])]
    together = Together([keras.optimizers.SGD(0.1), keras.optimizers.SGD(1.0, momentum=0.5)], (1, 2))
    for _ in range(2):
        together.apply([ops.ones(2), ops.ones(1), 2 * ops.ones(1)], variables)
    # momentum .5: steps of 1 and 1.5 times the gradient
    for variable, expected in zip(variables, ([0.8, 1.8], [0.5], [-1.0]), strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(variable), expected, rtol=1e-6)
    together.reset_moments()
    assert [float(inner.learning_rate) for inner in together.optimizers] == pytest.approx([0.1, 1.0])
    together.apply([ops.zeros(2), ops.zeros(1), ops.zeros(1)], variables)
    np.testing.assert_allclose(ops.convert_to_numpy(variables[2]), [-1.0])
    with pytest.raises(ValueError, match=r"take 3 variables\. Received: 2"):
        together.apply([ops.ones(2), ops.ones(1)], variables[:2])


@pytest.mark.parametrize("label_loss", cglo.LABEL_LOSSES)
@pytest.mark.parametrize("noise", cglo.NOISES)
def test_every_part_learns_and_codes_keep_unit_norm(noise, label_loss):
    labels = [0, 0, 0, 0, 1, 1, 1, 1]
    model, loss = build(labels, noise=noise, label_loss=label_loss)
    step = model.steps[0]
    before = [ops.convert_to_numpy(variable).copy() for variable in step.trainable_variables]
    history = learn(model, loss, labels)
    assert set(history[0]) == {"epoch", *model.history_names}
    for variable, was in zip(step.trainable_variables, before, strict=True):
        before_norm = variable.name == "bias" and "conv2d" in variable.path and "transpose" not in variable.path
        assert before_norm or not np.array_equal(ops.convert_to_numpy(variable), was), variable.path
    np.testing.assert_allclose(np.linalg.norm(model.codes, axis=1), 1, atol=1e-5)


def test_the_label_loss_reaches_the_codes_through_the_image_and_not_a_network_of_features():
    network = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 3, activation="relu")])
    before = network.get_weights()
    labels = [0, 1, 0, 1]
    model, loss = build(labels, perceptual.Features(network))
    loss.weights = [0.0]  # so that the labels alone teach
    codes, weights = model.codes.copy(), model.generator.get_weights()
    learn(model, loss, labels)
    assert not np.allclose(model.codes, codes)
    assert not all(np.allclose(new, old) for new, old in zip(model.generator.get_weights(), weights, strict=True))
    for new, old in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(new, old)


def test_features_teach_the_codes_and_stay_as_they_are():
    network = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 3, activation="relu")])
    before, labels = network.get_weights(), [0, 1, 0, 1]
    model, loss = build(labels, perceptual.Features(network), label_loss="none")
    codes = model.codes.copy()
    learn(model, loss, labels)
    assert not np.allclose(model.codes, codes)  # the loss's only way to the codes is through the features
    for new, old in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(new, old)


def test_unlabelled_images_are_reconstructed_and_have_no_label_loss():
    labels = np.array([0, 1, 0, 1, -1, -1, -1, -1])
    model, loss = build(labels)
    step = model.steps[0]
    one_hot = np.zeros((4, 2), np.float32)
    noise = np.zeros((4, 5), np.float32)

    def losses(one_hot):
        inputs = (one_hot, np.arange(4), noise, *[target[:4] for target in loss.targets])
        found = step(inputs, training=True)
        return float(step.compute_loss(inputs, y_pred=found)) - float(sum(step.classifier.losses)), found

    alone, found = losses(one_hot)
    assert alone == pytest.approx(float(loss([target[:4] for target in loss.targets], found["generated"])), rel=1e-5)
    one_hot[0, 1] = 1  # one image of the four has a label: the mean is over it
    total, found = losses(one_hot)
    entropy = -np.log(np.array(ops.softmax(found["logits"]))[0, 1])
    assert total - alone == pytest.approx(float(entropy), rel=1e-3)
    codes = model.codes.copy()
    learn(model, loss, labels, epochs=1)
    assert (np.abs(model.codes - codes).max(axis=1) > 0).all()


def test_an_epoch_is_a_pass_over_labelled_then_unlabelled_images():
    labels, seen = np.array([0, 1, 0, 1, 0, -1, -1, -1, -1]), []

    class Fake:
        num_classes, noise_dim, noise_std = 2, 3, 1.0

    def run_epochs(model, one_hot, rows, orders, noise):
        np.testing.assert_array_equal(one_hot.sum(axis=1), labels >= 0)
        assert noise.shape == (*orders.shape, 3)
        for order in orders:
            seen.append(order)
            yield {"loss": 1.0}

    cglo_training.train(Fake(), [], labels, 3, 0, 2, run_epochs=run_epochs)
    for order in seen:
        assert order.shape == (4, 2)
        assert set(order[:2].ravel()) < set(range(5))
        assert set(order[2:].ravel()) == {5, 6, 7, 8}
    assert not np.array_equal(seen[0], seen[1])


@pytest.mark.parametrize(
    "reset", [pytest.param(False, marks=pytest.mark.slow), True], ids=["kept moments", "reset moments"]
)
def test_epochs_in_a_graph_are_the_steps_one_by_one(reset):
    labels = np.array([0, 0, 0, 1, 1, 1, -1, -1])
    found = []
    for graph in (False, True):
        model, loss = build(labels, reset_moments=reset)
        history = learn(model, loss, labels, epochs=4, batch_size=3, graph=graph)
        found.append(([list(row.values()) for row in history], model.codes))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-3)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-3)


def test_equal_seeds_give_equal_codes():
    labels, found = [0, 0, 1, 1], []
    for seed in (0, 0, 3):
        model, loss = build(labels, seed=seed)
        learn(model, loss, labels, seed=seed)
        found.append(model.codes)
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_learning_rates_fall_by_shares_of_the_epochs():
    model, _ = build([0, 1], epochs=20)
    rates = []
    for _ in range(20):
        model.start_epoch()
        rates.append([float(optimizer.learning_rate) for optimizer in model.steps[0].optimizer.optimizers])
    codes, generator, classifier = np.array(rates).T
    np.testing.assert_allclose(codes, [1e-3] * 7 + [5e-4] * 7 + [2.5e-4] * 6, rtol=1e-5)
    np.testing.assert_allclose(generator, 0.7 * codes, rtol=1e-5)
    np.testing.assert_allclose(classifier, [0.1] * 6 + [0.02] * 6 + [0.004] * 4 + [0.0008] * 4, rtol=1e-5)


def test_a_training_reconstructs(monkeypatch):
    monkeypatch.setattr(cglo, "UNITS", 64)
    monkeypatch.setattr(cglo, "GENERATOR_RATE", 0.003)
    monkeypatch.setattr(cglo, "FILTERS", (16, 16))
    labels = [0, 0, 1, 1]
    images = np.zeros((4, *SHAPE), np.float32)
    for k in range(4):
        images[k, 2 * k : 2 * k + 2] = 1
    keras.utils.set_random_seed(0)
    loss = perceptual.Loss(perceptual.Laplacian(SHAPE), images)
    codes = cglo.first_codes("sphere", np.array(labels), LATENT, np.random.default_rng(0))
    model = cglo.CGLO(SHAPE, 2, codes, loss, 100, label_loss="none")
    history = learn(model, loss, labels, epochs=100, graph=True)
    assert history[-1]["reconstruction_loss"] < 0.3 < history[0]["reconstruction_loss"]


# Networks


@pytest.mark.parametrize(("noise_dim", "projected", "count"), [(100, False, 9_149_507), (100, True, 9_159_507)])
def test_the_published_sizes(monkeypatch, noise_dim, projected, count):
    monkeypatch.undo()
    monkeypatch.setattr(cglo, "UNITS", 1024)
    monkeypatch.setattr(cglo, "FILTERS", (128, 64))
    monkeypatch.setattr(cglo, "WEAK_FILTERS", 64)
    generator = cglo.build_generator((32, 32, 3), 512, noise_dim, projected)
    assert generator.count_params() == count
    assert cglo.build_image_classifier((32, 32, 3), 100).count_params() == pytest.approx(0.139e6, rel=0.01)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (64, 64, 3)])
def test_images_of_each_size(shape):
    generator = cglo.build_generator(shape, LATENT)
    images = interpolation.decode(generator, sphere.uniform(3, LATENT, np.random.default_rng(0)))
    assert (images.shape, images.dtype) == ((3, *shape), np.float32)
    assert 0 <= images.min() <= images.max() <= 1


def test_codes_are_renormalised_or_not():
    codes = sphere.uniform(3, LATENT, np.random.default_rng(0))
    for renormalise in (True, False):
        generator = cglo.build_generator(SHAPE, LATENT, renormalise=renormalise)
        first, second = interpolation.decode(generator, codes), interpolation.decode(generator, 0.5 * codes)
        assert np.allclose(first, second, atol=1e-6) == renormalise


def test_sides_that_are_no_multiples_of_4_are_refused():
    with pytest.raises(ValueError, match=r"multiples of 4\. Received: 10x12"):
        cglo.build_generator((10, 12, 1), LATENT)


# The source of images


class Recorder:
    """Stands for a generator: its "image" is the code."""

    inputs = (np.zeros((1, 3)),)

    def predict_on_batch(self, codes):
        assert len(codes) % interpolation.PADDING == 0
        return np.asarray(codes)[:, None, None]


def sources(kind, members=4):
    codes = sphere.uniform(members + 1, 3, np.random.default_rng(0))
    return codes, interpolation.Interpolation(Recorder(), codes, np.array([0] * members + [1]), [5, 6], kind)


def test_partners_are_other_images_of_the_class_and_shares_those_of_the_paper():
    codes, source = sources("slerp")
    found = source.draw(np.zeros(400, int), np.arange(400))[:, 0, 0]
    pairs = set()
    for row, code in enumerate(found):
        i = row % 4
        angle = np.arccos(np.clip(codes[:4] @ codes[i], -1, 1))
        way = np.arccos(np.clip(code @ codes[i], -1, 1))
        ways = np.array([sphere.slerp(codes[[i] * 4], codes[:4], np.full(4, t)) for t in interpolation.SHARES])
        t, j = np.unravel_index(np.abs(ways - code).sum(axis=-1).argmin(), (4, 4))
        assert i != j
        assert way == pytest.approx(interpolation.SHARES[t] * angle[j], abs=1e-3)
        pairs.add((i, j, t))
    assert len(pairs) == 4 * 3 * 4


def test_no_way_and_one_image_give_reconstructions():
    codes, source = sources("none")
    np.testing.assert_allclose(source.draw([0, 0, 1], [0, 5, 9])[:, 0, 0], codes[[0, 1, 4]], atol=1e-6)
    codes, source = sources("slerp")
    np.testing.assert_allclose(source.draw([1, 1], [0, 1])[:, 0, 0], codes[[4, 4]], atol=1e-6)


def test_what_comes_of_a_class_does_not_depend_on_the_others():
    _, source = sources("lerp")
    mixed = source.draw([0, 1, 0], [0, 0, 1])
    _, source = sources("lerp")
    np.testing.assert_array_equal(mixed[[0, 2]], source.draw([0, 0], [0, 1]))
    with pytest.raises(ValueError, match="`kind` should be one of"):
        sources("cubic")


def test_means_of_features_are_taken_batch_by_batch():
    sizes = []

    def levels(part):
        sizes.append(len(part))
        return [part, 2 * part]

    images = np.random.default_rng(0).random((5, 4, 3, 2), dtype=np.float32)
    found = perceptual.means_of_last(levels, images, batch_size=2)
    np.testing.assert_allclose(found, 2 * images.mean(axis=(1, 2)), rtol=1e-6)
    assert sizes == [2, 2, 1]
