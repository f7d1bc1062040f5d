"""The restricted Boltzmann machine of binary units, with a loss whose gradient is contrastive divergence.

p(v, h) is proportional to exp(v'b + h'c + v'Wh). Its free energy is F(v) = -v'b - sum softplus(c + v'W), and
log p(v) = -F(v) - log Z. The gradient of -log p is that of F at the data less its mean under the model; contrastive
divergence (Hinton 2002) takes the ends of short Gibbs chains for the model, so that the loss is a difference of two
free energies (Bengio 2009, section 5). Persistent CD (Tieleman 2008) lets the chains go on from update to update.
"""

import math

import keras
from keras import ops

from vae_aug.layers import bernoulli


@keras.saving.register_keras_serializable(package="vae_aug")
class RBM(keras.Model):
    """Learns binary images without labels; `fit(images)` needs no targets.

    Args:
        image_shape: `(height, width, channels)`; images are flattened inside.
        num_hidden: hidden units.
        k: Gibbs steps from the data, or from the persistent chains, to the states that the loss compares with.
        num_chains: persistent chains, 0 for none (CD-k). They start blank, and are saved with the weights.
        weight_decay: factor of half the squared weights in the loss; the biases do not decay.
        seed: integer seed of the initial weights and of the chains.

    Call arguments:
        images: `(batch, height, width, channels)`, of 0 and 1.

    Returns:
        A pair, each in the shape of the images: states of 0 and 1 at the end of `k` Gibbs steps, and their expectation
        given the last hidden units. While training with persistent chains there is one row a chain.
    """

    def __init__(self, image_shape, num_hidden, k=1, num_chains=0, weight_decay=0.0, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.image_shape, self.num_hidden = tuple(image_shape), num_hidden
        self.k, self.num_chains, self.weight_decay, self.seed = k, num_chains, weight_decay, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.build((None, *self.image_shape))

    def build(self, input_shape):
        del input_shape  # known since construction
        num_visible = math.prod(self.image_shape)
        noise = keras.initializers.RandomNormal(stddev=0.01, seed=self.seed)
        self.kernel = self.add_weight(shape=(num_visible, self.num_hidden), initializer=noise, name="kernel")
        self.visible_bias = self.add_weight(shape=(num_visible,), initializer="zeros", name="visible_bias")
        self.hidden_bias = self.add_weight(shape=(self.num_hidden,), initializer="zeros", name="hidden_bias")
        self.chains = None
        if self.num_chains:
            shape = (self.num_chains, *self.image_shape)
            self.chains = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="chains")
        self.built = True

    def _hidden_inputs(self, images):
        """c + v'W, `(batch, num_hidden)`."""
        return ops.matmul(ops.reshape(images, (-1, self.kernel.shape[0])), self.kernel) + self.hidden_bias

    def free_energy(self, images):
        """F(v) = -log of the sum over h of exp(v'b + h'c + v'Wh), `(batch,)`, in nats."""
        pixels = ops.reshape(images, (-1, self.kernel.shape[0]))
        hidden = ops.sum(ops.softplus(self._hidden_inputs(images)), axis=-1)
        return -ops.matmul(pixels, self.visible_bias) - hidden

    def hidden_probabilities(self, images):
        """p(h = 1 | v), `(batch, num_hidden)`."""
        return ops.sigmoid(self._hidden_inputs(images))

    def visible_probabilities(self, hidden):
        """p(v = 1 | h) = E[v | h], `(batch, height, width, channels)`, of hidden units `(batch, num_hidden)`."""
        pixels = ops.sigmoid(ops.matmul(hidden, ops.transpose(self.kernel)) + self.visible_bias)
        return ops.reshape(pixels, (-1, *self.image_shape))

    def transition(self, images, seed_generator):
        """One Gibbs step, all images at once: h from p(h | v), then v from p(v | h) (Maronas 2018, equation 1).

        Returns:
            states of 0 and 1 and their expectations E[v | h], each `(batch, height, width, channels)`.
        """
        hidden = bernoulli(self.hidden_probabilities(images), seed_generator)
        expectations = self.visible_probabilities(hidden)
        return bernoulli(expectations, seed_generator), expectations

    def call(self, images, training=False):
        persistent = training and self.chains is not None
        states = expectations = ops.convert_to_tensor(self.chains) if persistent else images
        for _ in range(self.k):
            states, expectations = self.transition(states, self.seed_generator)
        if persistent:
            self.chains.assign(states)
        return states, expectations

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean free energy of the data less that of the chains' ends, plus weight decay."""
        del y, sample_weight, training
        states = ops.stop_gradient(y_pred[0])
        decay = 0.5 * self.weight_decay * ops.sum(ops.square(self.kernel))
        return ops.mean(self.free_energy(x)) - ops.mean(self.free_energy(states)) + decay

    def get_config(self):
        names = ("image_shape", "num_hidden", "k", "num_chains", "weight_decay", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def reconstruction_error(rbm, images, seed_generator):
    """Squared difference between images and their expectation one step on, `(batch,)`, mean over the pixels."""
    _, expectations = rbm.transition(images, seed_generator)
    return ops.mean(ops.square(images - expectations), axis=(1, 2, 3))


def pseudo_likelihood(rbm, images, seed_generator):
    """Sum over the pixels of log p(pixel | the other pixels), `(batch,)`, in nats an image; higher is better.

    Unbiased: one pixel an image, drawn at random, stands for all. p(v_i | the rest) is the sigmoid of the free energy
    with that pixel flipped less the one without, so that the constant log Z drops out.
    """
    num_pixels = rbm.kernel.shape[0]
    place = keras.random.randint((ops.shape(images)[0],), 0, num_pixels, seed=seed_generator)
    flip = ops.reshape(ops.one_hot(place, num_pixels, dtype=images.dtype), ops.shape(images))
    flipped = images + flip * (1 - 2 * images)
    return num_pixels * ops.log_sigmoid(rbm.free_energy(flipped) - rbm.free_energy(images))


def free_energy_gap(rbm, images, heldout):
    """Mean free energy of held-out images less that of the training images, a scalar in nats.

    Near 0 while the model knows both equally well; it grows as the model overfits (Hinton 2012, section 6).
    """
    return ops.mean(rbm.free_energy(heldout)) - ops.mean(rbm.free_energy(images))
