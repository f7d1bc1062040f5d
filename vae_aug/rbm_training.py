"""Builds and trains the RBM, and watches it."""

import keras
import numpy as np
from keras import ops

from vae_aug import rbm as machine
from vae_aug.rbm import RBM

MONITORS = ("loss", "reconstruction_error", "free_energy_train", "free_energy_heldout", "free_energy_gap")
MONITORS += ("pseudo_likelihood",)


def build(images, num_hidden, learning_rate, momentum=0.0, weight_decay=0.0, k=1, num_chains=0, seed=0):
    """Builds and compiles an RBM whose visible biases alone already give each pixel its frequency in `images`.

    Args:
        images: float32 `(num_images, height, width, channels)` of 0 and 1.
        learning_rate, momentum: of gradient descent on the mean over a batch.
        num_hidden, weight_decay, k, num_chains, seed: see `RBM`.
    """
    model = RBM(images.shape[1:], num_hidden, k, num_chains, weight_decay, seed, name="rbm")
    # log(p / (1 - p)) (Hinton 2012, section 8), counting one image more with the pixel and one without: p is in (0, 1).
    lit = images.reshape(len(images), -1).sum(axis=0)
    model.visible_bias.assign(np.log((lit + 1) / (len(images) - lit + 1)))
    model.compile(keras.optimizers.SGD(learning_rate, momentum=momentum))
    return model


def train(model, images, heldout, epochs, seed, batch_size, on_epoch=None):
    """Trains on arrays, one back-end call a step.

    Args:
        model: from `build`.
        images: float32 `(num_images, height, width, channels)` of 0 and 1.
        heldout: the same, watched and not learnt from; may be empty.
        epochs: passes over `images`, each shuffled from `seed`.
        seed: integer.
        batch_size: images a step.
        on_epoch: called without arguments after each epoch.

    Returns:
        A list of one dict an epoch: `epoch` from 1 and `MONITORS`. `loss` is the mean over the steps of the epoch, the
        others are taken after it, over all images; without held-out images theirs are NaN.

    Raises:
        FloatingPointError: the loss became NaN or infinite.
    """
    rng = np.random.default_rng(seed)
    watch = Monitors(model, seed)
    history = []
    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(images))
        total = 0.0
        for start in range(0, len(images), batch_size):
            batch = images[order[start : start + batch_size]]
            model.reset_metrics()  # else a step reports the mean since the last reset
            total += float(model.train_on_batch(batch)) * len(batch)
        row = {"epoch": epoch, "loss": total / len(images), **watch.means(images, heldout)}
        if not np.isfinite([row["loss"], row["free_energy_train"]]).all():
            raise FloatingPointError(f"the loss became {row['loss']} in epoch {epoch}; take a smaller learning rate")
        history.append({name: row[name] for name in ("epoch", *MONITORS)})
        if on_epoch:
            on_epoch()
    return history


class Monitors(keras.Model):
    """What one watches while an RBM learns, computed for a batch in one graph.

    Args:
        rbm: the machine.
        seed: integer seed of the Gibbs step and of the pixels that are flipped.

    Call arguments:
        images: `(batch, height, width, channels)` of 0 and 1.

    Returns:
        `(batch, 3)`: free energy, reconstruction error, pseudo-likelihood.
    """

    def __init__(self, rbm, seed):
        super().__init__(dtype="float32")
        self.rbm = rbm
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        del input_shape  # the machine comes built
        self.built = True

    def call(self, images):
        return ops.stack(
            [
                self.rbm.free_energy(images),
                machine.reconstruction_error(self.rbm, images, self.seed_generator),
                machine.pseudo_likelihood(self.rbm, images, self.seed_generator),
            ],
            axis=-1,
        )

    def means(self, images, heldout, batch_size=1000):
        """Means over the training and the held-out images, as floats by name; `means` of no images are NaN."""
        parts = []
        for part in (images, heldout):
            rows = [self.predict_on_batch(part[k : k + batch_size]) for k in range(0, len(part), batch_size)]
            parts.append(np.concatenate(rows).mean(axis=0, dtype=np.float64) if rows else np.full(3, np.nan))
        (free_energy, error, likelihood), (heldout_energy, _, _) = parts
        return {
            "reconstruction_error": float(error),
            "free_energy_train": float(free_energy),
            "free_energy_heldout": float(heldout_energy),
            "free_energy_gap": float(heldout_energy - free_energy),
            "pseudo_likelihood": float(likelihood),
        }
