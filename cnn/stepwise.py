"""Training one step at a time, where a batch depends on the weights that the step before it left."""

import keras


def fit(
    model,
    batches,
    steps_per_epoch,
    epochs,
    callbacks=(),
    verbose=0,
    initial_epoch=0,
    validation_data=None,
    validation_batch_size=500,
    validation_freq=1,
):
    """`model.fit` on a generator, except that a batch is asked for only when the step before it is done.

    `fit` itself fetches batches ahead, in a thread of its own. Arguments and result are those of `fit`.

    Args:
        model: compiled Keras model.
        batches: generator of (images, labels).
        steps_per_epoch, epochs, initial_epoch: how long to train, and the epoch to start from.
        callbacks: Keras callbacks.
        verbose: Keras' progress, 0, 1 or 2.
        validation_data, validation_batch_size, validation_freq: images and labels, or a `keras.utils.PyDataset` of
            batches, to evaluate after every so many epochs; or None.

    Returns:
        Keras' `History`; its losses and metrics are means over the images of an epoch.
    """
    callbacks = keras.callbacks.CallbackList(
        list(callbacks), True, bool(verbose), model, verbose=verbose, epochs=epochs, steps=steps_per_epoch
    )
    model.stop_training = False
    callbacks.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        callbacks.on_epoch_begin(epoch)
        logs = _run_epoch(model, batches, steps_per_epoch, callbacks)
        if validation_data and (epoch + 1) % validation_freq == 0:
            data, options = (validation_data,), {"verbose": 0, "callbacks": callbacks}
            if isinstance(validation_data, tuple):
                data, options = validation_data, options | {"batch_size": validation_batch_size}
            found = model.evaluate(*data, **options, return_dict=True)
            logs |= {f"val_{name}": value for name, value in found.items()}
        callbacks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    callbacks.on_train_end(logs)
    return model.history


def _run_epoch(model, batches, steps, callbacks):
    totals, num_images = {}, 0
    for step in range(steps):
        callbacks.on_train_batch_begin(step)
        images, labels = next(batches)
        model.reset_metrics()  # else a step reports the mean since the last reset, in some versions of Keras
        logs = model.train_on_batch(images, labels, return_dict=True)
        num_images += len(labels)
        for name, value in logs.items():
            totals[name] = totals.get(name, 0.0) + float(value) * len(labels)
        callbacks.on_train_batch_end(step, logs)
    return {name: total / num_images for name, total in totals.items()}
