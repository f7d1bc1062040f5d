"""Runs the epochs of a training whose data are arrays: one back-end call per step, or whole epochs in one graph.

A model here is what `vae_aug.cdcgan`, `vae_aug.cdcvae` and `vae_aug.cglo` build: it has `steps`, compiled Keras models
that take one optimiser step each, one after another; `inputs(*batch, z)`, what each of them takes of a batch;
`start_epoch()`, which prepares the optimisers for the next epoch; and `history_names`, of what the steps average over
an epoch.
"""

import keras
import numpy as np
from keras import ops

STEPS_AT_ONCE = 50  # in one graph, between two looks at the progress bar


def run_step_by_step(model, *arrays):
    """Runs epochs with one back-end call per optimiser step.

    Args:
        model: see above.
        arrays: first tables, arrays `(num_images, ...)` with what there is of each image; then integers
            `(epochs, steps, batch_size)`, the images of each step; last float32 `(epochs, steps, batch_size, size)`,
            the random numbers of each step.

    Yields:
        For each epoch a dict of the means over its steps, named as `model.history_names`.
    """
    *tables, orders, z = arrays
    for order, numbers in zip(orders, z, strict=True):
        model.start_epoch()
        found = []
        for rows, some in zip(order, numbers, strict=True):
            _reset(model)  # some versions of Keras do so at each call of `train_on_batch`, others never
            batch = [table[rows] for table in tables]
            for step, inputs in zip(model.steps, model.inputs(*batch, some), strict=True):
                step.train_on_batch(inputs)
            found.append([(float(mean.total), float(mean.count)) for step in model.steps for mean in step.metrics])
        totals, counts = np.sum(found, axis=0).T
        yield dict(zip(model.history_names, (totals / np.maximum(counts, 1)).tolist(), strict=True))


def epochs_in_graph(model, in_graph, tables):
    """Compiles a model's training loop: whole epochs in one back-end call.

    Args:
        model: see above.
        in_graph: what compiles a function of tensors that changes variables, or gives None where none can be made.
        tables: list of `keras.InputSpec`, of the tables and last of the random numbers of one image.

    Returns:
        What `train` takes as `run_epochs`, for this model alone.
    """
    for step in model.steps:
        step.optimizer.build(step.trainable_variables)  # in a loop no variable can be made

    def means_of_epochs(*arrays):
        *tables, orders, z = arrays

        def run_epoch(epoch, means):
            def run_step(k, unused):
                batch = [ops.take(table, orders[epoch, k], axis=0) for table in tables]
                for step, inputs in zip(model.steps, model.inputs(*batch, z[epoch, k]), strict=True):
                    step.train_step((inputs,))
                return unused

            _reset(model)
            model.start_epoch()
            ops.fori_loop(0, ops.shape(orders)[1], run_step, 0)
            results = [mean.result() for step in model.steps for mean in step.metrics]
            return ops.slice_update(means, (epoch, 0), ops.stack(results)[None])

        num_epochs = ops.shape(orders)[0]
        return ops.fori_loop(0, num_epochs, run_epoch, ops.zeros((num_epochs, len(model.history_names))))

    steps = (None, None, None)  # epochs, steps, images of a batch
    *tables, z = tables
    inputs = [*tables, keras.InputSpec(shape=steps, dtype="int32")]
    inputs.append(keras.InputSpec(shape=(*steps, *z.shape[1:]), dtype="float32"))
    compiled = in_graph(means_of_epochs, inputs)
    if compiled is None:
        return run_step_by_step

    def run_epochs(model, *arrays):
        *tables, orders, z = arrays
        for row in np.array(compiled(*tables, orders.astype(np.int32), z)):
            yield dict(zip(model.history_names, row.tolist(), strict=True))

    return run_epochs


def _reset(model):
    for step in model.steps:
        step.reset_metrics()


def train(model, tables, draw, steps, epochs, *, on_epoch=None, measure=None, every=10, run_epochs=run_step_by_step):
    """Trains a model; it keeps the weights of the last epoch.

    Args:
        model: see above.
        tables: list of arrays `(num_images, ...)`.
        draw: `draw(count)` gives the images and the random numbers of the next `count` epochs.
        steps: optimiser steps per epoch.
        epochs: how long.
        on_epoch: called without arguments for each epoch.
        measure: called with the model after every `every` epochs and after the last; the dict that it returns joins
            that epoch's row.
        every: epochs from one call of `measure` to the next.
        run_epochs: `run_step_by_step`, or what `epochs_in_graph` made of this model.

    Returns:
        A list of one dict per epoch: `epoch` from 1, then the means over its steps.

    Raises:
        FloatingPointError: a loss became NaN or infinite.
    """
    history = []
    while len(history) < epochs:
        pause = epochs - len(history)
        if measure:
            pause = min(pause, every - len(history) % every)
        count = min(max(1, STEPS_AT_ONCE // steps), pause)
        for row in run_epochs(model, *tables, *draw(count)):
            history.append({"epoch": len(history) + 1, **row})
            wrong = [name for name, value in row.items() if not np.isfinite(value)]
            if wrong:
                raise FloatingPointError(f"{wrong[0]} became {row[wrong[0]]} in epoch {len(history)}")
            if on_epoch:
                on_epoch()
        if measure and (len(history) % every == 0 or len(history) == epochs):
            history[-1] |= measure(model)
    return history
