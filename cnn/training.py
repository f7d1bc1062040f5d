"""Trains a classifier along a schedule."""

import functools
import warnings

import keras
import numpy as np
import pandas as pd

from cnn import injection, stepwise

EVALUATION_BATCH = 500


class Watch(keras.callbacks.Callback):
    """Ends a training whose loss is no number, and calls `on_step`, if given, for each optimiser step."""

    def __init__(self, on_step=None):
        super().__init__()
        self.on_step = on_step

    def on_train_batch_end(self, batch, logs=None):
        for _ in range(self.model.steps_per_execution if self.on_step else 0):
            self.on_step()

    def on_epoch_end(self, epoch, logs=None):
        if not np.isfinite(logs["loss"]):
            raise FloatingPointError(f"the loss became {logs['loss']} in epoch {epoch + 1}")


def compile_classifier(model, steps_per_epoch=1):
    """Adam and categorical cross-entropy, Keras' defaults (thesis 5.3.2).

    On TensorFlow up to ten steps, as many as divide an epoch, are one call of its graph: between two calls is Python.
    """
    at_once = next(n for n in range(10, 0, -1) if steps_per_epoch % n == 0)
    model.compile(
        optimizer="adam",
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=at_once if keras.backend.backend() == "tensorflow" else 1,
    )


def _build_metrics(model, batches):
    """Builds a distributed model's metrics from a batch, and gives the batches back with that one in its place.

    `fit` would do it itself under a strategy, but drops the batch, and what it had fetched ahead: pages would shift.
    """
    first = next(batches)
    model.test_on_batch(*first)
    model._maybe_symbolic_build = lambda **_: None
    return (batch for part in ((first,), batches) for batch in part)


def train(model, batches, schedule, test=None, callbacks=(), verbose=0, on_step=None, in_step=False, as_dataset=None):
    """Trains a compiled model and leaves it with the weights that the schedule keeps.

    Args:
        model: compiled Keras model.
        batches: endless generator of (images, one-hot labels).
        schedule: a `protocols.Schedule`.
        test: pair of images and one-hot labels, looked at in every epoch if, and only if, the schedule has a monitor.
        callbacks: further Keras callbacks.
        verbose: Keras' progress, 0, 1 or 2.
        on_step: called without arguments after each optimiser step.
        in_step: whether a batch depends on the weights that the step before it left, and must not be fetched ahead.
        as_dataset: `common.backend.as_dataset`, used on TensorFlow; None leaves it to Keras to fetch ahead.

    Returns:
        history: DataFrame with one row an epoch: `epoch` from 1, `loss`, `accuracy`, and with a monitor `val_loss` and
            `val_accuracy`.
        kept: the epoch, from 1, whose weights the model has.

    Raises:
        FloatingPointError: the loss became NaN or infinite.
    """
    callbacks = [Watch(on_step), *callbacks]
    validation = {}
    if schedule.monitor:
        validation = {"validation_data": test, "validation_batch_size": EVALUATION_BATCH}
        # Patience as long as the training never stops it, but still puts the best weights back.
        patience = schedule.patience or schedule.epochs
        mode = "min" if schedule.monitor == "val_loss" else "max"
        callbacks.append(
            keras.callbacks.EarlyStopping(schedule.monitor, 0, patience, 0, mode, restore_best_weights=True)
        )
    distributed = getattr(model, "distribute_strategy", None) and model.distribute_strategy.num_replicas_in_sync > 1
    if distributed:
        batches = _build_metrics(model, batches)
    if in_step:
        fit = functools.partial(stepwise.fit, model)
    else:
        fit = functools.partial(model.fit, shuffle=False)  # `batches` has shuffled
        if keras.backend.backend() != "tensorflow":
            batches = injection.ahead(batches)
        elif as_dataset and not distributed:
            batches = as_dataset(batches)
    with warnings.catch_warnings():
        # Keras warns and stops when data run out before an epoch has its steps: an error here.
        warnings.filterwarnings("error", message=".*ran out of data.*")
        history = fit(
            batches,
            steps_per_epoch=schedule.steps_per_epoch,
            epochs=schedule.epochs,
            callbacks=callbacks,
            verbose=verbose,
            **validation,
        )
    table = pd.DataFrame(history.history)
    table.insert(0, "epoch", np.arange(1, len(table) + 1))
    if not schedule.monitor:
        return table, len(table)
    monitored = table[schedule.monitor]
    return table, int((monitored.idxmin() if schedule.monitor == "val_loss" else monitored.idxmax()) + 1)
