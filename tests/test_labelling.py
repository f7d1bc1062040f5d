"""Which chain states a classifier trains on, with a stub for the classifier and for the chains; steps one at a time."""

import itertools

import keras
import numpy as np
import pytest

from cnn import evaluation, injection, labelling, objectives, protocols, stepwise, training
from cnn.labelling import Labelling

NUM_CLASSES = 3


class Counting:
    """Chains whose states are 2x2 images full of the state's number, going round over `num_starts` starts."""

    def __init__(self, num_starts=NUM_CLASSES):
        self.num_starts, self.place = num_starts, 0

    def next(self, count):
        numbers = np.arange(self.place, self.place + count)
        self.place += count
        return np.broadcast_to(numbers[:, None, None, None], (count, 2, 2, 1)).astype(np.float32), (
            numbers % self.num_starts
        )


def numbers(images):
    return images[:, 0, 0, 0].tolist()


def one_hot(labels):
    return np.eye(NUM_CLASSES, dtype=np.float32)[np.asarray(labels)]


def labelled(*labels):
    """Batches of labelled images, all -1, one for each list of labels."""
    return ((np.full((len(part), 2, 2, 1), -1, np.float32), one_hot(part)) for part in labels)


def stub(right):
    """A classifier that gives a state its start's label if `right(number)`, else the label after it."""

    def classify(states):
        found = [int(n) % NUM_CLASSES + (not right(n)) for n in numbers(states)]
        return 0.1 + 0.7 * one_hot(np.array(found) % NUM_CLASSES)

    return classify


def test_n_uses_every_state_with_its_starts_label():
    joined = Labelling(Counting(), one_hot([0, 1, 2]), "n", states_per_image=2)
    (x, y), (later, _) = joined.batches(labelled([2, 0], [1]))
    assert numbers(x) == [-1, -1, 0, 1, 2, 3]
    assert y.argmax(axis=1).tolist() == [2, 0, 0, 1, 2, 0]
    assert numbers(later) == [-1, 4, 5]
    assert (joined.drawn, joined.used) == (6, 6)
    assert x.dtype == y.dtype == np.float32


def test_starts_give_their_labels_whatever_their_order():
    joined = Labelling(Counting(4), one_hot([2, 2, 0, 1]), states_per_image=5)
    _, y = next(joined.batches(labelled([0])))
    assert y.argmax(axis=1).tolist() == [0, 2, 2, 0, 1, 2]


def test_y_uses_the_states_that_get_their_starts_label_and_keeps_the_batchs_size():
    joined = Labelling(Counting(), one_hot([0, 1, 2]), "y", stub(lambda n: n in (1, 2, 5)), states_per_image=4)
    x, y = next(joined.batches(labelled([0, 0])))
    assert numbers(x) == [-1, -1, 1, 2, 5, 1, 2, 5, 1, 2]
    assert y.argmax(axis=1).tolist() == [0, 0, 1, 2, 2, 1, 2, 2, 1, 2]
    assert (joined.drawn, joined.used) == (8, 3)


def test_y_puts_the_batchs_own_images_where_no_state_is_right():
    joined = Labelling(Counting(), one_hot([0, 1, 2]), "y", stub(lambda n: n >= 6), states_per_image=3)
    (x, y), (later, _) = joined.batches(labelled([2, 1], [0, 0]))
    assert numbers(x) == [-1] * 8
    assert y.argmax(axis=1).tolist() == [2, 1] * 4
    assert numbers(later) == [-1, -1, *range(6, 12)]
    assert (joined.drawn, joined.used) == (12, 6)


def test_states_are_judged_as_drawn_and_then_augmented():
    joined = Labelling(
        Counting(), one_hot([0, 1, 2]), "y", stub(lambda n: n == 4), lambda images: images + 100, states_per_image=6
    )
    x, _ = next(joined.batches(labelled([0])))
    assert numbers(x) == [-1] + [104] * 6


def test_another_rule_is_refused():
    with pytest.raises(ValueError, match=r"'n', 'y'.*Received: 'maybe'"):
        Labelling(Counting(), one_hot([0]), "maybe")


# One step at a time


def make_data(count, seed=0):
    """8x8 images whose brightest row tells their class, and one-hot labels."""
    images = 0.3 * np.random.default_rng(seed).random((count, 8, 8, 1), dtype=np.float32)
    images[np.arange(count), np.arange(count) % NUM_CLASSES] += 0.7
    return images, one_hot(np.arange(count) % NUM_CLASSES)


def build(seed=0):
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(NUM_CLASSES, activation="softmax")]
    model = keras.Sequential(layers)
    training.compile_classifier(model)
    return model


def test_every_batch_is_made_with_the_weights_that_the_step_before_it_left():
    model, seen = build(), []

    def batches():
        for x, y in injection.batches(make_data(12), None, protocols.fair("CNN", 2, 6, 4), 0):
            seen.append((int(model.optimizer.iterations), model.get_weights()[0]))
            yield x, y

    stepwise.fit(model, batches(), 3, 2)
    assert [step for step, _ in seen] == list(range(6))
    assert all((before != after).any() for (_, before), (_, after) in itertools.pairwise(seen))


def test_stepwise_gives_what_fit_gives():
    schedule, test = protocols.fair("CNN", 3, 15, 8), make_data(7, seed=1)
    results = []
    for fit in (keras.Model.fit, stepwise.fit):
        model = build()
        batches = injection.batches(make_data(12), None, schedule, 0)
        history = fit(model, batches, steps_per_epoch=5, epochs=3, verbose=0, validation_data=test)
        results.append((model.get_weights(), history.history))
    for weight, other in zip(results[0][0], results[1][0], strict=True):
        np.testing.assert_array_equal(weight, other)
    assert results[0][1].keys() == results[1][1].keys()
    for name, values in results[0][1].items():
        np.testing.assert_allclose(results[1][1][name], values, rtol=1e-5)


def test_stepwise_looks_at_images_that_come_in_batches():
    images, labels = np.random.default_rng(0).random((7, 2, 2, 1), np.float32), one_hot(np.arange(7) % NUM_CLASSES)
    batches, looks = iter([(images, labels)] * 2), []
    for data in ((images, labels), evaluation.Batches(images, labels, size=3)):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(NUM_CLASSES)])
        model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        looks.append(stepwise.fit(model, batches, 1, 1, validation_data=data).history["val_loss"])
    assert looks[0] == pytest.approx(looks[1], rel=1e-5)


@pytest.mark.parametrize("loss", ["categorical_crossentropy", objectives.cosine])
def test_a_look_on_several_devices_is_that_of_one(loss):
    images, labels = np.random.default_rng(0).random((7, 2, 2, 1), np.float32), one_hot(np.arange(7) % NUM_CLASSES)
    end = [keras.layers.Softmax()] if isinstance(loss, str) else []  # the other one takes logits
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(NUM_CLASSES), *end])
    model.compile("sgd", loss, metrics=["accuracy"])
    look, logs = evaluation.Look(images, labels, 1), {}
    look.set_model(model)
    look.on_epoch_end(0, logs)
    found = model.evaluate(images, labels, verbose=0, return_dict=True)
    assert logs == pytest.approx({"val_loss": found["loss"], "val_accuracy": found["accuracy"]}, rel=1e-5)


def test_stepwise_stops_and_puts_weights_back_as_callbacks_ask():
    wrong = make_data(30)
    wrong = wrong[0], np.roll(wrong[1], 1, axis=0)  # the better it learns, the higher this loss
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    model, batches = build(), injection.batches(make_data(12), None, protocols.fair("CNN", 1, 20, 4), 0)
    history = stepwise.fit(model, batches, 20, 10, [stopping], validation_data=wrong).history
    assert len(history["loss"]) == 3
    assert model.evaluate(*wrong, verbose=0)[0] == pytest.approx(history["val_loss"][0], rel=1e-5)


def test_training_on_chains_is_the_same_again():
    """Real decisions: a dense network that judges noisy copies of its own labelled images."""

    class Noisy:
        def __init__(self):
            self.rng, self.place = np.random.default_rng(1), 0

        def next(self, count):
            rows = np.arange(self.place, self.place + count) % 6
            self.place += count
            return make_data(6)[0][rows] + self.rng.normal(0, 1, (count, 8, 8, 1)).astype(np.float32), rows

    weights, used = [], []
    for _ in range(2):
        model = build()
        joined = Labelling(Noisy(), make_data(6)[1], "y", model.predict_on_batch)
        real = injection.batches(make_data(6), None, protocols.fair("CNN", 2, 20, 4), 0)
        stepwise.fit(model, joined.batches(real), 10, 2)
        weights.append(model.get_weights())
        used.append(joined.used)
    assert used[0] == used[1]
    assert 0 < used[0] < joined.drawn == 20 * 4 * labelling.STATES_PER_IMAGE
    for weight, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(weight, other)
