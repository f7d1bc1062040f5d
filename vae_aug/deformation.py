"""Learns how images of a class turn into one another, and deforms images at random by what was learned.

After Hauberg et al. 2016 ("Dreaming More Data"): the velocity fields between the training images, see
`vae_aug.registration`, are taken for samples of a Gaussian, and samples of that Gaussian deform the training images.
"""

import numpy as np

from vae_aug import residuals, velocity

SCALE = (0.2, 1.3)  # the factor of each sample is uniform in it: some images change little
BATCH_SIZE = 100


def modes(control):
    """Factorises the covariance of velocity fields about a mean of 0: a pair of images gives a field and its inverse.

    Args:
        control: float32 `(num_pairs, rows, columns, 2)`, pixels, or `(num_pairs, size)` of `residuals.fit`.

    Returns:
        float32 `(num_modes, ...)`, largest first: the sum of independent N(0, 1) times these fields has the covariance
        `control^T control / num_pairs`.
    """
    flat = control.reshape(len(control), -1).astype(np.float64)
    _, sizes, directions = np.linalg.svd(flat / np.sqrt(len(flat)), full_matrices=False)
    return (sizes[:, None] * directions).reshape(-1, *control.shape[1:]).astype(np.float32)


def fit(control, labels, num_classes, shrinkage=1.0):
    """Fits a Gaussian of mean 0 per class, each shrunk to the one of all fields.

    Args:
        control: float32 `(num_pairs, rows, columns, 2)`, from `registration.register`.
        labels: integers `(num_pairs,)`, the class of each pair.
        num_classes: classes.
        shrinkage: share of the pooled covariance in that of each class; 1 gives all classes the pooled one.

    Returns:
        A list of arrays as of `modes`: one for all classes if `shrinkage` is 1, else one per class. A class without a
        pair has the pooled one.
    """
    if not 0 <= shrinkage <= 1:
        raise ValueError(f"`shrinkage` should be from 0 to 1. Received: {shrinkage}")
    pooled = modes(control)
    if shrinkage == 1:
        return [pooled]
    found = []
    for label in range(num_classes):
        own = control[labels == label]
        # A sum of independent fields has the sum of their covariances.
        parts = [np.sqrt(1 - shrinkage) * modes(own), np.sqrt(shrinkage) * pooled] if len(own) else [pooled]
        found.append(np.concatenate(parts).astype(np.float32))
    return found


def share_of_means(control, labels):
    """Measures how much a Gaussian of mean 0 leaves out: the share of the mean square of fields that is class means'.

    Args:
        control: float32 `(num_pairs, rows, columns, 2)`, from `registration.register`.
        labels: integers `(num_pairs,)`, the class of each pair.

    Returns:
        float in [0, 1]; 0 where the fields of each class sum to 0, 1 where those of a class are alike.
    """
    flat = control.reshape(len(control), -1).astype(np.float64)
    means = [np.sum(labels == label) * np.sum(flat[labels == label].mean(axis=0) ** 2) for label in np.unique(labels)]
    total = np.sum(flat**2)
    return float(sum(means) / total) if total else 0.0


def largest(model, rank):
    """Keeps the largest modes of a Gaussian: the covariance nearest to its own of those of a rank so low.

    Args:
        model: one array as of `fit`, whose fields need not be orthogonal.
        rank: modes to keep at most.

    Returns:
        float32 `(num_modes, rows, columns, 2)`, largest first.
    """
    return modes(np.sqrt(len(model)) * model)[:rank]


class Deformer:
    """Deforms images by random fields of a fitted Gaussian, on any back end, and may change how they look.

    Args:
        models: arrays as of `fit`, one for all classes or one per class.
        image_shape: `(height, width, channels)`.
        scale: least and largest factor of a field, and of a change.
        changes: what random changes are made of, `modes` of `residuals.fit`, or None for none.
    """

    def __init__(self, models, image_shape, scale=SCALE, changes=None):
        self.models, self.scale, self.changes = models, scale, changes
        self.warp = velocity.make_warp(image_shape, models[0].shape[1:3])

    def sample(self, labels, rng):
        """Draws a velocity field and a change per label, from a `numpy.random.Generator`.

        Returns:
            control: float32 `(count, rows, columns, 2)`.
            changes: float32 `(count, size)`, or None where images keep their looks.
        """
        control = np.empty((len(labels), *self.models[0].shape[1:]), np.float32)
        for k, label in enumerate(labels):
            fields = self.models[label if len(self.models) > 1 else 0]
            weights = rng.uniform(*self.scale) * rng.standard_normal(len(fields))
            control[k] = np.tensordot(weights.astype(np.float32), fields, 1)
        if self.changes is None:
            return control, None
        sizes = rng.uniform(*self.scale, (len(labels), 1)) * rng.standard_normal((len(labels), len(self.changes)))
        return control, sizes.astype(np.float32) @ self.changes

    def __call__(self, images, labels, rng):
        """Deforms each image by a field of its own.

        Args:
            images: float32 `(count, height, width, channels)` in [0, 1].
            labels: integers `(count,)`.
            rng: `numpy.random.Generator`.

        Returns:
            float32 like `images`.
        """
        return self.apply(images, *self.sample(labels, rng))[0]

    def apply(self, images, control, changes=None):
        """Deforms and changes images as given: the images, and displacements `(count, height, width, 2)` in pixels."""
        parts = [slice(start, start + BATCH_SIZE) for start in range(0, len(images), BATCH_SIZE)]
        done = [self.warp.predict_on_batch([images[part], control[part]]) for part in parts]
        deformed, moves = (np.concatenate([np.asarray(found) for found in both]) for both in zip(*done, strict=True))
        return deformed if changes is None else residuals.apply(deformed, changes), moves


def make_deformer(arrays, settings):
    """Makes the `Deformer` of a saved model.

    Args:
        arrays: of `deformation.npz`: `modes0`, and `modes1` and so on if there is a Gaussian per class; and `changes`
            if it learned those, too.
        settings: of its run: `image_shape` and `scale`.

    Raises:
        ValueError: there are no modes, or arrays of another kind.
    """
    models = [arrays[name] for k in range(len(arrays)) if (name := f"modes{k}") in arrays]
    if not models or any(model.ndim != 4 or model.shape[-1] != 2 or not model.size for model in models):
        raise ValueError("deformation.npz: holds no velocity fields")
    shape, changes = tuple(settings["image_shape"]), arrays.get("changes")
    if changes is not None and (changes.ndim != 2 or changes.shape[1] != 2 + shape[-1]):
        raise ValueError("deformation.npz: holds changes of other images")
    return Deformer(models, shape, settings["scale"], changes)


class Drawing:
    """Draws deformed training images of chosen classes: a source of images, see `make_source`.

    Each image of a class is deformed in turn. What comes of a class follows from its seed and from how many of its
    images were drawn before, not from the other classes.

    Args:
        deformer: a `Deformer`.
        images: float32 `(num_images, height, width, channels)` in [0, 1], the training images.
        labels: integers `(num_images,)`.
        seeds: integer seed of the fields, per class.
    """

    def __init__(self, deformer, images, labels, seeds):
        self.deformer, self.classes = deformer, [images[labels == k] for k in range(len(seeds))]
        self._rngs = [np.random.default_rng(seed) for seed in seeds]

    def draw(self, labels, rows):
        """Deforms one image per label.

        Args:
            labels: integers `(count,)`, the class of each image.
            rows: integers `(count,)`; the image of its class that is deformed, in turn.

        Returns:
            float32 `(count, height, width, channels)` in [0, 1].
        """
        chosen = [self.classes[label][row % len(self.classes[label])] for label, row in zip(labels, rows, strict=True)]
        drawn = zip(*(self.deformer.sample([label], self._rngs[label]) for label in labels), strict=True)
        control, changes = (None if parts[0] is None else np.concatenate(parts) for parts in drawn)
        return self.deformer.apply(np.stack(chosen), control, changes)[0]


def make_source(load, options):
    """Makes the source of images that `common.saved` asks a kind's module for."""
    arrays = load(0)["deformation"]
    seeds = [options.seed_of(name) for name in options.class_names]
    images = arrays["images"].astype(np.float32) / 255
    return Drawing(make_deformer(arrays, options.settings), images, arrays["labels"], seeds)
