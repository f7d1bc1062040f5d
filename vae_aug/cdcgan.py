"""The conditional GAN of convolutions (CDCGAN; Eduardo & Kazi 2018, section 3) and its exact order of training.

The paper gives no layer; it names its reference code, whose networks for 28x28 images these are (two halvings of the
image, so the same rule serves every size that is a multiple of 4). One generator draws all classes.
"""

import keras
from keras import Input, Model, layers, ops

FILTERS = (64, 128)
UNITS = 1024
SLOPE = 0.2  # of the discriminator's leaky ReLU
LATENT_DIMS = {1: 62, 3: 100}  # by channels: as published for MNIST and for CIFAR-10
DISCRIMINATOR_RATE, GENERATOR_RATE, BETA_1 = 2e-4, 1e-3, 0.5


def check_image_shape(image_shape):
    """Two strides of 2 quarter the image and two transposed ones restore it, so both sides are multiples of 4."""
    height, width, _ = image_shape
    if height % 4 or width % 4 or min(height, width) < 4:
        up = [max(4, side + -side % 4) for side in (height, width)]
        raise ValueError(
            f"the conditional networks need a height and width that are multiples of 4. Received: {height}x{width}; "
            f"scale the images, e.g. --size {up[0]} {up[1]}"
        )


def _normalised(activation):
    return [layers.BatchNormalization(momentum=0.9, epsilon=1e-5), activation]


def _initial(truncated=False):
    normal = keras.initializers.TruncatedNormal if truncated else keras.initializers.RandomNormal
    return {"kernel_initializer": normal(stddev=0.02)}


def _chain(x, stack):
    for layer in stack:
        x = layer(x)
    return x


def build_generator(image_shape, latent_dim, num_classes, name="generator"):
    """Maps `[z, labels]` to images; also the decoder of `vae_aug.cdcvae`.

    z is `(batch, latent_dim)`, labels are one-hot `(batch, num_classes)`, images `(batch, height, width, channels)` in
    [0, 1], all float32.
    """
    check_image_shape(image_shape)
    height, width, channels = image_shape
    small = (height // 4, width // 4, FILTERS[1])
    z, labels = Input((latent_dim,), name="z"), Input((num_classes,), name="labels")
    stack = [
        layers.Dense(UNITS, **_initial()),
        *_normalised(layers.ReLU()),
        layers.Dense(small[0] * small[1] * small[2], **_initial()),
        *_normalised(layers.ReLU()),
        layers.Reshape(small),
        layers.Conv2DTranspose(FILTERS[0], 4, strides=2, padding="same", **_initial()),
        *_normalised(layers.ReLU()),
        layers.Conv2DTranspose(channels, 4, strides=2, padding="same", activation="sigmoid", **_initial()),
    ]
    return Model([z, labels], _chain(layers.Concatenate()([z, labels]), stack), name=name)


def build_trunk(image_shape, num_classes, num_outputs, name):
    """Maps `[images, labels]` to `(batch, num_outputs)`, linear: the discriminator, and `vae_aug.cdcvae`'s encoder.

    Each class is a channel beside the image's own, 1 all over in the channel of the image's label and 0 in the others.
    """
    check_image_shape(image_shape)
    height, width, _ = image_shape
    images, labels = Input(image_shape, name="images"), Input((num_classes,), name="labels")
    maps = layers.Reshape((height, width, num_classes))(layers.RepeatVector(height * width)(labels))
    stack = [
        layers.Conv2D(FILTERS[0], 4, strides=2, padding="same", **_initial(truncated=True)),
        layers.LeakyReLU(negative_slope=SLOPE),
        layers.Conv2D(FILTERS[1], 4, strides=2, padding="same", **_initial(truncated=True)),
        *_normalised(layers.LeakyReLU(negative_slope=SLOPE)),
        layers.Flatten(),
        layers.Dense(UNITS, **_initial()),
        *_normalised(layers.LeakyReLU(negative_slope=SLOPE)),
        layers.Dense(num_outputs, **_initial()),
    ]
    return Model([images, labels], _chain(layers.Concatenate()([images, maps]), stack), name=name)


def build_discriminator(image_shape, num_classes):
    """Maps `[images, labels]` to logits `(batch, 1)`: above 0 where it takes the image for a real one of its class."""
    return build_trunk(image_shape, num_classes, 1, "discriminator")


def cross_entropy(logits, target):
    """Mean cross-entropy, in nats per image, of logits against the one target (0 or 1) that all of them share."""
    return ops.mean(ops.softplus(-logits if target else logits))


class Step(keras.Model):
    """Trains one of two networks and runs both: half of an iteration of the GAN.

    Which variables train is said here once, and `trainable` of the networks is never touched: Keras reads it at
    different times on different back ends, and a frozen batch norm would run in inference mode.

    Args:
        generator, discriminator: the two networks.
        learning_rate: of the step's own Adam.
    """

    trained = None  # "generator" or "discriminator"
    tracked = ()  # names of what the step averages over an epoch, beside its loss

    def __init__(self, generator, discriminator, learning_rate):
        super().__init__(name=f"{self.trained}_step")
        self.generator, self.discriminator = generator, discriminator
        self.trackers = [keras.metrics.Mean(name=name) for name in self.tracked]
        self.compile(keras.optimizers.Adam(learning_rate, beta_1=BETA_1))

    def build(self, input_shape):
        del input_shape  # the networks come built
        self.built = True

    @property
    def trainable_variables(self):
        return getattr(self, self.trained).trainable_variables

    @property
    def trainable_weights(self):
        return self.trainable_variables

    @property
    def non_trainable_variables(self):
        trained = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.variables if id(variable) not in trained]


class DiscriminatorStep(Step):
    """Trains the discriminator on real images and on as many generated ones, the batch norms of the two apart."""

    trained = "discriminator"
    tracked = ("d_real", "d_generated")

    def call(self, inputs, training=None):
        images, labels, z = inputs
        generated = ops.stop_gradient(self.generator([z, labels], training=training))
        return {
            "real": self.discriminator([images, labels], training=training),
            "generated": self.discriminator([generated, labels], training=training),
        }

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        del x, y, sample_weight, training
        for tracker, name in zip(self.trackers, ("real", "generated"), strict=True):
            tracker.update_state(ops.sigmoid(y_pred[name]))
        return cross_entropy(y_pred["real"], 1) + cross_entropy(y_pred["generated"], 0)


class GeneratorStep(Step):
    """Trains the generator to be taken for real (the non-saturating loss), through the discriminator as it now is."""

    trained = "generator"

    def call(self, inputs, training=None):
        labels, z = inputs
        return self.discriminator([self.generator([z, labels], training=training), labels], training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        del x, y, sample_weight, training
        return cross_entropy(y_pred, 1)


class ConditionalGAN:
    """The two networks and the two steps of one iteration: first the discriminator's, then the generator's, same z.

    Args:
        image_shape: `(height, width, channels)`, multiples of 4.
        num_classes: classes that it draws.
        latent_dim: size of z, which is uniform in [-1, 1].
        seed: ignored: no layer draws noise. It is there for `cdcvae`'s sake.
    """

    prior = "uniform"
    history_names = ("d_loss", "d_real", "d_generated", "g_loss")

    def __init__(self, image_shape, num_classes, latent_dim, seed=0):
        del seed
        self.image_shape, self.num_classes, self.latent_dim = tuple(image_shape), num_classes, latent_dim
        self.generator = build_generator(image_shape, latent_dim, num_classes)
        self.discriminator = build_discriminator(image_shape, num_classes)
        self.steps = [
            DiscriminatorStep(self.generator, self.discriminator, DISCRIMINATOR_RATE),
            GeneratorStep(self.generator, self.discriminator, GENERATOR_RATE),
        ]

    def inputs(self, images, labels, z):
        """What each of `steps` takes of a batch."""
        return [(images, labels, z), (labels, z)]

    def start_epoch(self):
        """Does nothing: the learning rates are the same in every epoch."""
        return  # TensorFlow cannot put a body of a docstring alone into a graph, and says so

    def networks(self):
        """The networks to save, by name."""
        return {"generator": self.generator, "discriminator": self.discriminator}
