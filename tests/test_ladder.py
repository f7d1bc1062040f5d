"""The ladder network: its costs by hand, where gradients flow, what prediction depends on, and what unlabelled images
are worth on real digits.
"""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from cnn import ladder, recipes
from cnn.ladder import Ladder
from images import codec, sources

SHAPE, WIDTHS, NUM_CLASSES = (2, 2, 1), (3,), 2
rng = np.random.default_rng(0)
LABELLED, UNLABELLED = rng.random((4, *SHAPE), dtype=np.float32), rng.random((5, *SHAPE), dtype=np.float32)
LABELS = np.eye(NUM_CLASSES, dtype=np.float32)[[0, 1, 1, 0]]


def build(noise=0.0, denoising=(5.0, 2.0, 0.5), widths=WIDTHS, shape=SHAPE, num_classes=NUM_CLASSES):
    keras.utils.set_random_seed(0)
    model = Ladder(shape, num_classes, widths, noise, denoising, seed=1)
    model.build()
    return model


def numpy(variable):
    return ops.convert_to_numpy(variable)


def scramble(model):
    """Gives every trainable weight a value of its own."""
    draw = np.random.default_rng(2)
    for weight in model.trainable_weights:
        weight.assign(draw.normal(0, 0.7, weight.shape))
    return model


def compiled(model, optimizer="adam", **options):
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"], **options)
    return model


def pair():
    return {"labelled": LABELLED, "unlabelled": UNLABELLED}


# The costs by hand: NumPy, from the paper's Algorithm 1 and equation 2, on 4 pixels, 3 units and 2 classes


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)


def by_hand(model, disturb):
    """Cross-entropy and denoising costs with `disturb` in place of noise."""
    (w1, w2), (v0, v1) = ([numpy(x.kernel) for x in part] for part in ([k.project for k in model.levels], model.down))
    beta1, beta2, gamma2 = (numpy(x) for x in (model.levels[0].beta, model.levels[1].beta, model.levels[1].gamma))

    def norm(z):
        return (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + ladder.EPSILON)

    def noisy(images):
        z0 = disturb(images.reshape(len(images), -1))
        z1 = disturb(norm(z0 @ w1))
        z2 = disturb(norm(np.maximum(z1 + beta1, 0) @ w2))
        return z0, z1, z2, softmax(gamma2 * (z2 + beta2))

    def combine(k, z, u):
        a = numpy(model.combinators[k].a)
        mu = a[0] * sigmoid(a[1] * u + a[2]) + a[3] * u + a[4]
        nu = a[5] * sigmoid(a[6] * u + a[7]) + a[8] * u + a[9]
        return (z - mu) * nu + mu

    x = UNLABELLED.reshape(len(UNLABELLED), -1)
    raw1 = x @ w1
    raw2 = np.maximum(norm(raw1) + beta1, 0) @ w2
    z0, z1, z2, top = noisy(UNLABELLED)
    guess2 = combine(2, z2, norm(top))
    guess1 = combine(1, z1, norm(guess2 @ v1))
    guess0 = combine(0, z0, norm(guess1 @ v0))
    costs = [5.0 * np.mean((x - guess0) ** 2)]
    for weight, raw, guess in ((2.0, raw1, guess1), (0.5, raw2, guess2)):
        deviation = np.sqrt(raw.var(axis=0) + ladder.EPSILON)
        costs.append(weight * np.mean((norm(raw) - (guess - raw.mean(axis=0)) / deviation) ** 2))
    return -np.mean(np.log((noisy(LABELLED)[-1] * LABELS).sum(axis=1))), costs


def test_costs_are_those_of_the_paper():
    model = compiled(scramble(build()), run_eagerly=True)
    model.add_noise = lambda h: h + 0.3 * ops.sin(7 * h)  # noise that NumPy can repeat
    cross_entropy, costs = by_hand(model, lambda h: h + 0.3 * np.sin(7 * h))
    lateral, _, top = model.encode_noisy(*(model.flatten(x) for x in (LABELLED, UNLABELLED)))
    found = model.denoising_costs(model.encode_clean(model.flatten(UNLABELLED)), lateral, top)
    np.testing.assert_allclose([float(cost) for cost in found], costs, rtol=1e-4)
    assert min(costs) > 1e-3
    loss = model.train_on_batch(pair(), LABELS, return_dict=True)["loss"]
    assert float(loss) == pytest.approx(cross_entropy + sum(costs), rel=1e-4)


def test_last_weight_counts_for_all_levels_above():
    costs = []
    for denoising in ((4.0, 3.0, 3.0), (4.0, 3.0)):
        model = scramble(build(denoising=denoising))
        model(pair(), training=True)
        costs.append(float(model.losses[0]))
    assert costs[0] == costs[1] > 0


# Paths and gradients


def change(model, before):
    return {weight.path: numpy(weight) - old for weight, old in zip(model.trainable_weights, before, strict=True)}


def train(model, steps=3, optimizer="sgd", **options):
    compiled(model, optimizer, run_eagerly=True, **options)  # three steps: sooner done than traced
    before = [numpy(weight) for weight in model.trainable_weights]
    for _ in range(steps):
        model.train_on_batch(pair(), LABELS)
    return change(model, before)


def test_every_weight_learns_from_its_first_values():
    model = build(noise=0.3, widths=(6, 5))
    changes = train(model, optimizer=keras.optimizers.SGD(0.01))
    assert len(changes) == 3 * 2 + 1 + 3 + 4  # W, V, beta, gamma, combinators
    for path, step in changes.items():
        rows = step if "combinator" in path else [step]  # each of a1 to a10
        assert all(np.any(row != 0) for row in rows), path


def test_denoising_alone_moves_every_weight_the_tops_scale_too():
    changes = train(build(noise=0.3, widths=(6, 5)), loss_weights=0.0)
    assert all(np.any(step) for step in changes.values())  # the decoder starts from the probabilities


def test_labels_alone_leave_the_decoder_as_it_was():
    model = build(noise=0.3, denoising=(0.0,))
    changes = train(model)
    decoder = {weight.path for part in (*model.down, *model.combinators) for weight in part.trainable_weights}
    assert {path for path, step in changes.items() if not np.any(step)} == decoder


def test_halves_of_a_batch_are_normalised_each_by_itself():
    model = scramble(build())
    given = numpy(model(pair(), training=True))
    other = numpy(model({"labelled": LABELLED, "unlabelled": 1 - UNLABELLED}, training=True))
    np.testing.assert_allclose(given, other, rtol=1e-6)


def test_training_is_noisy_and_prediction_is_not_and_takes_images_one_by_one():
    model = scramble(build(noise=0.3))
    twice = [numpy(model(pair(), training=True)) for _ in range(2)]
    assert np.abs(twice[0] - twice[1]).max() > 1e-3
    together = model.predict(LABELLED, verbose=0)
    one_by_one = np.concatenate([model.predict(x[None], verbose=0) for x in LABELLED])
    np.testing.assert_allclose(together, one_by_one, rtol=1e-5)
    np.testing.assert_allclose(together, numpy(model(pair())), rtol=1e-5)
    assert not model.losses


def test_prediction_normalises_by_the_clean_unlabelled_images():
    model = compiled(scramble(build(noise=0.3)), keras.optimizers.SGD(0.0))
    for _ in range(300):  # 0.95 ** 300 = 2e-7 is left of the first values
        model.train_on_batch(pair(), LABELS)
    h = model.flatten(UNLABELLED)
    for level in model.levels:
        z = numpy(level.project(h))
        np.testing.assert_allclose(numpy(level.moving_mean)[0], z.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(numpy(level.moving_variance)[0], z.var(axis=0, ddof=1), rtol=1e-4)
        h = level.activate(ladder.normalise(z)[0])
    many = UNLABELLED.shape[0] / (UNLABELLED.shape[0] - 1)  # by which the moving variance is the larger
    assert np.abs(model.predict(UNLABELLED, verbose=0) - numpy(h)).max() < many - 1


def test_settings_and_weights_survive_the_file(tmp_path):
    model = compiled(scramble(build(noise=0.2)))
    model.fit(
        (batch for batch in itertools.repeat((pair(), LABELS))),
        steps_per_epoch=2,
        validation_data=(LABELLED, LABELS),
        verbose=0,
    )
    model.save(tmp_path / "ladder.keras")
    again = keras.saving.load_model(tmp_path / "ladder.keras")
    assert (again.noise, again.denoising, again.widths, again.seed) == (0.2, (5.0, 2.0, 0.5), WIDTHS, 1)
    for weight, other in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(numpy(weight), numpy(other))
    np.testing.assert_array_equal(again.predict(LABELLED, verbose=0), model.predict(LABELLED, verbose=0))


# Batches and learning rate


def test_unlabelled_images_come_in_reshuffled_passes_beside_the_labelled_ones():
    images = np.arange(6, dtype=np.float32)[:, None, None, None]
    labelled = [(np.full((2, 1, 1, 1), k), k) for k in range(6)]
    found = list(ladder.batches(iter(labelled), images, seed=3, batch_size=2))
    assert [(int(x["labelled"][0, 0, 0, 0]), y) for x, y in found] == [(k, k) for k in range(6)]
    seen = [x["unlabelled"].reshape(-1).tolist() for x, _ in found]
    assert sorted(itertools.chain(*seen[:3])) == sorted(itertools.chain(*seen[3:])) == list(range(6))
    assert seen[:3] != seen[3:]
    again = [x["unlabelled"].reshape(-1).tolist() for x, _ in ladder.batches(iter(labelled), images, 3, 2)]
    assert again == seen


def test_a_step_takes_all_unlabelled_images_where_there_are_few():
    x, _ = next(ladder.batches(iter([(0, 0)]), np.zeros((7, 1, 1, 1), np.float32), seed=0))
    assert len(x["unlabelled"]) == 7


def test_learning_rate_falls_to_nothing_over_the_last_third():
    rates = [recipes.ladder_rate(epoch, 9) for epoch in range(10)]
    np.testing.assert_allclose(rates, [0.002] * 7 + [0.002 * 2 / 3, 0.002 / 3, 0], atol=1e-12)


# Real digits


@pytest.mark.slow
def test_unlabelled_digits_make_it_better_than_its_supervised_part():
    x_train, y_train, x_test, y_test, _ = sources.digits(seed=0, side=8)
    x_train, x_test = codec.to_float(x_train[..., None]), codec.to_float(x_test[..., None])
    rows = np.concatenate([np.flatnonzero(y_train == label)[:1] for label in range(10)])
    labelled = x_train[rows], np.eye(10, dtype=np.float32)[y_train[rows]]
    accuracy = {}
    for denoising in (ladder.DENOISING, (0.0,)):
        model = build(0.3, denoising, (100, 50), (8, 8, 1), 10)
        compiled(model, keras.optimizers.Adam(recipes.LADDER_RATE))
        stream = ladder.batches(itertools.repeat(labelled), x_train, seed=0)
        for _ in range(200):
            model.train_on_batch(*next(stream))
        accuracy[denoising] = np.mean(model.predict(x_test, verbose=0).argmax(axis=1) == y_test)
    assert accuracy[ladder.DENOISING] > accuracy[0.0,] + 0.05
