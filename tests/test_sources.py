"""Data sets as arrays: scikit-learn's digits, .npz files, and what is refused in them."""

import numpy as np
import pytest

from images import sources


@pytest.fixture(scope="module")
def digits():
    return sources.digits(seed=0)


def as_set(images):
    return {image.tobytes() for image in images}


def test_digits_are_the_1797_images_at_28x28(digits):
    assert len(digits.x_train) + len(digits.x_test) == 1797
    for x, y in (digits[:2], digits[2:4]):
        assert x.dtype == np.uint8
        assert x.shape == (len(y), 28, 28)
    assert digits.class_names == [str(label) for label in range(10)]


def test_digits_use_the_whole_grey_scale():
    """17 levels, k * 255 / 16 rounded, at the size they come in."""
    levels = [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255]
    assert np.unique(sources.digits(seed=0, side=8).x_train).tolist() == levels


@pytest.mark.parametrize("label", range(10))
def test_digits_are_split_84_to_16_in_every_class(digits, label):
    num_train, num_test = np.sum(digits.y_train == label), np.sum(digits.y_test == label)
    assert abs(num_test - 0.16 * (num_train + num_test)) <= 1


def test_no_digit_is_in_both_parts(digits):
    assert not as_set(digits.x_train) & as_set(digits.x_test)


def test_the_seed_decides_the_split_and_not_the_digits(digits):
    again, other = sources.digits(seed=0), sources.digits(seed=1)
    for mine, same in zip(digits[:4], again[:4], strict=True):
        np.testing.assert_array_equal(mine, same)
    assert as_set(other.x_test) != as_set(digits.x_test)
    assert as_set(other.x_test) | as_set(other.x_train) == as_set(digits.x_test) | as_set(digits.x_train)


def test_digits_keep_their_labels_through_the_split(digits):
    from sklearn.datasets import load_digits

    assert np.bincount([*digits.y_train, *digits.y_test]).tolist() == np.bincount(load_digits().target).tolist()


def test_digits_come_in_other_sizes():
    assert sources.digits(seed=0, side=12).x_test.shape[1:] == (12, 12)


def arrays(num_train=6, num_test=4, shape=(5, 7), classes=2):
    rng = np.random.default_rng(0)
    x_train, x_test = (rng.integers(0, 256, (count, *shape), dtype=np.uint8) for count in (num_train, num_test))
    y_train, y_test = (np.arange(count) % classes for count in (num_train, num_test))
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def save(tmp_path, **changed):
    content = {**arrays(), **changed}
    np.savez(tmp_path / "set.npz", **{key: value for key, value in content.items() if value is not None})
    return tmp_path / "set.npz"


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3)])
def test_an_npz_is_read(tmp_path, shape):
    given = arrays(shape=shape)
    dataset = sources.from_npz(save(tmp_path, **given))
    for key, array in given.items():
        np.testing.assert_array_equal(getattr(dataset, key), array)
    assert dataset.class_names == ["0", "1"]


def test_an_npz_may_name_its_classes(tmp_path):
    assert sources.from_npz(save(tmp_path, class_names=np.array(["cat", "größe"]))).class_names == ["cat", "größe"]


def test_labels_may_be_a_column(tmp_path):
    """As Keras' CIFAR files have them."""
    given = arrays()
    dataset = sources.from_npz(save(tmp_path, y_train=given["y_train"][:, None], y_test=given["y_test"][:, None]))
    np.testing.assert_array_equal(dataset.y_train, given["y_train"])
    assert dataset.y_test.shape == (4,)


def test_other_arrays_in_an_npz_do_not_matter(tmp_path):
    assert len(sources.from_npz(save(tmp_path, x_extra=np.zeros(3))).x_train) == 6


REFUSED = {
    "float pixels of one part": ({"x_train": np.zeros((6, 5, 7))}, "x_train and x_test should be of one type"),
    "float test pixels": ({"x_test": np.zeros((4, 5, 7), np.float32)}, "of one type, best uint8. .* uint8 and float32"),
    "flat pixels": ({"x_train": np.zeros((6, 35), np.uint8)}, "x_train should be .*uint8"),
    "four channels": ({"x_train": np.zeros((6, 5, 7, 4), np.uint8)}, "x_train should be .*uint8"),
    "too few labels": ({"y_train": np.arange(5) % 2}, "y_train should be 6 labels"),
    "too many labels": ({"y_test": np.arange(5) % 2}, "y_test should be 4 labels"),
    "two ones a row": ({"y_train": np.ones((6, 2), int)}, "rows of y_train should hold one 1"),
    "negative label": ({"y_train": np.array([0, 1, 0, 1, 0, -1])}, "y_train should be 6 labels from 0"),
    "float labels": ({"y_test": np.array([0.0, 1.0, 0.5, 1.0])}, "y_test should be 4 labels"),
    "no images": ({"x_test": np.zeros((0, 5, 7), np.uint8), "y_test": np.zeros(0, int)}, "x_test"),
    "sizes differ": ({"x_test": np.zeros((4, 7, 5), np.uint8)}, r"x_train holds \(5, 7\) images, x_test \(7, 5\)"),
    "channels differ": ({"x_test": np.zeros((4, 5, 7, 3), np.uint8)}, "x_train holds"),
    "too few names": ({"class_names": np.array(["cat"])}, "2 classes.* need as many different names"),
    "equal names": ({"class_names": np.array(["cat", "cat"])}, "class_names should differ"),
    "pickled labels": ({"y_train": np.array([0, 1, 0, 1, 0, None])}, r"not a readable \.npz"),
    "pickled names": ({"class_names": np.array(["cat", None])}, r"not a readable \.npz"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_arrays_that_are_no_data_set_are_refused(tmp_path, kind):
    changed, words = REFUSED[kind]
    with pytest.raises(ValueError, match=rf"set\.npz: .*{words}"):
        sources.from_npz(save(tmp_path, **changed))


@pytest.mark.parametrize("key", sources.KEYS)
def test_a_missing_array_is_named(tmp_path, key):
    with pytest.raises(ValueError, match=rf"set\.npz: no array '{key}'"):
        sources.from_npz(save(tmp_path, **{key: None}))


@pytest.mark.parametrize("kept", [0, 10, 0.3, 0.6, 0.9, -1])
def test_an_npz_cut_short_is_refused(tmp_path, kept):
    path = save(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(ValueError, match=r"set\.npz: not a readable \.npz"):
        sources.from_npz(path)


def test_a_damaged_npz_is_refused(tmp_path):
    path = save(tmp_path)
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF  # within the pixels of the first array, whose checksum then fails
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"set\.npz: not a readable \.npz"):
        sources.from_npz(path)


def test_text_in_an_npz_is_refused(tmp_path):
    (tmp_path / "set.npz").write_text("x_train, y_train\n")
    with pytest.raises(ValueError, match=r"set\.npz: not a readable \.npz") as error:
        sources.from_npz(tmp_path / "set.npz")
    assert "pickle" not in str(error.value)  # no advice to load what it is unsafely


def test_a_single_array_in_an_npz_is_refused(tmp_path):
    with (tmp_path / "set.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match=r"set\.npz: not a readable \.npz"):
        sources.from_npz(tmp_path / "set.npz")


def test_a_missing_npz_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"absent\.npz: no such file"):
        sources.from_npz(tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("name", "folder"),
    [("T-shirt/top", "T-shirt_top"), ("Ankle boot", "Ankle boot"), ("7", "7"), ("größe.1", "größe.1")],
)
def test_a_class_name_becomes_a_folder(name, folder):
    assert sources.folder_name(name) == folder


@pytest.mark.parametrize("name", ["..", ".", "", "../up", ".hidden", "a\0b"])
def test_a_class_name_that_leads_elsewhere_is_refused(name):
    with pytest.raises(ValueError, match="cannot be a folder name"):
        sources.folder_name(name)


@pytest.mark.parametrize(("name", "count"), [("fashion_mnist", 10), ("cifar10", 10), ("cifar100", 100)])
def test_named_data_sets_have_their_class_names(name, count):
    names = sources.CLASS_NAMES[name]
    assert len(names) == len({sources.folder_name(each) for each in names}) == count


@pytest.mark.parametrize("names", [sources.CIFAR10, sources.CIFAR100])
def test_cifar_names_are_in_alphabetical_order_as_the_labels_are(names):
    assert names == sorted(names)
