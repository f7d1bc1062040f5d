"""The four arms under the two protocols: their schedules, and what a classifier is fed because of them."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from cnn import injection, training
from cnn.protocols import ARMS, Schedule, fair, name_arm, published, validated

GENERATED = 1000
REMARK = "as released: no generated image is used"


@pytest.mark.parametrize(
    ("joined", "augmented", "arm"),
    [
        ([], False, "CNN"),
        (["VAE"], False, "VAE"),
        ([], True, "AUG"),
        (["VAE"], True, "AUG+VAE"),
        (["LADDER"], 0, "LADDER"),
    ],
)
def test_an_arm_is_named_by_what_joins_the_real_images(joined, augmented, arm):
    assert name_arm(joined, augmented) == arm


@pytest.mark.parametrize(
    ("steps", "epochs", "last"), [(3000, 60, None), (600, 12, None), (610, 13, 10), (3001, 61, 1), (20, 1, None)]
)
def test_a_page_lasts_fifty_steps_and_the_last_one_what_is_left(steps, epochs, last):
    schedule = fair("VAE", steps=steps)
    assert (schedule.epochs, schedule.last_steps, schedule.steps()) == (epochs, last, steps)
    assert injection.num_used(schedule.epochs, schedule.page_size, 25_000) == 100 * epochs
    assert schedule.steps(1) == min(50, steps)


def test_validated_keeps_the_best_validation_accuracy_of_equal_steps_or_of_passes():
    steps = validated("VAE", 150, steps=610, evaluate_every=5)
    assert (steps.monitor, steps.patience, steps.steps(), steps.evaluate_every) == ("val_accuracy", None, 610, 5)
    passes = validated("CNN", 70, 200)
    assert (passes.epochs, passes.steps_per_epoch, passes.full_batches) == (200, 3, False)  # ceil(70 / 32)
    assert passes.steps() == 600


@pytest.mark.parametrize("asked", [{"steps": 610}, {"epochs": 12, "steps": 600}, {"epochs": 12}])
def test_a_validated_training_is_validated_at_least_once(asked):
    assert validated("CNN", 70, **asked, evaluate_every=12).evaluate_every == 12
    with pytest.raises(ValueError, match=r"--validate-every 14: the training has 1[23] epochs"):
        validated("CNN", 70, **asked, evaluate_every=14)


def test_a_run_is_told_from_another_by_what_decides_it_not_by_prose():
    schedule = published("AUG+VAE", 50, 25_000)
    assert schedule.remark
    assert not {"remark", "last_steps", "evaluate_every"} & set(schedule.settings())
    assert fair("CNN", steps=610).settings()["last_steps"] == 10


def test_an_arm_that_was_never_published_is_refused():
    with pytest.raises(ValueError, match="the thesis has no arm MIXUP"):
        published("MIXUP", 50)


@pytest.mark.parametrize(
    ("arm", "page_size", "augmented"), [("CNN", 0, False), ("VAE", 100, False), ("AUG", 0, True), ("AUG+VAE", 50, True)]
)
def test_fair_gives_every_arm_the_same_steps_and_no_look_at_the_test_set(arm, page_size, augmented):
    assert fair(arm) == Schedule(
        arm=arm,
        protocol="fair",
        epochs=60,
        steps_per_epoch=50,
        batch_size=32,
        page_size=page_size,
        augmented=augmented,
        full_batches=True,
        monitor=None,
        patience=None,
        remark="",
    )


@pytest.mark.parametrize(
    ("arm", "steps", "page_size", "augmented", "monitor", "patience", "remark"),
    [  # 50 training images
        ("CNN", 2, 0, False, "val_loss", 10, ""),  # ceil(50 / 32)
        ("AUG", 50, 0, True, "val_loss", 10, ""),  # as many batches as there are images
        ("VAE", 5, 100, False, "val_accuracy", None, ""),  # ceil((50 + 100) / 32)
        ("AUG+VAE", 50, 0, True, "val_accuracy", None, REMARK),
    ],
)
def test_published_is_the_released_code_arm_by_arm(arm, steps, page_size, augmented, monitor, patience, remark):
    assert published(arm, 50, 25_000) == Schedule(
        arm=arm,
        protocol="published",
        epochs=60,
        steps_per_epoch=steps,
        batch_size=32,
        page_size=page_size,
        augmented=augmented,
        full_batches=False,
        monitor=monitor,
        patience=patience,
        remark=remark,
    )


@pytest.mark.parametrize(
    ("num_train", "steps"),
    [
        (32, {"CNN": 1, "AUG": 32, "VAE": 5, "AUG+VAE": 32}),  # ceil(132 / 32)
        (100, {"CNN": 4, "AUG": 100, "VAE": 7, "AUG+VAE": 100}),  # ceil(100 / 32), ceil(200 / 32)
        (1000, {"CNN": 32, "AUG": 1000, "VAE": 35, "AUG+VAE": 1000}),  # ceil(1000 / 32), ceil(1100 / 32)
    ],
)
def test_published_arms_differ_in_their_steps(num_train, steps):
    assert {arm: published(arm, num_train, 25_000).steps_per_epoch for arm in ARMS} == steps


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize(
    ("select", "monitor", "patience"),
    [("loss", "val_loss", 10), ("accuracy", "val_accuracy", None), ("last", None, None)],
)
def test_one_rule_for_all_published_arms_changes_nothing_but_the_rule(arm, select, monitor, patience):
    own, ours = published(arm, 50, 25_000), published(arm, 50, 25_000, select=select)
    assert (ours.monitor, ours.patience) == (monitor, patience)
    assert f"--select {select}" in ours.remark
    assert own.remark in ours.remark
    assert replace(ours, monitor=own.monitor, patience=own.patience, remark=own.remark) == own


def test_augmentation_picked_by_accuracy_is_all_that_the_released_aug_vae_is():
    released, without = published("AUG+VAE", 50, 25_000), published("AUG", 50, select="accuracy")
    assert replace(without, arm="AUG+VAE", remark=released.remark) == released


def test_published_takes_other_epochs_batches_and_pages():
    schedule = published("VAE", 50, 500, epochs=7, batch_size=10, page_size=25)
    assert (schedule.epochs, schedule.batch_size, schedule.page_size, schedule.steps_per_epoch) == (7, 10, 25, 8)


def test_all_generated_images_at_once_train_as_the_published_cnn_arm_does():
    schedule = published("VAE", 50, 25_000, injection="all")
    assert (schedule.page_size, schedule.steps_per_epoch) == (-1, 783)  # ceil(25,050 / 32)
    assert (schedule.monitor, schedule.patience) == ("val_loss", 10)


def test_all_at_once_was_never_published_with_augmentation():
    with pytest.raises(ValueError, match=r"--injection all.*--protocol fair"):
        published("AUG+VAE", 50, 25_000, injection="all")


@pytest.mark.parametrize("arm", ["CNN", "AUG"])
def test_injection_leaves_the_published_arms_without_generated_images_alone(arm):
    assert published(arm, 50, injection="all") == published(arm, 50)


@pytest.mark.parametrize(("arm", "page_size"), [("CNN", 0), ("VAE", -1), ("AUG", 0), ("AUG+VAE", -1)])
def test_fair_injects_all_where_there_is_something_to_inject(arm, page_size):
    assert fair(arm, injection="all").page_size == page_size
    assert fair(arm, injection="all").steps_per_epoch == 50


@pytest.mark.parametrize(("arm", "page_size"), [("CNN", 0), ("VAE", 7), ("AUG", 0), ("AUG+VAE", 7)])
def test_fair_takes_a_given_page_size(arm, page_size):
    assert fair(arm, page_size=7).page_size == page_size


@pytest.mark.parametrize(("steps", "epochs"), [(3000, 7), (10, 60)])
def test_fair_refuses_epochs_that_do_not_divide_the_steps(steps, epochs):
    with pytest.raises(ValueError, match=f"{steps} steps cannot be laid out as {epochs} equal epochs.*-e.*--steps"):
        fair("CNN", epochs=epochs, steps=steps)


class FakeModel:
    """Takes the batches that `fit` asks for and remembers their image numbers; calls back as Keras does."""

    steps_per_execution, stop_training = 1, False

    def __init__(self):
        self.epochs, self.weights = [], None

    def make_train_function(self, force):
        assert force

    def get_weights(self):
        return len(self.epochs)

    def set_weights(self, weights):
        self.weights = weights

    def fit(self, batches, *, steps_per_epoch, epochs, initial_epoch, callbacks, verbose, shuffle, **validation):
        self.validation, self.callbacks, self.shuffle = validation, callbacks, shuffle
        for callback in callbacks:
            callback.set_model(self)
            callback.on_train_begin()
        for epoch in range(initial_epoch, epochs):
            self.epochs.append([next(batches) for _ in range(steps_per_epoch)])
            logs = {"loss": 1.0, "accuracy": 0.5}
            if validation:  # best in the second epoch, equally good in the third
                logs["val_loss"] = {0: 1.0, 1: 0.5, 2: 0.5}.get(epoch, 2.0)
                logs["val_accuracy"] = {0: 0.1, 1: 0.9, 2: 0.9}.get(epoch, 0.2)
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs)


def numbered(count, first):
    images = np.zeros((count, 2, 2, 1), np.float32) + np.arange(first, first + count).reshape(-1, 1, 1, 1)
    return images, np.eye(2, dtype=np.float32)[np.arange(count) % 2]


def feed(schedule, num_real=50, num_generated=400):
    """Runs `training.train` with a model that only looks: the model, the test pair and what `train` returned."""
    model, test = FakeModel(), numbered(5, first=5000)
    augment = (lambda images: images + 0.5) if schedule.augmented else None
    batches = injection.batches(numbered(num_real, 0), numbered(num_generated, GENERATED), schedule, 0, augment)
    return model, test, training.train(model, batches, schedule, test)


SCHEDULES = [
    build(arm) for arm in ARMS for build in (lambda arm: fair(arm, 6, 120), lambda arm: published(arm, 50, 400, 6))
]
each_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=[f"{s.arm}-{s.protocol}" for s in SCHEDULES])


@each_schedule
def test_an_arm_is_fed_its_real_images_and_the_pages_it_was_promised(schedule):
    model, _, _ = feed(schedule)
    assert len(model.epochs) == 6
    for epoch, steps in enumerate(model.epochs):
        assert len(steps) == schedule.steps_per_epoch
        seen = np.concatenate([images[:, 0, 0, 0] for images, _ in steps])
        assert np.all(seen % 1 == (0.5 if schedule.augmented else 0))
        seen = set(np.floor(seen).astype(int).tolist())
        assert {number for number in seen if number < GENERATED} == set(range(50))
        pages = range(epoch * schedule.page_size, (epoch + 1) * schedule.page_size)
        assert {number for number in seen if number >= GENERATED} == {GENERATED + place % 400 for place in pages}


@each_schedule
def test_batches_have_the_promised_sizes(schedule):
    sizes = [[len(images) for images, _ in steps] for steps in feed(schedule)[0].epochs]
    if schedule.protocol == "fair":
        assert sizes == [[32] * 20] * 6
    elif schedule.arm == "VAE":
        assert sizes == [[32, 32, 32, 32, 22]] * 6
    else:
        assert sizes == [[32, 18] * (schedule.steps_per_epoch // 2)] * 6


@each_schedule
def test_the_test_set_is_looked_at_only_where_it_picks_the_weights(schedule):
    model, test, (history, _) = feed(schedule)
    if schedule.protocol == "fair":
        assert model.validation == {}
        assert list(history) == ["epoch", "loss", "accuracy"]
    else:
        np.testing.assert_array_equal(model.validation["validation_data"][0], test[0])
        np.testing.assert_array_equal(model.validation["validation_data"][1], test[1])
        assert list(history) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5, 6]


@each_schedule
def test_weights_are_picked_as_the_protocol_says(schedule):
    model, _, (_, kept) = feed(schedule)
    stops = [callback for callback in model.callbacks if isinstance(callback, keras.callbacks.EarlyStopping)]
    if schedule.protocol == "fair":
        assert stops == []
        assert kept == 6
        return
    assert kept == 2
    assert model.weights == 2
    assert len(stops) == 1
    assert stops[0].restore_best_weights
    assert stops[0].monitor == ("val_accuracy" if "VAE" in schedule.arm else "val_loss")
    assert stops[0].mode == ("max" if "VAE" in schedule.arm else "min")
    assert stops[0].min_delta == 0
    if "VAE" in schedule.arm:
        assert stops[0].patience >= schedule.epochs
    else:
        assert stops[0].patience == 10


@pytest.mark.parametrize("monitor", [None, "val_accuracy"])
def test_a_shorter_last_epoch_goes_on_with_the_same_stream(monitor):
    schedule = replace(fair("VAE", steps=110), monitor=monitor)
    model, _, (history, kept) = feed(schedule)
    assert [len(steps) for steps in model.epochs] == [50, 50, 10]
    pages = [{int(x) for images, _ in steps for x in images[:, 0, 0, 0] if x >= GENERATED} for steps in model.epochs]
    assert [min(page) for page in pages] == [GENERATED, GENERATED + 100, GENERATED + 200]
    assert history["epoch"].tolist() == [1, 2, 3]
    assert kept == (2 if monitor else 3)


def test_the_published_augvae_arm_never_sees_a_generated_image_and_the_fair_one_does():
    def generated_share(schedule):
        seen = np.concatenate([images[:, 0, 0, 0] for steps in feed(schedule)[0].epochs for images, _ in steps])
        return np.mean(seen >= GENERATED)

    assert generated_share(published("AUG+VAE", 50, 400, 6)) == 0
    assert generated_share(fair("AUG+VAE", 6, 120)) == pytest.approx(0.5, abs=0.1)  # pages of 50 beside 50 real images


def test_all_at_once_is_fed_whole():
    model, _, _ = feed(published("VAE", 50, 400, 3, injection="all"))
    for steps in model.epochs:
        seen = sorted(int(number) for images, _ in steps for number in images[:, 0, 0, 0])
        assert seen == list(range(50)) + list(range(GENERATED, GENERATED + 400))
