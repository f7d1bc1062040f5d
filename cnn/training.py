"""Trains a classifier along a schedule."""

import functools
import itertools
import warnings

import keras
import numpy as np
import pandas as pd

from cnn import evaluation, injection, objectives, stepwise
from cnn.recipes import ADAM

STEPS_AT_ONCE = 10  # optimiser steps per call of TensorFlow's graph, at most


class Watch(keras.callbacks.Callback):
    """Ends a training whose loss is no number, collects its epochs, and calls `on_step` for each optimiser step."""

    def __init__(self, on_step=None):
        super().__init__()
        self.on_step, self.epochs = on_step, []

    def on_train_batch_end(self, batch, logs=None):
        for _ in range(self.model.steps_per_execution if self.on_step else 0):
            self.on_step()

    def on_epoch_end(self, epoch, logs=None):
        if not np.isfinite(logs["loss"]):
            raise FloatingPointError(f"the loss became {logs['loss']} in epoch {epoch + 1}")
        self.epochs.append({"epoch": epoch + 1, **logs})


class KeepBest(keras.callbacks.EarlyStopping):
    """Remembers the best weights of a training, also of one that takes several calls of `fit`, for `restore`.

    Args:
        monitor: `"val_loss"`, of which the lowest, or `"val_accuracy"`, of which the highest is best.
        patience: looks without a better one before the training stops.
    """

    def __init__(self, monitor, patience):
        mode = "min" if monitor == "val_loss" else "max"
        super().__init__(monitor, patience=patience, mode=mode, restore_best_weights=True)
        self.has_begun = False

    def on_train_begin(self, logs=None):
        if not self.has_begun:
            super().on_train_begin(logs)
        self.has_begun = True

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor in logs:
            super().on_epoch_end(epoch, logs)

    def on_train_end(self, logs=None):
        """Leaves the weights as they are: the training may go on."""

    def restore(self):
        self.model.set_weights(self.best_weights)


def compile_classifier(model, steps_per_epoch=1, recipe=ADAM, loss="ce", steps=None):
    """Compiles a classifier with categorical cross-entropy (thesis 5.3.2) or another loss.

    On TensorFlow up to ten steps, as many as divide an epoch, are one call of its graph: between two calls is Python.

    Args:
        model: Keras model that gives probabilities.
        steps_per_epoch: optimiser steps.
        recipe: a `recipes.Recipe`. Its weight decay becomes a penalty of the model's variables, which is part of the
            loss that a training reports.
        loss: a name of `objectives.LOSSES`; cosine losses want a model that gives logits.
        steps: optimiser steps of the whole training, for a recipe whose learning rate falls.
    """
    options, (function, accuracy) = dict(recipe.options), objectives.LOSSES[loss]
    if recipe.falls:
        options["learning_rate"] = keras.optimizers.schedules.PiecewiseConstantDecay(*recipe.rates(steps))
    if recipe.weight_decay:
        for variable in model.trainable_variables:
            variable.regularizer = keras.regularizers.L2(recipe.weight_decay / 2)
    model.compile(
        optimizer=keras.optimizers.get({"class_name": recipe.optimizer, "config": options}),
        loss=function,
        metrics=[accuracy],
        steps_per_execution=_steps_at_once(model, steps_per_epoch),
    )


def _steps_at_once(model, steps):
    # Under a strategy Keras 3.15 fails for more than one ("must feed a value for placeholder tensor").
    if keras.backend.backend() != "tensorflow" or _is_distributed(model):
        return 1
    return next(n for n in range(STEPS_AT_ONCE, 0, -1) if steps % n == 0)


def _is_distributed(model):
    strategy = getattr(model, "distribute_strategy", None)
    return bool(strategy) and strategy.num_replicas_in_sync > 1


def _build_metrics(model, batches):
    """Builds a distributed model's metrics from a batch, and gives the batches back with that one in its place.

    `fit` would do it itself under a strategy, but drops the batch, and what it had fetched ahead: pages would shift.
    """
    if not hasattr(model, "_maybe_symbolic_build"):
        raise RuntimeError("this Keras has no Model._maybe_symbolic_build, which several devices need here")
    first = next(batches)
    model.test_on_batch(*first)
    model._maybe_symbolic_build = lambda **_: None
    return itertools.chain((first,), batches)


def train(
    model,
    batches,
    schedule,
    validation=None,
    callbacks=(),
    verbose=0,
    on_step=None,
    in_step=False,
    as_dataset=None,
    recipe=ADAM,
):
    """Trains a compiled model and leaves it with the weights that the schedule keeps.

    Args:
        model: compiled Keras model.
        batches: endless generator of (images, one-hot labels).
        schedule: a `protocols.Schedule`.
        validation: pair of images and one-hot labels that the schedule's monitor looks at; not used without one.
        callbacks: further Keras callbacks.
        verbose: Keras' progress, 0, 1 or 2.
        on_step: called without arguments after each optimiser step.
        in_step: whether a batch depends on the weights that the step before it left, and must not be fetched ahead.
        as_dataset: `common.backend.as_dataset`, used on TensorFlow; None leaves it to Keras to fetch ahead.
        recipe: a `recipes.Recipe`, for its learning rate.

    Returns:
        history: DataFrame with one row per epoch: `epoch` from 1, `loss`, `accuracy`, and with a monitor `val_loss` and
            `val_accuracy`, missing in epochs that it did not look at.
        kept: the epoch, from 1, whose weights the model has.

    Raises:
        FloatingPointError: the loss became NaN or infinite.
    """
    watch, best, options = Watch(on_step), None, {"verbose": verbose}
    callbacks = [watch, *callbacks]
    if recipe.learning_rate:
        rate = functools.partial(recipe.learning_rate, epochs=schedule.epochs)
        callbacks.insert(0, keras.callbacks.LearningRateScheduler(lambda epoch, _: rate(epoch)))
    if schedule.monitor:
        best = KeepBest(schedule.monitor, schedule.patience or schedule.epochs)
        looks = evaluation.options(*validation, schedule.evaluate_every)
        callbacks = [*looks.pop("callbacks", ()), *callbacks, best]
        options |= looks
    if _is_distributed(model):
        batches = _build_metrics(model, batches)
        as_dataset = None
    for first, last, steps in _calls(schedule):
        stream = batches if len(_calls(schedule)) == 1 else itertools.islice(batches, (last - first) * steps)
        at_once = 1 if in_step else _steps_at_once(model, steps)
        if model.steps_per_execution != at_once:
            model.steps_per_execution = at_once
            model.make_train_function(force=True)
        _fit(model, stream, in_step, as_dataset)(
            steps_per_epoch=steps, epochs=last, initial_epoch=first, callbacks=callbacks, **options
        )
        if model.stop_training:
            break
    table = pd.DataFrame(watch.epochs)
    if not best:
        return table, len(table)
    best.restore()
    monitored = table[schedule.monitor]
    return table, int((monitored.idxmin() if schedule.monitor == "val_loss" else monitored.idxmax()) + 1)


def _calls(schedule):
    """Lists the calls of `fit` that a schedule takes, each (first epoch, end, steps per epoch)."""
    if not schedule.last_steps:
        return [(0, schedule.epochs, schedule.steps_per_epoch)]
    full = schedule.epochs - 1
    return [(0, full, schedule.steps_per_epoch), (full, schedule.epochs, schedule.last_steps)]


def _fit(model, batches, in_step, as_dataset):
    """Gives the `fit` of a model on some batches, as Keras' own."""
    if in_step:
        return functools.partial(stepwise.fit, model, batches)
    if keras.backend.backend() != "tensorflow":
        batches = injection.ahead(batches)
    else:  # Keras takes a generator, but no iterator of another kind
        batches = as_dataset(batches) if as_dataset else (batch for batch in batches)

    def fit(**options):
        with warnings.catch_warnings():
            # Keras warns and stops when data run out before an epoch has its steps: an error here.
            warnings.filterwarnings("error", message=".*ran out of data.*")
            return model.fit(batches, shuffle=False, **options)  # `batches` has shuffled

    return fit
