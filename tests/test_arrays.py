"""Arrays of other forms: converted with a line where their meaning is certain, else refused."""

import io
import zipfile

import numpy as np
import pytest

from images import arrays, sources

GREY = np.random.default_rng(0).integers(0, 256, (6, 4, 4), np.uint8)
COLOR = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), np.uint8)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (GREY.astype(np.float32) / 255, GREY),
        (GREY.astype(np.float64), GREY),
        (GREY.astype(np.int64), GREY),
        (GREY > 127, np.where(GREY > 127, 255, 0)),
        ((GREY > 127).astype(np.uint8), np.where(GREY > 127, 255, 0)),
        (GREY.reshape(6, 16), GREY),
        (np.moveaxis(COLOR, -1, 1), COLOR),
        (GREY[:, None], GREY[..., None]),
    ],
    ids=["floats to 1", "floats to 255", "int64", "booleans", "0 and 1", "flat", "channels first", "one channel first"],
)
def test_images_of_certain_meaning_are_converted_with_a_line(caplog, given, expected):
    with caplog.at_level("INFO"):
        x_train, x_test = arrays.as_images("set", given, given[:2])
    assert x_train.dtype == np.uint8
    np.testing.assert_array_equal(x_train, expected)
    np.testing.assert_array_equal(x_test, expected[:2])
    assert bool(caplog.records) == (given.dtype != np.int64)


def test_images_as_they_should_be_are_neither_copied_nor_spoken_of(caplog):
    with caplog.at_level("INFO"):
        assert arrays.as_images("set", GREY, GREY)[0] is GREY
    assert not caplog.records


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (GREY.astype(int) - 1, "from -1"),
        (GREY.astype(np.uint16) * 257, "uint16 from"),
        (np.where(GREY > 9, np.nan, 1.0), "nan"),
        (np.zeros((6, 0, 4), np.uint8), r"\(6, 0, 4\)"),
        (np.zeros((0, 4, 4), np.uint8), r"\(0, 4, 4\)"),
        (np.zeros((6, 4, 4, 4), np.uint8), r"\(6, 4, 4, 4\)"),
        (np.zeros((6, 3072), np.uint8), r"\(6, 3072\)"),
        (np.zeros(6, np.uint8), r"\(6,\)"),
        (np.array([[["a"]]]), "numbers"),
    ],
)
def test_images_of_no_certain_meaning_are_refused_with_what_came(given, words):
    with pytest.raises(ValueError, match=f"set: .*{words}"):
        arrays.as_images("set", given, given)


@pytest.mark.parametrize(
    ("y", "class_names", "numbers", "names"),
    [
        ([0, 1, 2], None, [0, 1, 2], ["0", "1", "2"]),
        ([1, 2, 3], None, [0, 1, 2], ["1", "2", "3"]),
        ([1, 2, 3], ["a", "b", "c"], [0, 1, 2], ["a", "b", "c"]),
        ([5, 90, 7], ["a", "b", "c"], [0, 2, 1], ["a", "b", "c"]),
        ([0, 2, 2], ["a", "b", "c"], [0, 1, 1], ["a", "c"]),
        ([0, 1, 2], [b"a", b"b", "größe".encode()], [0, 1, 2], ["a", "b", "größe"]),
        ([0.0, 1.0, 2.0], None, [0, 1, 2], ["0", "1", "2"]),
        ([[1, 0, 0], [0, 0, 1], [0, 1, 0]], None, [0, 2, 1], ["0", "1", "2"]),
        (["cat", "dog", "ape"], None, [1, 2, 0], ["ape", "cat", "dog"]),
    ],
)
def test_labels_become_numbers_without_gaps(y, class_names, numbers, names):
    found = arrays.as_labels("set", (3, 3), y, y, None if class_names is None else np.array(class_names))
    assert [part.tolist() for part in found[:2]] == [numbers, numbers]
    assert found[2] == names


@pytest.mark.parametrize(
    ("y", "class_names", "words"),
    [
        ([0, 1, 2**40], None, "at most 1000000. .* 1099511627776"),
        ([0, 1, -1], None, "from -1"),
        ([0, 0.5, 1], None, "3 labels"),
        ([0, np.inf, 1], None, "3 labels"),
        ([[1, 0], [1, 1], [0, 1]], None, "one-hot"),
        ([0, 1, 2], "abc", r"class_names should be a list of names. Received: \(\)"),
        ([0, 1, 9], ["a", "b"], "as many different names. Received: 2"),
        ([0, 1, 1], ["a", "a"], "should differ"),
        ([0, 1, 1], [b"a", b"\xff"], "not UTF-8"),
    ],
)
def test_labels_of_no_certain_meaning_are_refused(y, class_names, words):
    with pytest.raises(ValueError, match=f"set: .*{words}"):
        arrays.as_labels("set", (3, 3), y, y, None if class_names is None else np.array(class_names))


def npz_of_zeros(path, shape):
    """Megabytes that unpack to gigabytes, of zeros written piece by piece."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key in sources.KEYS:
            archive.writestr(f"{key}.npy", header.getvalue() + bytes(10))
    return path


def test_an_npz_that_unpacks_to_gigabytes_is_refused_by_its_headers(tmp_path):
    path = npz_of_zeros(tmp_path / "set.npz", (2_000_000, 28, 28))
    with pytest.raises(ValueError, match=r"set\.npz: unpacks to 6\.3 GB, at most 4\.3 are read"):
        sources.from_npz(path)


def test_a_missing_array_is_named_with_those_that_are_there(tmp_path):
    np.savez(tmp_path / "set.npz", images=GREY, labels=np.arange(6))
    with pytest.raises(ValueError, match=r"no array 'x_train' in it \(there are images, labels\)"):
        sources.from_npz(tmp_path / "set.npz")
