"""cGLO: one generator, and a latent of unit norm for each image that is learnt with it (Azuri and Weinshall 2020).

A generator maps a code (the image's latent) and noise to the image; a weak classifier of what it gives pulls the codes
of each class together. There is no encoder and no adversary. The layers are those of the released code for small
images; the paper names them a DCGAN, but they have no batch norm.
"""

import keras
import numpy as np
from keras import Input, Model, layers, ops

from vae_aug import cdcgan, sphere
from vae_aug.optimizers import Together

UNITS, FILTERS, WEAK_FILTERS = 1024, (128, 64), 64
SLOPE, WEAK_SLOPE = 0.2, 0.1  # of the leaky ReLUs
NOISES = ("concat", "add", "none")
LABEL_LOSSES = ("image", "latent", "none")
STARTS = ("sphere", "hypercube", "features")
NOISE_DIM, NOISE_STD = 100, 0.15
CODES_RATE, GENERATOR_RATE, BETA_1 = 1e-3, 7e-4, 0.5  # of Adam
CLASSIFIER_RATE, MOMENTUM, WEIGHT_DECAY = 0.1, 0.9, 1e-4  # of SGD
HALVING = 0.35  # of the epochs, after which Adam's rates are halved again: every 70 of 200
DROPS, DROP = (0.3, 0.6, 0.8), 0.2  # of the epochs, and what the classifier's rate is multiplied by there


def _initial():
    """Glorot's normal law with gain sqrt(2), as PyTorch has it: not truncated."""
    return {"kernel_initializer": keras.initializers.VarianceScaling(2.0, "fan_avg", "untruncated_normal")}


def build_generator(image_shape, latent_dim, noise_dim=0, projected=False, renormalise=True):
    """Maps codes, or `[codes, noise]`, to images.

    Args:
        image_shape: `(height, width, channels)`, sides multiples of 4.
        latent_dim: size of a code, float32 `(batch, latent_dim)`.
        noise_dim: size of the noise that is concatenated to a code, `(batch, noise_dim)`; 0 for none.
        projected: whether a layer of the noise stands between it and the code.
        renormalise: whether codes are scaled to unit norm first. If so, slerp and lerp take the same way.

    Returns:
        A Keras model whose images `(batch, height, width, channels)` are in [0, 1].
    """
    cdcgan.check_image_shape(image_shape)
    height, width, channels = image_shape
    small = (height // 4, width // 4, FILTERS[0])
    codes = Input((latent_dim,), name="codes")
    x, inputs = layers.UnitNormalization()(codes) if renormalise else codes, codes
    if noise_dim:
        noise = Input((noise_dim,), name="noise")
        side = noise
        if projected:
            side = layers.LeakyReLU(SLOPE)(layers.Dense(noise_dim, use_bias=False, **_initial())(noise))
        x, inputs = layers.Concatenate()([x, side]), [codes, noise]
    stack = [
        layers.Dense(UNITS, use_bias=False, **_initial()),
        layers.LeakyReLU(SLOPE),
        layers.Dense(small[0] * small[1] * small[2], use_bias=False, **_initial()),
        layers.LeakyReLU(SLOPE),
        layers.Reshape(small),
        layers.Conv2DTranspose(FILTERS[1], 4, strides=2, padding="same", **_initial()),
        layers.LeakyReLU(SLOPE),
        layers.Conv2DTranspose(channels, 4, strides=2, padding="same", activation="sigmoid", **_initial()),
    ]
    for layer in stack:
        x = layer(x)
    return Model(inputs, x, name="generator")


def build_image_classifier(image_shape, num_classes):
    """Maps images to logits `(batch, num_classes)`: four convolutions, whose order of layers makes them weak."""
    decay = keras.regularizers.L2(WEIGHT_DECAY / 2)
    images = x = Input(image_shape)
    for _ in range(4):
        x = layers.Conv2D(WEAK_FILTERS, 3, padding="same", kernel_regularizer=decay, **_initial())(x)
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
        x = layers.LeakyReLU(WEAK_SLOPE)(layers.MaxPooling2D(2, padding="same")(x))
    return Model(images, layers.Dense(num_classes, kernel_regularizer=decay)(layers.Flatten()(x)), name="classifier")


def build_latent_classifier(latent_dim, num_classes, seed):
    """Maps codes to logits `(batch, num_classes)` (section 4.4, "latent classifier")."""
    decay = keras.regularizers.L2(WEIGHT_DECAY / 2)
    codes = x = Input((latent_dim,))
    for k, units in enumerate((512, 1024)):
        x = layers.LeakyReLU(SLOPE)(layers.Dense(units, kernel_regularizer=decay, **_initial())(x))
        x = layers.Dropout(0.4, seed=seed + k)(x)
    return Model(codes, layers.Dense(num_classes, kernel_regularizer=decay)(x), name="classifier")


def first_codes(start, labels, latent_dim, rng, features=None):
    """Codes to begin with, float32 `(num_images, latent_dim)`, unit norm.

    Args:
        start: `"sphere"`: uniform on it. `"hypercube"`: around a vertex of a hypercube for each class, and uniform on
            the sphere without a class. `"features"`: a random projection of `features`, which keeps angles nearly.
        labels: integers `(num_images,)`, -1 without a class.
        latent_dim: size of a code.
        rng: `numpy.random.Generator`.
        features: float `(num_images, num_features)`, of another network.
    """
    codes = sphere.uniform(len(labels), latent_dim, rng)
    if start == "hypercube":
        num_classes = labels.max() + 1
        if latent_dim < 31 and 2**latent_dim < num_classes:
            raise ValueError(f"a hypercube of {latent_dim} dimensions has fewer vertices than {num_classes} classes")
        vertices = np.zeros((0, latent_dim))
        while len(vertices) < num_classes:
            vertices = np.unique(np.vstack([vertices, rng.choice([-1.0, 1.0], (num_classes, latent_dim))]), axis=0)
        vertices = rng.permutation(vertices)[:num_classes] / np.sqrt(latent_dim)
        known = labels >= 0
        codes[known] = sphere.normalise(vertices[labels[known]] + 0.5 * codes[known])
    elif start == "features":
        projected = (features - features.mean(axis=0)) @ rng.standard_normal((features.shape[1], latent_dim))
        codes = sphere.normalise(projected + 1e-6 * codes)  # equal features leave nothing to normalise
    return codes.astype(np.float32)


def make_inputs(codes, noise, noise_kind):
    """What a generator takes of codes `(batch, latent_dim)` and noise."""
    return [codes, noise] if noise_kind == "concat" else codes + noise


class Step(keras.Model):
    """Trains codes, generator and weak classifier together, on a loss of which each minimises its part.

    Args:
        codes: layer that maps rows to codes.
        generator: from `build_generator`.
        classifier: maps generated images, or codes, to logits; None without a label loss.
        loss: a `perceptual.Loss`.
        gamma: weight of the label loss beside the reconstruction's.
        noise, label_loss: one of `NOISES`, of `LABEL_LOSSES`.
    """

    def __init__(self, codes, generator, classifier, loss, gamma, noise, label_loss):
        super().__init__(name="cglo")
        self.codes, self.generator, self.classifier = codes, generator, classifier
        self.loss_of, self.gamma, self.noise, self.label_loss = loss, gamma, noise, label_loss
        self.parts = [net.trainable_variables for net in (codes, generator, classifier) if net is not None]
        self.reconstruction_tracker = keras.metrics.Mean(name="reconstruction_loss")
        if classifier is not None:
            self.label_tracker = keras.metrics.Mean(name="label_loss")
            self.accuracy_tracker = keras.metrics.Mean(name="label_accuracy")
        makers = [
            keras.optimizers.Adam(CODES_RATE, beta_1=BETA_1),
            keras.optimizers.Adam(GENERATOR_RATE, beta_1=BETA_1),
            keras.optimizers.SGD(CLASSIFIER_RATE, momentum=MOMENTUM),
        ][: len(self.parts)]
        self.compile(Together(makers, map(len, self.parts)))

    def build(self, input_shape):
        del input_shape  # the networks come built
        self.built = True

    @property
    def trainable_variables(self):
        return [variable for part in self.parts for variable in part]

    @property
    def trainable_weights(self):
        return self.trainable_variables

    @property
    def non_trainable_variables(self):
        trained = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.variables if id(variable) not in trained]

    def call(self, inputs, training=None):
        _, rows, noise, *_ = inputs
        codes = self.codes(rows)
        generated = self.generator(make_inputs(codes, noise, self.noise), training=training)
        found = {"generated": generated}
        if self.classifier is not None:
            seen = generated if self.label_loss == "image" else codes
            found["logits"] = self.classifier(seen, training=training)
        return found

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Reconstruction plus gamma times cross-entropy in nats, which images without a label do not have."""
        del y, sample_weight, training
        one_hot, _, _, *targets = map(ops.convert_to_tensor, x)  # PyTorch's trainer passes arrays on
        reconstruction = self.loss_of(targets, y_pred["generated"])
        self.reconstruction_tracker.update_state(reconstruction)
        if self.classifier is None:
            return reconstruction
        known = ops.sum(one_hot, axis=-1)  # 1, or 0 without a label
        entropies = -ops.sum(one_hot * ops.log_softmax(y_pred["logits"]), axis=-1)
        right = ops.argmax(y_pred["logits"], axis=-1) == ops.argmax(one_hot, axis=-1)
        self.label_tracker.update_state(entropies, sample_weight=known)
        self.accuracy_tracker.update_state(ops.cast(right, "float32"), sample_weight=known)
        decay = sum(self.classifier.losses)
        return reconstruction + self.gamma * ops.sum(entropies) / ops.maximum(ops.sum(known), 1.0) + decay


class CGLO:
    """The generator, the codes and the one step that trains them, as `vae_aug.looping` takes a model.

    Args:
        image_shape: `(height, width, channels)`, sides multiples of 4.
        num_classes: classes of the labelled images.
        codes: float32 `(num_images, latent_dim)`, unit norm, to begin with.
        loss: a `perceptual.Loss` of the images.
        epochs: how many there will be; learning rates fall by shares of them.
        gamma: weight of the label loss.
        noise: `"concat"`: normal noise beside the code; `"add"`: on it, in training; or `"none"`.
        projected: whether a layer of the concatenated noise precedes the code.
        label_loss: what the weak classifier sees: the `"image"`, the `"latent"`, or `"none"` without one.
        renormalise: whether the generator scales its codes to unit norm.
        reset_moments: whether the optimisers are made anew in every epoch, as in the released code.
        noise_std: standard deviation of the noise.
        seed: integer, of the latent classifier's dropout.
    """

    def __init__(
        self,
        image_shape,
        num_classes,
        codes,
        loss,
        epochs,
        *,
        gamma=1.0,
        noise="concat",
        projected=False,
        label_loss="image",
        renormalise=True,
        reset_moments=False,
        noise_std=NOISE_STD,
        seed=0,
    ):
        for value, choices in ((noise, NOISES), (label_loss, LABEL_LOSSES)):
            if value not in choices:
                raise ValueError(f"expected one of {choices}. Received: {value!r}")
        self.num_classes, self.epochs, self.reset_moments = num_classes, epochs, reset_moments
        self.noise, self.noise_std = noise, 0.0 if noise == "none" else noise_std
        latent_dim = codes.shape[1]
        self.noise_dim = NOISE_DIM if noise == "concat" else latent_dim
        self.table = layers.Embedding(len(codes), latent_dim, embeddings_constraint=keras.constraints.UnitNorm(axis=1))
        self.table.build()
        self.table.embeddings.assign(codes)
        beside = NOISE_DIM if noise == "concat" else 0
        self.generator = build_generator(image_shape, latent_dim, beside, projected, renormalise)
        classifier = None
        if label_loss == "image":
            classifier = build_image_classifier(image_shape, num_classes)
        elif label_loss == "latent":
            classifier = build_latent_classifier(latent_dim, num_classes, seed)
        self.steps = [Step(self.table, self.generator, classifier, loss, gamma, noise, label_loss)]
        self.history_names = ("loss", "reconstruction_loss", *(("label_loss", "label_accuracy") if classifier else ()))
        self.epoch = keras.Variable(0, dtype="int32", trainable=False, name="epoch")

    @property
    def codes(self):
        """The codes as they are now, float32 `(num_images, latent_dim)`."""
        return ops.convert_to_numpy(self.table.embeddings)

    def inputs(self, one_hot, rows, *rest):
        """What the step takes of a batch: labels, rows of the codes, noise, and the levels of the images."""
        *targets, noise = rest
        return [(one_hot, rows, noise, *targets)]

    def start_epoch(self):
        """Sets the learning rates of the next epoch, and forgets the moments if it should."""
        together = self.steps[0].optimizer
        if self.reset_moments:
            together.reset_moments()
        share = ops.cast(self.epoch.value, "float32") / self.epochs
        halved = ops.power(0.5, ops.floor(share / HALVING + 1e-4))
        dropped = ops.power(DROP, sum(ops.cast(share + 1e-4 >= drop, "float32") for drop in DROPS))
        rates = (CODES_RATE * halved, GENERATOR_RATE * halved, CLASSIFIER_RATE * dropped)
        for optimizer, rate in zip(together.optimizers, rates, strict=False):  # without a label loss there are two
            optimizer.learning_rate.assign(rate)
        self.epoch.assign_add(1)
