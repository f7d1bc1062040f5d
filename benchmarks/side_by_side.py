"""Trains one VAE per class, all of them side by side in one program: JAX's `vmap` over Keras' own training step.

Needs the JAX back end. A few images per class do not fill a GPU; ten classes at once fill ten times as much of it.
"""

import jax
import numpy as np

from vae_aug import training


def start(model, seeds, images):
    """Draws the state of a fresh model per class, as `training.restart` makes it.

    Args:
        model: from `training.build`, on JAX.
        seeds: integer seed of the noise, per class; weights come from the global seed, class after class.
        images: float32 `(num_images, height, width, channels)`, of any class: a first step builds all variables.

    Returns:
        What `model.train_step` calls a state, per class.
    """
    model.train_on_batch(images)
    found = []
    for seed in seeds:
        training.restart(model, seed)
        model.reset_metrics()
        groups = model.trainable_variables, model.non_trainable_variables, model.optimizer.variables
        found.append(tuple([variable.value for variable in group] for group in (*groups, model.metrics_variables)))
    return found


def make_program(model, together):
    """Compiles whole trainings of full batches, every step on all images of a class.

    Args:
        model: from `training.build`, on JAX.
        together: whether states and images have a leading axis of classes, all of which are trained in each step.

    Returns:
        A function of (state, images, number of steps) that gives the trained state.
    """

    def step(state, images):
        return model.train_step(state, (images,))[1]

    step = jax.vmap(step) if together else step

    def run(state, images, steps):
        return jax.lax.fori_loop(0, steps, lambda _, current: step(current, images), state)

    return jax.jit(run)


def stack(states):
    """Stacks the states of several classes along a new first axis."""
    return jax.tree.map(lambda *parts: jax.numpy.stack(parts), *states)


def unstack(state, count):
    """Takes a stacked state apart: a list of the states of `count` classes."""
    return [jax.tree.map(lambda part, k=k: part[k], state) for k in range(count)]


def weights(state):
    """Gives the trained weights of a state as one NumPy vector."""
    return np.concatenate([np.ravel(part) for part in state[0]])
