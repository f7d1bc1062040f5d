"""MixMatch (Berthelot et al. 2019): guesses labels of unlabelled images and blends them with labelled ones. NumPy."""

import numpy as np

COPIES = 2  # K: augmented copies whose predictions are averaged to a guess
TEMPERATURE = 0.5  # T, of the sharpening of guesses
ALPHA = 0.75  # of the Beta distribution of the blending shares
WEIGHT = 75.0  # lambda_u, of the unlabelled images' squared error, which it reaches at the training's end


def sharpen(probabilities, temperature=TEMPERATURE):
    """Raises probabilities `(batch, num_classes)` to the power 1 / temperature and normalises them (equation 7)."""
    powers = probabilities ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def blend(images, labels, rng, alpha=ALPHA):
    """Blends each image with another one, by a share of at least a half, so that it stays itself (equations 8 to 11).

    Args:
        images: float32 `(batch, height, width, channels)`.
        labels: float32 `(batch, num_classes)`.
        rng: NumPy generator.
        alpha: both parameters of the Beta distribution.

    Returns:
        Images and labels of the same shapes.
    """
    share = rng.beta(alpha, alpha, len(images)).astype(np.float32)[:, None]
    share, other = np.maximum(share, 1 - share), rng.permutation(len(images))
    whole = share[..., None, None]
    return whole * images + (1 - whole) * images[other], share * labels + (1 - share) * labels[other]


class MixMatch:
    """Turns labelled batches into those of MixMatch.

    Args:
        images: unlabelled images, `images[rows]` is float32 `(num_rows, height, width, channels)`, taken in reshuffled
            passes, as many per step as there are labelled ones.
        classify: maps images to probabilities `(count, num_classes)`, by the weights of the moment.
        augment: maps images to images of the same shape, at random.
        steps: optimiser steps of the training, over which the weight of the unlabelled images rises linearly from 0.
        seed: integer.
    """

    def __init__(self, images, classify, augment, steps, seed):
        self.images, self.classify, self.augment, self.steps = images, classify, augment, steps
        self.rng, self.waiting = np.random.default_rng(seed), np.empty(0, int)

    def batches(self, labelled):
        """Maps pairs of images and one-hot labels to pairs of images and targets, as `objectives.mixmatch` takes them.

        The guesses of a step are made when it is asked for: ask when the step before it is done. Its images are the
        labelled ones and two copies of as many unlabelled ones, all blended with one another.
        """
        for step, (images, labels) in enumerate(labelled):
            count = len(images)
            copies, guesses = self.guess(count)
            x, y = blend(np.concatenate([images, *copies]), np.concatenate([labels, *COPIES * [guesses]]), self.rng)
            # The loss is a mean over the rows: of the labelled ones in all 1, of the others in all the weight.
            weights, weight = np.zeros((len(x), 2), np.float32), WEIGHT * step / self.steps
            weights[:count, 0] = len(x) / count
            weights[count:, 1] = weight * len(x) / (len(x) - count)
            yield x.astype(np.float32), np.concatenate([y, weights], axis=1, dtype=np.float32)

    def guess(self, count):
        """Draws images: a list of augmented copies of them, and the labels that are guessed for all of these."""
        while len(self.waiting) < count:
            self.waiting = np.concatenate([self.waiting, self.rng.permutation(len(self.images))])
        rows, self.waiting = self.waiting[:count], self.waiting[count:]
        images = self.images[rows]
        copies = [self.augment(images) for _ in range(COPIES)]
        probabilities = np.asarray(self.classify(np.concatenate(copies)), np.float32)
        return copies, sharpen(probabilities.reshape(COPIES, count, -1).mean(axis=0))
