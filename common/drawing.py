"""Writes what a source of images gives, whatever its kind, to class folders; see `common.saved` for sources."""

from typing import NamedTuple

import numpy as np

from common.errors import BadInput
from images import codec, diversity

BATCH_SIZE = 100  # small enough for a decoder's activations to stay in a processor's cache
SHEET = 10  # images of each class on the contact sheet
PATIENCE = 1000  # images in a row that nobody needs, per row of a source, after which it is given up


class Drawn(NamedTuple):
    """What is left to do with images that have been written."""

    sheet: np.ndarray  # uint8 `(num_classes * columns, height, width, channels)`: the first images of each class
    strips: np.ndarray | None  # uint8 `(num_classes, columns, ...)`: of each class a start and states of its chain
    measured: dict  # {class: `diversity.Diversity`}


class Folders:
    """Class folders that take images as a source gives them, and keep the first of each class.

    Args:
        folder: to write the class folders into.
        class_names: of the classes.
        counts: images of each class.
        write: a `codec.Writer`, entered.
        on_images: called with the number of images written.
    """

    def __init__(self, folder, class_names, counts, write, on_images):
        self.folder, self.class_names, self.counts = folder, class_names, counts
        self.write, self.on_images = write, on_images
        self.measured = {name: diversity.Diversity() for name in class_names}
        self.sheet = None

    def add(self, label, numbers, images):
        """Writes images of one class, uint8, under numbers from 1."""
        self.write(self.folder / self.class_names[label], numbers, images)
        self.measured[self.class_names[label]].add(images)
        if self.sheet is None:
            columns = min(SHEET, max(self.counts))
            self.sheet = np.zeros((len(self.counts), columns, *images.shape[1:]), np.uint8)
        for number, image in zip(numbers, images, strict=True):
            if number <= SHEET:
                self.sheet[label, number - 1] = image
        self.on_images(len(images))


def write_images(source, folder, class_names, counts, write, on_images):
    """Writes images of a source, `counts` of each class, as `folder/<class>/<number>.png`.

    Arguments as of `Folders`. Returns a `Drawn`.

    Raises:
        BadInput: the source gives pixels that are no numbers, or none of a class.
    """
    into = Folders(folder, class_names, counts, write, on_images)
    strips = None
    if hasattr(source, "draw"):
        _write_classes(source, into)
    else:
        strips = _write_stream(source, into)
    return Drawn(np.concatenate(into.sheet), strips, into.measured)


def _write_classes(source, into):
    for label, count in enumerate(into.counts):
        for start in range(0, count, BATCH_SIZE):
            rows = np.arange(start, min(start + BATCH_SIZE, count))
            images = to_pixels(source.draw(np.full(len(rows), label), rows), into.class_names[label])
            into.add(label, range(start + 1, start + 1 + len(rows)), images)


def _write_stream(source, into):
    """Writes class by class and row by row: the images of one row follow each other. Returns strips, if it has starts.

    A strip is, for each class, its first start and about 19 states of the chain from it, ever further apart.
    """
    labels, per_class = np.asarray(source.labels), np.asarray(into.counts)
    sizes = np.bincount(labels, minlength=len(per_class))
    if not sizes.all():
        raise BadInput(f"the generator knows no class {into.class_names[int(np.argmin(sizes))]}")
    order = np.argsort(labels, kind="stable")  # class by class
    in_class = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    in_order = np.repeat(per_class // sizes, sizes) + (in_class < np.repeat(per_class % sizes, sizes))
    quotas, firsts = np.empty_like(in_order), np.empty_like(in_order)
    quotas[order] = in_order
    firsts[order] = np.cumsum(in_order) - in_order - np.repeat(np.cumsum(per_class) - per_class, sizes)
    leaders = order[np.cumsum(sizes) - sizes].tolist()
    shown = {state: {} for state in np.unique(np.geomspace(1, quotas.max(), 19).round().astype(int)).tolist()}
    drawn, missing, in_vain = np.zeros(len(labels), int), int(per_class.sum()), 0
    while missing:
        images, rows = source.next(len(labels))
        in_vain += len(rows)
        for row, image in zip(rows, to_pixels(images, "of any kind"), strict=True):
            drawn[row] += 1
            if row in leaders and drawn[row] in shown:
                shown[drawn[row]][row] = image
            if drawn[row] <= quotas[row]:
                into.add(labels[row], [int(firsts[row] + drawn[row])], image[None])
                missing, in_vain = missing - 1, 0
        if in_vain > PATIENCE * len(labels):
            rest = labels[np.argmax(drawn < quotas)]
            raise BadInput(
                f"the generator gave {in_vain:,} images in a row that are not of class {into.class_names[rest]}"
            )
    if not hasattr(source, "starts"):
        return None
    strips = [codec.to_uint8(source.starts[leaders])]
    strips += [np.stack([images[row] for row in leaders]) for images in shown.values()]
    return np.stack(strips, axis=1)


def to_pixels(images, name):
    """Float images as uint8; pixels that are no numbers, which a generator with broken weights gives, are an error."""
    if not np.isfinite(images).all():
        raise BadInput(f"images of class {name}: the generator gives pixels that are no numbers (NaN or infinite)")
    return codec.to_uint8(images)
