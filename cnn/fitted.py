"""Classifiers that are fitted in one go, without optimiser steps: nearest neighbour, and ImageNet features.

Each is given back as a Keras model of images in [0, 1] to probabilities, so that it is saved, loaded and asked as every
other classifier is.
"""

import keras
import numpy as np
from keras import layers, ops
from sklearn.linear_model import LogisticRegression

SIDE = 32  # pixels: larger images are averaged down to at most this before neighbours are compared
INPUT = 224  # pixels a side, of the ImageNet network
BATCH = 32
MOST_ITERATIONS = 1000  # of the logistic regression


@keras.saving.register_keras_serializable(package="cnn")
class NearestNeighbour(layers.Layer):
    """Gives each row of pixels the label of the nearest reference: one-hot float32 `(batch, num_classes)`.

    Args:
        num_references: how many there are.
        num_classes: classes.
    """

    def __init__(self, num_references, num_classes, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.num_references, self.num_classes = num_references, num_classes

    def build(self, input_shape):
        self.references = self.add_weight((self.num_references, input_shape[-1]), name="references", trainable=False)
        self.labels = self.add_weight((self.num_references, self.num_classes), name="labels", trainable=False)

    def call(self, pixels):
        # The distance less the pixels' own square, which is the same for every reference.
        distances = ops.sum(ops.square(self.references), axis=1) - 2 * pixels @ ops.transpose(self.references)
        return ops.take(self.labels, ops.argmin(distances, axis=1), axis=0)

    def get_config(self):
        return {**super().get_config(), "num_references": self.num_references, "num_classes": self.num_classes}


def fit_neighbours(images, labels, num_classes, weights=None):
    """Makes a nearest-neighbour classifier on pixels, Euclidean distance.

    Args:
        images: `images[rows]` is float32 `(num_rows, height, width, channels)` in [0, 1]; all of them are kept.
        labels: integers `(num_images,)`.
        num_classes: at least 2.
        weights: not used.
    """
    del weights
    image_shape = images.shape[1:]
    stack = [keras.Input(image_shape)]
    factor = -(-max(image_shape[:2]) // SIDE)
    if factor > 1:
        stack.append(layers.AveragePooling2D(factor, padding="same"))
    pixels = keras.Sequential([*stack, layers.Flatten()])
    nearest = NearestNeighbour(len(images), num_classes)
    model = keras.Model(pixels.inputs, nearest(pixels.outputs[0]), name="neighbours")
    nearest.set_weights([_through(pixels, images), np.eye(num_classes, dtype=np.float32)[labels]])
    return model


def fit_imagenet(images, labels, num_classes, weights=None):
    """Fits a logistic regression to features of a MobileNetV2 that learned on ImageNet, which stays as it is.

    Images are scaled to 224x224, bilinear; a grey one becomes three equal channels. Features are standardised; the
    regression is scikit-learn's with its usual penalty. It is folded into the last layer.

    Args:
        images, labels, num_classes: as of `fit_neighbours`.
        weights: name of a file of MobileNetV2's weights without its top, or None, for which Keras downloads them once.

    Raises:
        OSError, ValueError, Exception: as Keras says that the weights are not there, or not such.
    """
    inputs = keras.Input(images.shape[1:])
    x = inputs if images.shape[-1] == 3 else layers.Concatenate()([inputs] * 3)
    x = layers.Resizing(INPUT, INPUT, interpolation="bilinear")(x)
    x = layers.Rescaling(2.0, offset=-1.0)(x)
    network = keras.applications.MobileNetV2(
        input_shape=(INPUT, INPUT, 3), include_top=False, pooling="avg", weights=weights or "imagenet"
    )
    network.trainable = False
    features = network(x)
    found = _through(keras.Model(inputs, features), images).astype(np.float64)
    mean, deviation = found.mean(0), found.std(0)
    deviation[deviation == 0] = 1
    regression = LogisticRegression(max_iter=MOST_ITERATIONS).fit((found - mean) / deviation, labels)
    coefficients, intercept = regression.coef_, regression.intercept_
    if num_classes == 2:  # of two classes scikit-learn has one row, the log odds of the second
        coefficients, intercept = np.stack([-coefficients[0], coefficients[0]]) / 2, np.array([-1, 1]) * intercept / 2
    kernel = (coefficients / deviation).T
    last = layers.Dense(num_classes, activation="softmax", dtype="float32")
    model = keras.Model(inputs, last(features), name="imagenet")
    last.set_weights([kernel.astype(np.float32), (intercept - mean @ kernel).astype(np.float32)])
    return model


def _through(model, images):
    """What a model gives of all images, a batch at a time; float32."""
    starts = range(0, len(images), BATCH)
    rows = [np.arange(start, min(start + BATCH, len(images))) for start in starts]
    return np.concatenate([ops.convert_to_numpy(model.predict_on_batch(images[row])) for row in rows])
