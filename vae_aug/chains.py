"""Markov chains that start from real images (Maronas 2018, algorithm 1), all of them at once.

h from p(h | x), then x from p(x | h), again and again; each new x is a generated image. The model is an RBM, or a VAE
of binary images with q(z | x) in place of the posterior.
"""

import keras
import numpy as np
from keras import ops

import vae_aug.registered  # noqa: F401  so that a saved model of either kind can be read

BLOCK = 1000  # images that go through the model at once


def advance(model, images, seed_generator):
    """One step of every chain: states of 0 and 1 and their expectations, each in the shape of `images`."""
    return model.transition(images, seed_generator)


class Steps(keras.Model):
    """Several steps of algorithm 1 in one graph.

    Args:
        model: has `transition(images, seed_generator)`.
        num_steps: steps, one after the other.
        seed: integer.

    Call arguments:
        images: `(batch, height, width, channels)` of 0 and 1.

    Returns:
        States and expectations, each `(batch, num_steps, height, width, channels)`.
    """

    def __init__(self, model, num_steps, seed):
        # Whatever the policy of a classifier beside it: in bfloat16 a uniform number has 8 bits, too few to draw with.
        super().__init__(dtype="float32")
        self.model, self.num_steps = model, num_steps
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        del input_shape  # the model comes built
        self.built = True

    def call(self, images):
        # Unrolled, not a `fori_loop`: a seed generator may not change inside one in JAX.
        steps = []
        for _ in range(self.num_steps):
            steps.append(advance(self.model, images, self.seed_generator))
            images = steps[-1][0]
        return tuple(ops.stack(part, axis=1) for part in zip(*steps, strict=True))


class Chains:
    """Chains from `starts` that all advance together; each goes back to its image after `length` states.

    What comes follows from the arguments alone, however it is asked for. Memory is that of the starts, of `BLOCK`
    images on their way through the model, and of what one call of `next` returns.

    Args:
        model: an RBM, or a VAE of binary images.
        starts: float32 `(num_starts, height, width, channels)` of 0 and 1.
        length: states of a chain before it restarts; the start is not one of them.
        seed: integer.
        thin: keep every `thin`-th state.
        expectation: give E[x | h], in [0, 1], in place of the state that was drawn from it.

    Attributes:
        labels: integers `(num_starts,)`, the class of each start; as long as nobody says, each is one of its own.
    """

    def __init__(self, model, starts, length, seed, thin=1, expectation=False):
        if len(starts) == 0 or length < thin:
            raise ValueError(
                f"a chain needs a start and a length of at least `thin` steps. Received: {len(starts)} starts, "
                f"length {length}, thin {thin}"
            )
        if tuple(starts.shape[1:]) != tuple(model.image_shape):
            raise ValueError(f"the model knows images {tuple(model.image_shape)}. Received: {tuple(starts.shape[1:])}")
        self.starts, self.length, self.thin, self.expectation = starts, length, thin, expectation
        self.labels = np.arange(len(starts))
        # Few chains take many steps per call, in whose overhead they would drown. Where so many divide the length, they
        # do; else the last call before a restart takes some steps more than are used.
        most = max(1, min(length, BLOCK // 2 // len(starts), 50))
        divisor = next(steps for steps in range(most, 0, -1) if length % steps == 0)
        self.num_steps = divisor if 2 * divisor > most else most
        self._steps = Steps(model, self.num_steps, seed)
        self._done = 0  # steps since the starts
        self._states = starts  # where the chains stand
        self._ready = np.empty((0, *starts.shape[1:]), np.float32), np.empty(0, np.int64)

    def next(self, count):
        """The next `count` images of all chains in turn.

        Returns:
            float32 `(count, height, width, channels)`, and int64 `(count,)`, the start that each belongs to.
        """
        parts, missing = [], count
        while True:
            images, rows = self._ready
            parts.append((images[:missing], rows[:missing]))
            self._ready = images[missing:], rows[missing:]
            missing -= len(parts[-1][1])
            if missing == 0:
                return tuple(np.concatenate(part) for part in zip(*parts, strict=True))
            self._advance()

    def _advance(self):
        """Takes `num_steps` steps and makes the kept ones ready, step by step, each with all chains in their order."""
        outputs = []
        for start in range(0, len(self.starts), BLOCK):
            states, expectations = self._steps.predict_on_batch(self._states[start : start + BLOCK])
            outputs.append((states[:, -1], expectations if self.expectation else states))
        last, images = (np.concatenate(part) for part in zip(*outputs, strict=True))
        numbers = self._done + np.arange(1, min(self.num_steps, self.length - self._done) + 1)
        images = np.moveaxis(images, 1, 0)[: len(numbers)]  # (steps, num_starts, height, width, channels)
        images = images[numbers % self.thin == 0]
        rows = np.tile(np.arange(len(self.starts)), len(images))
        self._ready = images.reshape(-1, *self.starts.shape[1:]), rows
        self._done = int(numbers[-1]) % self.length
        self._states = last if self._done else self.starts


def make_source(load, options):
    """Makes the source of images that `common.saved` asks a kind's module for: chains from labelled images."""
    (model,) = load(0).values()
    seed = options.seed_of("chains")
    source = Chains(model, options.starts, options.length, seed, options.thin, options.expectation)
    source.labels = options.labels
    return source
