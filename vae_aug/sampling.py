"""Latents to decode: three samplers. NumPy only.

Each returns float32 `(count, latent_dim)` and draws from the given `numpy.random.Generator`.
"""

import numpy as np


def uniform(count, latent_dim, rng, half_range=1.5):
    """Uniform in [-half_range, half_range] in every dimension: the released generator."""
    return rng.uniform(-half_range, half_range, (count, latent_dim)).astype(np.float32)


def normal(count, latent_dim, rng):
    """N(0, 1), the VAE's prior."""
    return rng.standard_normal((count, latent_dim)).astype(np.float32)


def posterior(count, z_mean, z_std, rng):
    """Noise around the latents of the training images, each image in turn.

    Args:
        count: latents to draw.
        z_mean, z_std: `(num_images, latent_dim)`, mean and standard deviation of the images' posteriors.
        rng: generator.
    """
    turn = np.arange(count) % len(z_mean)
    return (z_mean[turn] + z_std[turn] * rng.standard_normal((count, z_mean.shape[1]))).astype(np.float32)


def sweep(side, half_range=1.5):
    """The nodes of a `side` x `side` grid over two latents, row by row from the top left (thesis fig. 6.2.2)."""
    steps = np.linspace(-half_range, half_range, side)
    first, second = np.meshgrid(steps, -steps)
    return np.stack([first.ravel(), second.ravel()], axis=1).astype(np.float32)
