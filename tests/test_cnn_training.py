"""Training a real, tiny classifier: its steps, when it stops, which weights it keeps; and the classic augmentation."""

import itertools
from itertools import pairwise

import keras
import numpy as np
import pytest

from cnn import augmentation, injection, presets, protocols, training
from cnn.protocols import Schedule
from common import backend

# Keras' ImageDataGenerator uses an old name of SciPy's
pytestmark = pytest.mark.filterwarnings("ignore:Please (import|use) `affine_transform`:DeprecationWarning")
NUM_CLASSES = 3


def make_data(count, seed=0, labels=None):
    """8x8 images whose brightness tells their class, and one-hot labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % NUM_CLASSES if labels is None else labels
    images = 0.3 * rng.random((count, 8, 8, 1), dtype=np.float32)
    images[np.arange(count), np.arange(count) % NUM_CLASSES] += 0.7  # the row of its place
    return images, np.eye(NUM_CLASSES, dtype=np.float32)[labels]


def build(seed=0):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(NUM_CLASSES, activation="softmax")]
    )
    training.compile_classifier(model)
    return model


def make_schedule(epochs=5, steps_per_epoch=2, monitor=None):
    return Schedule("CNN", "published", epochs, steps_per_epoch, 8, 0, False, False, monitor, None)


class Weights(keras.callbacks.Callback):
    """Remembers the weights after each epoch."""

    def __init__(self):
        super().__init__()
        self.after = []

    def on_epoch_end(self, epoch, logs=None):
        self.after.append(self.model.get_weights())


def run(schedule, test=None, augment=None, on_step=None, as_dataset=None):
    """Trains a fresh model: model, weights after each epoch, history, kept epoch."""
    model, weights = build(), Weights()
    batches = injection.batches(make_data(12), make_data(30, seed=9), schedule, 0, augment)
    history, kept = training.train(model, batches, schedule, test, [weights], on_step=on_step, as_dataset=as_dataset)
    return model, weights.after, history, kept


@pytest.mark.parametrize(
    "schedule",
    [
        protocols.fair("VAE", epochs=3, steps=15, batch_size=8, page_size=10),
        protocols.published("CNN", 12, epochs=3, batch_size=8),  # batches of 8 and 4
    ],
)
def test_a_data_set_that_does_not_tune_itself_gives_the_same_weights(schedule):
    test = make_data(20, seed=1)
    _, expected, history, _ = run(schedule, test)
    _, found, same, _ = run(schedule, test, as_dataset=backend.as_dataset)
    for weights, others in zip(found, expected, strict=True):
        assert_same_weights(weights, others)
    assert same.equals(history)


def assert_same_weights(found, expected):
    for weight, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(weight, other)


def different(weights, others):
    return any(not np.array_equal(weight, other) for weight, other in zip(weights, others, strict=True))


@pytest.mark.parametrize(
    ("schedule", "steps"),
    [
        (protocols.fair("CNN", epochs=3, steps=15, batch_size=8), 15),
        (protocols.fair("VAE", epochs=3, steps=15, batch_size=8, page_size=10), 15),
        (protocols.fair("AUG", epochs=3, steps=15, batch_size=8), 15),
        (protocols.fair("AUG+VAE", epochs=3, steps=15, batch_size=8, page_size=10), 15),
        (protocols.published("CNN", 12, epochs=3, batch_size=8), 6),  # 3 * ceil(12 / 8)
        (protocols.published("VAE", 12, 30, epochs=3, batch_size=8, page_size=10), 9),  # 3 * ceil(22 / 8)
        (protocols.published("AUG", 12, epochs=3, batch_size=8), 36),  # 3 * 12
        (protocols.published("AUG+VAE", 12, 30, epochs=3, batch_size=8), 36),
    ],
    ids=lambda value: f"{value.arm}-{value.protocol}" if isinstance(value, Schedule) else str(value),
)
def test_training_takes_exactly_the_steps_of_the_schedule(schedule, steps):
    augment = augmentation.Augmentation(make_data(12)[0], 0) if schedule.augmented else None
    calls = []
    model, _, history, _ = run(schedule, make_data(6, seed=1), augment, on_step=lambda: calls.append(1))
    assert int(model.optimizer.iterations) == len(calls) == steps
    assert history["epoch"].tolist() == [1, 2, 3]


def test_data_that_run_out_are_an_error_and_no_early_end():
    endless = injection.batches(make_data(12), None, make_schedule(), 0)
    batches = (batch for batch in itertools.islice(endless, 7))
    with pytest.raises(UserWarning, match="ran out of data"):
        training.train(build(), batches, make_schedule(epochs=5, steps_per_epoch=2))


def test_without_a_monitor_the_last_weights_are_kept():
    model, after, history, kept = run(make_schedule(epochs=4), test=make_data(6, seed=1))
    assert kept == len(after) == 4
    assert_same_weights(model.get_weights(), after[-1])
    assert set(history) == {"epoch", "loss", "accuracy"}


def test_ten_epochs_without_a_lower_test_loss_end_the_published_cnn_arm_with_its_best_weights():
    # wrong labels: the better the model learns, the higher its test loss, so the first epoch is the best
    wrong = make_data(30, labels=(np.arange(30) + 1) % NUM_CLASSES)
    model, after, history, kept = run(protocols.published("CNN", 12, batch_size=1), wrong)
    assert history["val_loss"].is_monotonic_increasing
    assert kept == 1
    assert len(history) == len(after) == 11
    assert different(after[0], after[-1])
    assert_same_weights(model.get_weights(), after[0])


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
def test_weights_kept_are_those_of_the_best_epoch(monitor):
    # a third of the labels is wrong, so the test loss falls at first and rises later
    labels = np.arange(30) % NUM_CLASSES
    labels[::3] = (labels[::3] + 1) % NUM_CLASSES
    test = make_data(30, seed=1, labels=labels)
    model, after, history, kept = run(make_schedule(epochs=10, steps_per_epoch=20, monitor=monitor), test)
    assert len(history) == 10
    best = history["val_loss"].min() if monitor == "val_loss" else history["val_accuracy"].max()
    assert kept == history["epoch"][history[monitor] == best].iloc[0]
    assert 1 < kept < 10
    expected = build()
    expected.set_weights(after[kept - 1])
    np.testing.assert_array_equal(model.predict(test[0], verbose=0), expected.predict(test[0], verbose=0))
    assert different(after[kept - 1], after[-1])
    assert model.evaluate(*test, verbose=0)[0 if monitor == "val_loss" else 1] == pytest.approx(best, rel=1e-5)


def test_of_equally_good_epochs_the_first_is_kept():
    # one image that is right or wrong throughout
    model, after, history, kept = run(
        make_schedule(epochs=6, monitor="val_accuracy"), make_data(NUM_CLASSES, labels=np.zeros(NUM_CLASSES, int))
    )
    best = history["val_accuracy"].max()
    ties = history["epoch"][history["val_accuracy"] == best].tolist()
    assert len(ties) > 1
    assert kept == ties[0]
    assert_same_weights(model.get_weights(), after[kept - 1])
    assert len(history) == 6


@pytest.mark.parametrize("monitor", [None, "val_loss"])
def test_a_loss_that_is_no_number_ends_the_training_and_names_the_epoch(monitor):
    images, labels = make_data(8)

    def batches():
        yield from [(images, labels)] * 4
        while True:
            yield np.full_like(images, np.nan), labels

    schedule = make_schedule(epochs=9, steps_per_epoch=2, monitor=monitor)
    with pytest.raises(FloatingPointError, match="the loss became nan in epoch 3"):
        training.train(build(), batches(), schedule, make_data(6, seed=1))


def test_classifier_is_compiled_with_keras_adam_and_cross_entropy():
    model = build()
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.001)
    assert model.loss == "categorical_crossentropy"


# Classic augmentation


def test_suitable_augmentation_is_the_papers():
    assert presets.SUITABLE == {"rotation_range": 20, "width_shift_range": 0.2, "height_shift_range": 0.2}
    generator = augmentation.Augmentation(make_data(4)[0], 0).generator
    assert (generator.rotation_range, generator.width_shift_range, generator.height_shift_range) == (20, 0.2, 0.2)
    assert not generator.horizontal_flip
    assert not generator.vertical_flip
    assert (generator.shear_range, generator.zoom_range, generator.channel_shift_range) == (0, [1, 1], 0)
    assert not generator.zca_whitening
    assert generator.rescale is None


@pytest.mark.filterwarnings("ignore:This ImageDataGenerator specifies `zca_whitening`")
def test_inexpert_augmentation_is_everything_at_once_and_fits_the_whitening():
    images = make_data(12)[0]
    generator = augmentation.Augmentation(images, 0, presets.INEXPERT).generator
    assert (generator.rotation_range, generator.width_shift_range, generator.height_shift_range) == (360, 1.0, 1.0)
    assert (generator.shear_range, generator.zoom_range) == (90, [-4, 6])  # 1 - 5 to 1 + 5
    assert (generator.horizontal_flip, generator.vertical_flip, generator.fill_mode) == (True, True, "nearest")
    assert (generator.zca_whitening, generator.zca_epsilon) == (True, 1e-6)
    np.testing.assert_allclose(generator.mean.ravel(), images.mean(), rtol=1e-5)
    assert generator.zca_whitening_matrix.shape == (64, 64)


def test_lessons_lead_from_the_inexpert_settings_to_the_suitable_ones():
    steps = [presets.inexpert(known) for known in range(7)]
    assert steps[0] == presets.INEXPERT
    changed = [{name for name in old if old[name] != new[name]} for old, new in pairwise(steps)]
    assert changed == [
        {"zca_whitening"},
        {"horizontal_flip", "vertical_flip"},
        {"zoom_range"},
        {"shear_range"},
        {"width_shift_range", "height_shift_range"},
        {"rotation_range"},
    ]
    images = np.random.default_rng(0).random((3, 8, 8, 1), dtype=np.float32)
    last, suitable = (augmentation.Augmentation(images, 5, s)(images) for s in (steps[6], presets.SUITABLE))
    np.testing.assert_array_equal(last, suitable)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.filterwarnings("ignore:This ImageDataGenerator specifies `zca_whitening`")
@pytest.mark.parametrize("settings", [presets.SUITABLE, presets.INEXPERT], ids=["suitable", "inexpert"])
def test_augmentation_gives_new_images_of_the_same_shape(settings, channels):
    images = make_data(6)[0].repeat(channels, axis=-1)
    before = images.copy()
    changed = augmentation.Augmentation(images, 0, settings)(images)
    np.testing.assert_array_equal(images, before)
    assert changed.shape == images.shape
    assert np.all(np.isfinite(changed))
    assert all(not np.array_equal(new, old) for new, old in zip(changed, images, strict=True))


def test_suitable_augmentation_stays_float32_and_in_range():
    images = make_data(30)[0]
    changed = augmentation.Augmentation(images, 0)(images)
    assert changed.dtype == np.float32
    assert images.min() <= changed.min()
    assert changed.max() <= images.max() + 1e-6


def test_augmentation_follows_from_its_seed_and_its_calls_alone():
    images = make_data(6)[0]

    def two_calls(seed, global_seed):
        np.random.seed(global_seed)  # noqa: NPY002
        augment = augmentation.Augmentation(images, seed)
        first = augment(images)
        np.random.seed(global_seed + 1)  # noqa: NPY002
        return [first, augment(images)]

    first, again, other = two_calls(1, 0), two_calls(1, 50), two_calls(2, 0)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], other[0])


def test_equal_images_of_a_batch_are_transformed_differently():
    images = make_data(1)[0].repeat(5, axis=0)
    changed = augmentation.Augmentation(images, 0)(images)
    assert len({image.tobytes() for image in changed}) == 5
