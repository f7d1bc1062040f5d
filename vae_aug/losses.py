"""The two terms of a VAE's loss, in nats an image, and the two published ways to weigh and to sample.

`thesis` follows the released code of Garay-Maestre (2018): the KL term is averaged over the latent dimensions, and the
noise is scaled by exp(z_log_var), although the KL term reads the same tensor as a log-variance. `elbo` is the evidence
lower bound of Kingma & Welling (2014): the KL term is summed, the noise scaled by exp(z_log_var / 2). Two more take
one term of it alone, to look at (thesis, figs 2.3.3 and 2.4.5): `reconstruction` is an autoencoder, without noise; `kl`
pulls every image to N(0, 1) and learns nothing about it.
"""

from keras import losses, ops

OBJECTIVES = ("thesis", "elbo", "reconstruction", "kl")
WEIGHTS = {"reconstruction": (1.0, 0.0), "kl": (0.0, 1.0)}  # of the two terms, else both 1


def check_objective(objective):
    if objective not in OBJECTIVES:
        raise ValueError(f"`objective` should be one of {OBJECTIVES}. Received: {objective!r}")
    return objective


def reconstruction_loss(images, probabilities):
    """Binary cross-entropy of each image, summed over its values.

    Equals 784 x the mean over the pixels for 28x28x1, as the released code writes it. (Deviation 6 for the dense VAE.)

    Args:
        images: `(batch, height, width, channels)`, in [0, 1].
        probabilities: the decoder's output, same shape, in [0, 1].

    Returns:
        `(batch,)`, nats an image.
    """
    cross_entropy = losses.binary_crossentropy(images, probabilities)  # (batch, height, width), mean over channels
    return ops.sum(cross_entropy, axis=(1, 2)) * images.shape[-1]


def kl_divergence(z_mean, z_log_var, objective="elbo"):
    """KL divergence from N(z_mean, exp(z_log_var)) to N(0, 1) of each image.

    Args:
        z_mean, z_log_var: `(batch, latent_dim)`; z_log_var is the log of the variance.
        objective: `"elbo"` sums over the latent dimensions, `"thesis"` averages.

    Returns:
        `(batch,)`, nats an image.
    """
    terms = -0.5 * (1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var))  # (batch, latent_dim)
    reduce = ops.mean if objective == "thesis" else ops.sum
    return reduce(terms, axis=-1)


def posterior_std(z_log_var, objective="elbo"):
    """Standard deviation of the noise added to z_mean: exp(z_log_var / 2), for `"thesis"` exp(z_log_var).

    Zero for `"reconstruction"`.
    """
    if objective == "reconstruction":
        return ops.zeros_like(z_log_var)
    return ops.exp(z_log_var if objective == "thesis" else z_log_var / 2)
