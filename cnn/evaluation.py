"""Evaluates a classifier: probabilities of many images, and what `fit` needs to look at a validation part."""

import math

import keras
import numpy as np

BATCH = 500
VIEWED = 2000  # images that are transformed at a time
MOST_BYTES = 2**28  # of float32 images that are evaluated from one array; more come from their album in batches


class Batches(keras.utils.PyDataset):
    """Gives images to `evaluate` and `predict` in batches, so that only one batch at a time is float32.

    Args:
        images: `images[rows]` is float32 `(num_rows, height, width, channels)`.
        labels: one-hot `(num_images, num_classes)`, or None.
        size: images per batch.
        whole: whether the last batch is filled up with the first image.
    """

    def __init__(self, images, labels=None, size=BATCH, whole=False):
        super().__init__()
        self.images, self.labels, self.size, self.whole = images, labels, size, whole

    def __len__(self):
        return math.ceil(len(self.images) / self.size)

    def __getitem__(self, k):
        rows = np.arange(k * self.size, (k + 1) * self.size)
        rows = np.where(rows < len(self.images), rows, 0) if self.whole else rows[rows < len(self.images)]
        return (self.images[rows],) if self.labels is None else (self.images[rows], self.labels[rows])


class Look(keras.callbacks.Callback):
    """Measures `val_loss` and `val_accuracy` by `probabilities`, for devices that have to share batches equally."""

    def __init__(self, images, labels, every):
        super().__init__()
        self.images, self.labels, self.every = images, labels, every

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            found = probabilities(self.model, self.images)  # logits, where the loss takes such
            loss = keras.losses.get(self.model.loss)(self.labels, found)
            logs["val_loss"] = float(np.mean(keras.ops.convert_to_numpy(loss)))
            logs["val_accuracy"] = float((found.argmax(1) == self.labels.argmax(1)).mean())


def options(images, labels, every=1):
    """Gives the arguments by which `fit` looks at a validation part after every so many epochs.

    Args:
        images: of `probabilities`.
        labels: one-hot float32 `(num_images, num_classes)`.
        every: epochs.
    """
    if _num_devices() > 1:
        return {"callbacks": [Look(images, labels, every)]}
    images = as_array(images)
    if isinstance(images, np.ndarray):
        return {"validation_data": (images, labels), "validation_batch_size": BATCH, "validation_freq": every}
    return {"validation_data": Batches(images, labels), "validation_freq": every}


def probabilities(model, images):
    """Predicts the probabilities of many images.

    Args:
        model: Keras model.
        images: `images[rows]` is float32 `(num_rows, height, width, channels)`: an array or an album.

    Returns:
        float32 `(num_images, num_classes)`.
    """
    images, num_devices = as_array(images), _num_devices()
    if num_devices > 1:
        size = math.ceil(BATCH / num_devices) * num_devices
        return model.predict(Batches(images, size=size, whole=True), verbose=0)[: len(images)]
    if isinstance(images, np.ndarray):
        return model.predict(images, batch_size=BATCH, verbose=0)
    return model.predict(Batches(images), verbose=0)


def averaged(model, images, augment, views):
    """Predicts each image as it is and transformed at random, several times, and takes the mean of the probabilities.

    Args:
        model, images: as of `probabilities`.
        augment: maps float32 images `(batch, height, width, channels)` to transformed ones.
        views: transformed images for each image.

    Returns:
        float32 `(num_images, num_classes)`.
    """
    found = []
    for start in range(0, len(images), VIEWED):
        some = images[np.arange(start, min(start + VIEWED, len(images)))]
        seen = [probabilities(model, some), *(probabilities(model, augment(some)) for _ in range(views))]
        found.append(np.mean(seen, axis=0, dtype=np.float32))
    return np.concatenate(found)


def as_array(images):
    """Reads an album into a float32 array if that is small; else gives it back as it is."""
    if isinstance(images, np.ndarray) or 4 * math.prod(images.shape) > MOST_BYTES:
        return images
    return images[np.arange(len(images))]


def _num_devices():
    """Counts the devices that share every batch of JAX's; TensorFlow's strategies take batches that do not divide."""
    distribution = keras.distribution.distribution()
    return distribution.device_mesh.devices.size if distribution else 1
