"""How generated images join the real ones: a page per epoch, or all at once (thesis 6.3 and 6.4)."""

import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

MOST_BYTES = 2**28  # of a page in memory as float32


class View:
    """Chosen images of an album, or of an array, that are read each time they are asked for."""

    def __init__(self, album, places):
        self.album, self.places = album, places

    def __getitem__(self, rows):
        return self.album[self.places[rows]]


def open_page(album, places, image_shape):
    """The images of a page: in memory, where they are used many times; a `View` above `MOST_BYTES`."""
    size = 4 * len(places) * math.prod(image_shape)
    return album[places] if size <= MOST_BYTES else View(album, places)


def page(epoch, page_size, num_generated):
    """Says which generated images join one epoch.

    Args:
        epoch: from 0.
        page_size: images per page; 0 for none, -1 for all.
        num_generated: how many there are; pages wrap round at their end.

    Returns:
        Integer array of places.
    """
    if page_size < 0:
        return np.arange(num_generated)
    if page_size and not num_generated:
        raise ValueError("pages of generated images are wanted, but there are no generated images")
    return np.arange(epoch * page_size, (epoch + 1) * page_size) % max(num_generated, 1)  # Deviation 7


def num_used(epochs, page_size, num_generated):
    """Counts the generated images that a whole training sees; the rest need not be read."""
    return num_generated if page_size < 0 else min(epochs * page_size, num_generated)


def batches(real, generated, schedule, seed, augment=None):
    """Makes the batches of a whole training, one after another, without end.

    Each epoch reshuffles the real images and its page together, pass after pass, until it has its steps; the next epoch
    starts a new pass with the next page.

    Args:
        real: pair of images and one-hot labels, float32 `(num_images, num_classes)`. `images[rows]` gives float32
            `(num_rows, height, width, channels)`, so that an array will do, and so will an album of uint8 images.
        generated: such a pair, or None if the schedule takes none. Its images are read a page at a time, those of
            pages beyond `MOST_BYTES` in every batch.
        schedule: a `protocols.Schedule`.
        seed: integer seed of the shuffling.
        augment: maps a batch of images to a batch of the same shape; None for none.

    Yields:
        Pairs of images and labels of one optimiser step.
    """
    rng = np.random.default_rng(seed)
    num_generated = len(generated[1]) if schedule.page_size else 0
    epoch = 0
    while True:
        parts = [real]
        if schedule.page_size > 0:  # a page is read once, and used many times in its epoch
            places = page(epoch, schedule.page_size, num_generated)
            parts.append((open_page(generated[0], places, real[0].shape[1:]), generated[1][places]))
        elif schedule.page_size < 0:
            parts.append(generated)
        labels = np.concatenate([y for _, y in parts])
        for _, rows in zip(range(schedule.steps_per_epoch), _rows(len(labels), schedule, rng), strict=False):
            images = _take([x for x, _ in parts], rows)
            yield (augment(images) if augment else images), labels[rows]
        epoch += 1


def _take(parts, rows):
    """Takes rows of several sets of images as if they were one after another."""
    if len(parts) == 1:
        return parts[0][rows]
    first, second = parts
    images = np.empty((len(rows), *first.shape[1:]), np.float32)
    own = rows < len(first)
    for part, mine, places in ((first, own, rows), (second, ~own, rows - len(first))):
        if mine.any():  # an album of files gives no empty batch
            images[mine] = part[places[mine]]
    return images


def _rows(num_images, schedule, rng):
    """Yields the rows of batches over reshuffled passes, without end."""
    size = schedule.batch_size
    waiting = np.empty(0, int)
    while True:
        waiting = np.concatenate([waiting, rng.permutation(num_images)])
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]
        if len(waiting) and not schedule.full_batches:
            yield waiting
            waiting = waiting[:0]


def ahead(batches, count=8):
    """Yields what the generator `batches` yields, and makes the next ones in a thread while its caller works."""
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(next, batches, None) for _ in range(count))
        while (batch := waiting.popleft().result()) is not None:
            waiting.append(pool.submit(next, batches, None))
            yield batch
