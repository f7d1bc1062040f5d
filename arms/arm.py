"""What every arm has."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from common import backend
from images import albums, codec, selection
from images import folders as listing


class Reading(NamedTuple):
    """What is known when an arm reads what it needs.

    Attributes:
        source: the folder of the training images, for errors.
        image_shape: `(height, width, channels)` of the training images.
        schedule: the `protocols.Schedule` of the training.
        generated: paths of generated images in the order in which pages take them, and the places of their classes.
        class_names: of the training images.
        files: {class: paths} of the training images.
        images: their album, class after class.
    """

    source: Any
    image_shape: tuple
    schedule: Any
    generated: tuple
    class_names: tuple = ()
    files: dict | None = None
    images: Any = None


class Training(NamedTuple):
    """What an arm may ask of the training that it joins.

    Attributes:
        model: the classifier, compiled.
        images: album of all labelled images: `images[rows]` is float32 `(num_rows, height, width, channels)`.
        labels: their one-hot labels, float32 `(num_images, num_classes)`.
        seed: of the training: the run's, or with --networks that of one of them.
        augment: what the labelled batches went through, a function of float32 images, or None.
    """

    model: Any
    images: Any
    labels: np.ndarray
    seed: int
    augment: Callable | None


class Arm:
    """Joins a training: a stream of (images, one-hot labels) in, a stream out.

    Attributes:
        settings, data: dicts that it adds to the settings and to the fingerprints of the run folder.
        in_step: whether its batches depend on the weights that the step before left, and cannot be fetched ahead.
        one_device: whether it works with one device only.
        loss: the name of a loss of `cnn.losses` that its batches need, or None: the training's own.
        pages: album and labels of images that are shuffled into every epoch with the real ones, or None.
    """

    in_step = one_device = False
    loss = pages = None

    def __init__(self, settings=None, data=None):
        self.settings, self.data = settings or {}, data or {}

    def join(self, batches, training):
        """Maps the stream of a training to the stream that the classifier learns from; may load Keras."""
        return batches

    def callbacks(self):
        """Lists Keras callbacks of the training."""
        return []

    def facts(self):
        """Gives what it adds to result.json after the training, a dict."""
        return {}


def open_unlabelled(args, reading, labelled=True):
    """Opens the album of the images of `--unlabelled`, as many per class as `--unlabelled-images` says.

    Args:
        args: the flags.
        reading: a `Reading`.
        labelled: whether training images that lie among them count, or are passed over.

    Raises:
        ValueError: there are fewer than two, or they are of another shape than the training images.
    """
    files = listing.list_unlabelled(args.unlabelled, without=None if labelled else reading.files)
    files = selection.draw_subset(files, args.unlabelled_images or -1, args.seed)
    paths = [path for part in files.values() for path in part]
    if len(paths) < 2:
        beside = "" if labelled else " beside those that have labels"
        raise ValueError(f"{args.unlabelled}: {len(paths)} images in it{beside}, at least 2 are needed")
    album = albums.open_album(paths, args.size, args.color)
    album = albums.binary(album, args.unlabelled) if args.binarise else album
    codec.check_same_shape({reading.source: reading.image_shape, args.unlabelled: album.shape[1:]})
    return album


def is_mixed(args, name):
    """Whether `--mix` names an arm."""
    return name in (args.mix or ())


class Mixed(Arm):
    """Maps every batch by a function: an arm of `--mix`.

    Args:
        name: of `--mix`; it decides the random numbers, together with the training's seed.
        setting: what the settings of the run folder say of it.
    """

    def __init__(self, name, setting=True):
        super().__init__({name: setting})
        self.name = name

    def join(self, batches, training):
        rng = np.random.default_rng(backend.derive_seed(training.seed, self.name))
        self.prepare(training)
        for images, labels in batches:
            yield self.mix(images, labels, rng)

    def prepare(self, training):
        """Looks at the training before the first batch."""

    def mix(self, images, labels, rng):
        """Maps float32 images `(batch, height, width, channels)` and labels `(batch, num_classes)` to such a pair."""
        raise NotImplementedError
