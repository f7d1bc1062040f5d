"""Which images are in which batch. Every image holds its own number, real ones from 0, generated ones from 1000."""

import threading
from itertools import count, islice

import numpy as np
import pytest

from cnn.injection import ahead, batches, num_used, page
from cnn.protocols import Schedule

GENERATED = 1000


def numbered(count, first=0, num_classes=7):
    """Images `(count, 2, 2, 1)` that hold their number, and labels: the number modulo `num_classes`, one-hot."""
    numbers = np.arange(first, first + count)
    images = np.broadcast_to(numbers.astype(np.float32)[:, None, None, None], (count, 2, 2, 1)).copy()
    return images, np.eye(num_classes, dtype=np.float32)[numbers % num_classes]


def make_schedule(steps_per_epoch=3, batch_size=4, page_size=0, full_batches=True):
    return Schedule("CNN", "fair", 2, steps_per_epoch, batch_size, page_size, False, full_batches, None, None)


def numbers(batch):
    return batch[0][:, 0, 0, 0].astype(int).tolist()


def flat(lists):
    return [number for numbers in lists for number in numbers]


def take(number, num_real, schedule, num_generated=0, seed=0, augment=None):
    """The image numbers of the first `number` batches."""
    generated = numbered(num_generated, GENERATED) if num_generated else None
    return [numbers(batch) for batch in islice(batches(numbered(num_real), generated, schedule, seed, augment), number)]


@pytest.mark.parametrize(
    ("epoch", "page_size", "num_generated", "places"),
    [
        (0, 3, 10, [0, 1, 2]),
        (2, 3, 10, [6, 7, 8]),
        (3, 3, 10, [9, 0, 1]),
        (4, 3, 10, [2, 3, 4]),
        (0, 5, 2, [0, 1, 0, 1, 0]),
        (7, -1, 4, [0, 1, 2, 3]),
        (0, -1, 0, []),
        (5, 0, 10, []),
        (5, 0, 0, []),
    ],
)
def test_page_holds_the_next_images_and_wraps_round(epoch, page_size, num_generated, places):
    found = page(epoch, page_size, num_generated)
    assert found.tolist() == places
    assert np.issubdtype(found.dtype, np.integer)


def test_a_page_of_nothing_is_refused():
    with pytest.raises(ValueError, match="there are no generated images"):
        page(0, 3, 0)


@pytest.mark.parametrize(
    ("epochs", "page_size", "num_generated", "used"),
    [(60, 100, 25_000, 6000), (60, 50, 25_000, 3000), (60, 100, 500, 500), (60, -1, 25_000, 25_000), (60, 0, 500, 0)],
)
def test_num_used_counts_the_images_that_pages_reach(epochs, page_size, num_generated, used):
    assert num_used(epochs, page_size, num_generated) == used
    reached = np.concatenate([page(epoch, page_size, num_generated) for epoch in range(epochs)])
    assert len(np.unique(reached)) == used
    assert reached.max(initial=-1) < max(used, 1)


@pytest.mark.parametrize(("num_real", "batch_size"), [(50, 32), (3, 8), (1, 4), (8, 4), (9, 1)])
def test_full_batches_are_always_full(num_real, batch_size):
    sizes = [len(batch) for batch in take(14, num_real, make_schedule(5, batch_size))]
    assert sizes == [batch_size] * 14


def test_full_batches_run_from_one_pass_into_the_next():
    schedule = make_schedule(steps_per_epoch=6, batch_size=4)
    seen = flat(take(6, 6, schedule))  # 24 places, four passes over 6 images
    passes = [seen[k : k + 6] for k in range(0, 24, 6)]
    assert all(sorted(one) == list(range(6)) for one in passes)
    assert len({tuple(one) for one in passes}) > 1


def test_left_over_images_end_a_pass():
    schedule = make_schedule(steps_per_epoch=7, batch_size=32, full_batches=False)
    found = take(14, 50, schedule)
    # seven steps are three passes and a half; the next epoch starts a pass of its own
    assert [len(batch) for batch in found] == [32, 18, 32, 18, 32, 18, 32] * 2
    for start in (0, 2, 4, 7, 9, 11):
        assert sorted(found[start] + found[start + 1]) == list(range(50))


@pytest.mark.parametrize(("num_real", "sizes"), [(64, [32, 32]), (33, [32, 1]), (5, [5, 5])])
def test_left_over_sizes(num_real, sizes):
    schedule = make_schedule(steps_per_epoch=2, batch_size=32, full_batches=False)
    assert [len(batch) for batch in take(4, num_real, schedule)] == sizes * 2


def test_an_epoch_starts_a_new_pass():
    schedule = make_schedule(steps_per_epoch=3, batch_size=4)  # 12 places, one pass over 10 images and 2 more
    found = take(6, 10, schedule)
    for epoch in (found[:3], found[3:]):
        assert sorted(flat(epoch)[:10]) == list(range(10))


def test_each_epoch_holds_the_real_images_and_its_own_page():
    schedule = make_schedule(steps_per_epoch=3, batch_size=3, page_size=5)  # 4 real and 5 generated: one pass exactly
    found = take(12, 4, schedule, num_generated=12)
    pages = [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 0, 1, 2], [3, 4, 5, 6, 7]]
    for epoch, places in enumerate(pages):
        seen = flat(found[3 * epoch : 3 * epoch + 3])
        assert sorted(seen) == sorted([0, 1, 2, 3] + [GENERATED + place for place in places])


def test_real_and_generated_images_are_shuffled_together():
    schedule = make_schedule(steps_per_epoch=10, batch_size=10, page_size=50)
    mixed = [0 < sum(number >= GENERATED for number in batch) < 10 for batch in take(10, 50, schedule, 50)]
    assert sum(mixed) >= 9


def test_all_generated_images_are_in_every_epoch():
    schedule = make_schedule(steps_per_epoch=4, batch_size=3, page_size=-1)
    found = take(8, 5, schedule, num_generated=7)
    for epoch in (found[:4], found[4:]):
        assert sorted(flat(epoch)) == [0, 1, 2, 3, 4] + list(range(GENERATED, GENERATED + 7))


def test_without_a_page_generated_images_stay_out():
    assert max(flat(take(20, 5, make_schedule(page_size=0), num_generated=7))) < GENERATED


def test_pages_without_generated_images_are_refused():
    with pytest.raises(ValueError, match="no generated images"):
        next(batches(numbered(4), numbered(0), make_schedule(page_size=2), 0))


def test_order_follows_from_the_seed():
    schedule = make_schedule(page_size=3)
    first, again, other = (take(9, 8, schedule, 6, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("full_batches", [True, False])
@pytest.mark.parametrize("page_size", [0, 3, -1])
def test_labels_stay_with_their_images(full_batches, page_size):
    schedule = make_schedule(steps_per_epoch=5, batch_size=4, page_size=page_size, full_batches=full_batches)
    for images, labels in islice(batches(numbered(9), numbered(8, GENERATED), schedule, 0), 20):
        assert images.dtype == labels.dtype == np.float32
        assert images.shape == (len(labels), 2, 2, 1)
        np.testing.assert_array_equal(labels.sum(axis=1), 1)
        np.testing.assert_array_equal(labels.argmax(axis=1), images[:, 0, 0, 0].astype(int) % 7)


def test_augmentation_gets_every_batch_and_no_label():
    seen = []

    def augment(images):
        seen.append(images.copy())
        return images + 0.5

    schedule = make_schedule(steps_per_epoch=3, batch_size=4, page_size=3)
    plain = list(islice(batches(numbered(6), numbered(6, GENERATED), schedule, 0), 9))
    changed = list(islice(batches(numbered(6), numbered(6, GENERATED), schedule, 0, augment), 9))
    assert len(seen) == 9
    for (images, labels), (new_images, new_labels), given in zip(plain, changed, seen, strict=True):
        np.testing.assert_array_equal(given, images)
        np.testing.assert_array_equal(new_images, images + 0.5)
        np.testing.assert_array_equal(new_labels, labels)


def test_the_given_arrays_are_left_as_they_were():
    real, generated = numbered(6), numbered(6, GENERATED)
    for images, labels in islice(batches(real, generated, make_schedule(page_size=3), 0), 9):
        images[:], labels[:] = -1, -1
    for given, expected in ((real, numbered(6)), (generated, numbered(6, GENERATED))):
        np.testing.assert_array_equal(given[0], expected[0])
        np.testing.assert_array_equal(given[1], expected[1])


class Recorder:
    """Images that note which of them were asked for."""

    def __init__(self, images):
        self.images, self.asked = images, []

    def __getitem__(self, places):
        self.asked.append(list(places))
        return self.images[places]


def test_a_page_is_read_when_its_epoch_comes():
    images, labels = numbered(10, GENERATED)
    recorder = Recorder(images)
    stream = batches(numbered(4), (recorder, labels), make_schedule(page_size=3), seed=0)
    for asked in ([[0, 1, 2]], [[0, 1, 2], [3, 4, 5]]):
        next(stream)
        assert recorder.asked == asked
        next(stream), next(stream)
        assert recorder.asked == asked


def test_batches_made_ahead_come_in_their_order():
    assert list(islice(ahead(count()), 100)) == list(range(100))
    assert list(ahead(iter("abc"))) == ["a", "b", "c"]
    assert list(ahead(iter(()))) == []


def test_batches_are_made_in_another_thread_and_no_more_than_asked():
    made = []

    def make():
        for k in count():
            made.append(threading.get_ident())
            yield k

    stream = ahead(make(), 3)
    assert next(stream) == 0
    stream.close()  # waits for those at work
    assert 1 <= len(made) <= 4
    assert threading.get_ident() not in made


def test_an_error_in_a_batch_reaches_who_asks_for_it():
    def failing():
        yield 1
        raise OSError("page 7 is gone")

    stream = ahead(failing())
    assert next(stream) == 1
    with pytest.raises(OSError, match="page 7 is gone"):
        next(stream)


class Files:
    """Images `(count, 2, 2, 1)` that are read when asked for, and none is an error, as of an album of files."""

    def __init__(self, images):
        self.images, self.shape, self.most = images, images.shape, 0

    def __len__(self):
        return len(self.images)

    def __getitem__(self, places):
        self.most = max(self.most, len(places))
        return np.stack([self.images[place] for place in places])


def test_a_large_page_is_read_as_batches_need_it_and_they_stay_the_same(monkeypatch):
    schedule = make_schedule(steps_per_epoch=9, batch_size=4, page_size=20)
    images, labels = numbered(23, GENERATED)

    def made(album):
        return list(islice(batches(numbered(10), (album, labels), schedule, 5), 30))

    whole = Files(images)
    wanted = made(whole)
    monkeypatch.setattr("cnn.injection.MOST_BYTES", 20 * 4 * 4 - 1)
    lazy = Files(images)
    for (a, b), (c, d) in zip(wanted, made(lazy), strict=True):
        assert a.tobytes() == c.tobytes()
        assert b.tobytes() == d.tobytes()
    assert (whole.most, lazy.most) == (20, 4)


def test_a_batch_without_an_image_of_an_album_asks_it_for_none():
    schedule = make_schedule(steps_per_epoch=40, batch_size=1, page_size=3)
    (images, labels), real = numbered(3, GENERATED), numbered(5)
    seen = [numbers(batch)[0] for batch in islice(batches((Files(real[0]), real[1]), (images, labels), schedule, 0), 8)]
    assert sorted(seen) == [0, 1, 2, 3, 4, 1000, 1001, 1002]
