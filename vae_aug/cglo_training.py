"""Trains a cGLO: in each epoch a pass over the labelled images, then one over those without a label (Algorithm 1)."""

import keras
import numpy as np

from vae_aug import looping, sphere


def draw_rows(rows, batch_size, rng):
    """The batches of one pass, `(steps, batch_size)`: as many as are full; few rows are repeated to fill one."""
    steps = max(1, len(rows) // batch_size)
    return np.resize(rng.permutation(rows), (steps, batch_size))


def epochs_in_graph(model, in_graph, targets):
    """Compiles a model's training loop, see `looping.epochs_in_graph`; `targets` are its loss's."""
    tables = [keras.InputSpec(shape=(None, model.num_classes), dtype="float32")]
    tables.append(keras.InputSpec(shape=(None,), dtype="int32"))
    tables += [keras.InputSpec(shape=(None, *target.shape[1:]), dtype=str(target.dtype)) for target in targets]
    tables.append(keras.InputSpec(shape=(None, model.noise_dim), dtype="float32"))
    return looping.epochs_in_graph(model, in_graph, tables)


def train(model, targets, labels, epochs, seed, batch_size, **options):
    """Trains on arrays; the model keeps the codes and weights of the last epoch.

    Args:
        model: a `cglo.CGLO`.
        targets: list of arrays `(num_images, ...)`, the levels of the images, as its loss has them.
        labels: integers `(num_images,)`, rows of the classes; -1 for images without a label.
        epochs: passes over the images.
        seed: integer, of the orders and the noise.
        batch_size: images per step, at least 2.
        options: of `looping.train`.

    Returns:
        A list of one dict per epoch: `epoch` from 1, then means over its steps: `loss` and `reconstruction_loss` (1 is
        what the mean image would score), and with a weak classifier `label_loss` in nats and `label_accuracy`.
    """
    rng = np.random.default_rng(seed)
    labelled, others = np.flatnonzero(labels >= 0), np.flatnonzero(labels < 0)
    parts = [rows for rows in (labelled, others) if len(rows)]
    one_hot = np.zeros((len(labels), model.num_classes), np.float32)
    one_hot[labelled, labels[labelled]] = 1

    def draw(count):
        orders = [np.concatenate([draw_rows(rows, batch_size, rng) for rows in parts]) for _ in range(count)]
        orders = np.stack(orders)
        noise = rng.standard_normal((*orders.shape, model.noise_dim), np.float32) * np.float32(model.noise_std)
        return orders, noise

    steps = sum(max(1, len(rows) // batch_size) for rows in parts)
    tables = [one_hot, np.arange(len(labels), dtype=np.int32), *targets]
    return looping.train(model, tables, draw, steps, epochs, **options)


def measure_angles(labels):
    """Makes what `looping.train` calls every few epochs: mean angles of codes, in degrees, within, between classes."""
    known = labels >= 0

    def measure(model):
        within, between = sphere.mean_angles(model.codes[known], labels[known])
        found = {"angle_within": within, "angle_between": between}
        return {name: angle for name, angle in found.items() if np.isfinite(angle)}

    return measure
