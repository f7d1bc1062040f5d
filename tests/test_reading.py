"""Many files: one scale for all of a data set, and damaged ones named together."""

import os

import numpy as np
import pytest
from PIL import Image

from images import albums, codec, folders, reading, selection


def put(folder, *images, extension="png"):
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{k}.{extension}" for k in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(np.asarray(image)).save(path)
    return paths


def deep(*levels):
    return np.array([levels], np.uint16)


@pytest.mark.parametrize("extension", ["png", "tif"])
def test_16_bit_files_are_scaled_by_the_range_that_their_data_set_uses(tmp_path, caplog, extension):
    dark = put(tmp_path / "data" / "train" / "a", deep(0, 100, 273), extension=extension)
    put(tmp_path / "data" / "train" / "b", deep(0, 100, 2047), extension=extension)
    put(tmp_path / "data" / "test" / "a", deep(0, 2730, 4000), extension=extension)
    with caplog.at_level("INFO"):
        found = albums.read_images(dark)
    # 12 bits: level * 255 / 4095, rounded down, though the class alone uses 9 of them
    assert found.ravel().tolist() == [0, 6, 17]
    assert "16-bit scaled to 8-bit, by the levels in use, 0 to 4095 (1 of 1 files)" in caplog.text


def test_16_bit_files_that_use_all_levels_are_scaled_as_they_always_were(tmp_path):
    paths = put(tmp_path / "a", deep(0, 257, 65277), deep(32768, 65280, 514))
    assert albums.read_images(paths).ravel().tolist() == [0, 1, 253, 127, 254, 2]


def test_levels_may_be_given(tmp_path):
    paths = put(tmp_path / "a", deep(0, 500, 1000), deep(2000, 0, 0))
    images = [image.ravel().tolist() for _, image in reading.Reader(paths, levels=1000)]
    assert images == [[0, 127, 255], [255, 0, 0]]


def test_images_of_0_and_1_are_black_and_white(tmp_path, caplog):
    paths = put(tmp_path / "a", np.zeros((2, 2), np.uint8), np.array([[0, 1], [1, 0]], np.uint8))
    expected = [[0, 0, 0, 0], [0, 255, 255, 0]]
    with caplog.at_level("INFO"):
        assert albums.read_images(paths).reshape(2, 4).tolist() == expected
    assert "levels 0 and 1 taken for black and white (2 of 2 files)" in caplog.text
    assert albums.Album(paths)[[1]].ravel().tolist() == [0, 1, 1, 0]
    assert albums.binarise(albums.read_images(paths), "a").max() == 1


def test_levels_of_0_and_1_among_others_stay(tmp_path):
    paths = put(tmp_path / "a", np.array([[0, 1]], np.uint8), np.array([[0, 200]], np.uint8))
    assert albums.read_images(paths).ravel().tolist() == [0, 1, 0, 200]


@pytest.mark.parametrize(("brightest", "said"), [(63, True), (64, False)])
def test_a_data_set_below_a_quarter_of_the_range_is_said(tmp_path, caplog, brightest, said):
    paths = put(tmp_path / "a", np.array([[0, brightest]], np.uint8), np.zeros((1, 2), np.uint8))
    with caplog.at_level("INFO"):
        albums.read_images(paths)
    assert (f"all images are dark: the brightest level is {brightest} of 255" in caplog.text) == said


def damaged(folder, good, bad):
    paths = put(folder, *[np.full((2, 2), 200, np.uint8)] * (good + bad))
    for path in paths[good:]:
        path.write_bytes(b"damaged")
    return paths


@pytest.mark.parametrize(("bad", "named"), [(3, 3), (12, 10)])
def test_all_damaged_files_are_named_up_to_ten_and_counted(tmp_path, caplog, bad, named):
    paths = damaged(tmp_path / "data" / "a", 2, bad)
    with pytest.raises(ValueError, match=rf"data: {bad} of {bad + 2} files are not readable.*--skip-unreadable"):
        albums.read_images(paths)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == named
    assert all(str(path) in line for path, line in zip(paths[2:], lines, strict=False))


def test_damaged_files_are_passed_over_if_asked(tmp_path, caplog):
    paths = damaged(tmp_path / "data" / "a", 2, 12)
    reader = reading.Reader(paths, skip=True)
    assert [place for place, _ in reader] == [0, 1]
    assert reader.skipped == 12
    assert len(caplog.records) == 11
    assert (
        caplog.records[-1].getMessage().endswith("data: 12 of 14 files are not readable, 10 of them named, passed over")
    )
    with pytest.raises(ValueError, match="12 of 12 files"):
        list(reading.Reader(paths[2:], skip=True))


def test_names_that_are_not_utf_8_survive_a_list(tmp_path):
    folder = os.fsencode(tmp_path) + b"/gro\xdfe"
    os.mkdir(folder)
    for name in (b"a\xe9.png", b"b.png"):
        with open(folder + b"/" + name, "wb") as file:
            codec.write_image(tmp_path / "x.png", np.zeros((2, 2, 1), np.uint8))
            file.write((tmp_path / "x.png").read_bytes())
    files = folders.list_images(tmp_path)
    chosen = selection.draw_subset(files, 1, seed=1)
    selection.save_list(tmp_path / "list.json", subset=files, one=chosen)
    assert selection.load_list(tmp_path / "list.json", files, "subset") == files
    assert selection.load_list(tmp_path / "list.json", files, "one") == chosen
    (tmp_path / "list.json").read_text(encoding="utf-8")  # is UTF-8 all the same
    assert len(albums.read_images(next(iter(files.values())))) == 2
