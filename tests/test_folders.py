"""Class folders: what is listed, how a file becomes pixels, and which files are refused."""

import os
import struct
import tracemalloc
import unicodedata
import zlib

import cv2
import numpy as np
import pytest

from images import albums, codec, folders

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
EXTENSIONS = ("png", "jpg", "bmp", "webp", "tif", "gif", "ppm")


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(rows, width, depth, color_type, *extra):
    """A PNG file made chunk by chunk, for what OpenCV cannot write."""
    header = struct.pack(">IIBBBBB", width, len(rows), depth, color_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), *extra, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    )


def encoded(extension, image):
    return cv2.imencode(f".{extension}", image)[1].tobytes()


def with_app1(jpeg, content):
    """The JPEG with an EXIF segment right after its first marker."""
    segment = b"Exif\0\0" + content
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def orientation(value):
    """The smallest EXIF content that has an orientation."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, value, 0, 0)


def decode_bytes(tmp_path, content, notes=None):
    path = tmp_path / "image"
    path.write_bytes(content)
    return codec.decode(path, set() if notes is None else notes)


def textured(height=48, width=64, channels=3):
    noise = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return noise if channels == 3 else noise[..., 0]


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    codec.write_image(path, image)
    return path


def grey(side=4, value=100):
    return np.full((side, side, 1), value, np.uint8)


def rgb(side=4, color=RED):
    return np.full((side, side, 3), color, np.uint8)


# Listing


def test_numbers_in_names_sort_by_value():
    names = ["example10", "example9", "b", "example9a", "10", "2", "a"]
    assert sorted(names, key=folders.natural_key) == ["2", "10", "a", "b", "example9", "example9a", "example10"]


def test_classes_and_files_are_listed_in_natural_order(tmp_path):
    for name in ("10", "2", "a"):
        for number in (10, 9, 1):
            write(tmp_path / name / f"x{number}.png", grey())
    listing = folders.list_images(tmp_path)
    assert list(listing) == ["2", "10", "a"]
    assert [path.name for path in listing["10"]] == ["x1.png", "x9.png", "x10.png"]


def test_all_extensions_are_listed_in_either_case(tmp_path):
    names = ["a.png", "b.PNG", "c.jpg", "d.JPEG", "e.bmp", "f.webp", "g.tif", "h.TIFF", "i.gif", "j.pgm", "k.jfif"]
    (tmp_path / "0").mkdir()
    for name in names:
        (tmp_path / "0" / name).touch()
    assert [path.name for path in folders.list_images(tmp_path)["0"]] == names


def test_what_is_no_image_is_passed_over_and_counted_in_one_line(tmp_path, caplog):
    write(tmp_path / "0" / "a.png", grey())
    write(tmp_path / "1" / "a.png", grey())
    for stray in ("0/.hidden.png", "0/desktop.ini", "1/Thumbs.db", "1/notes.txt", "contact_sheet.png"):
        (tmp_path / stray).write_bytes(b"stray")
    (tmp_path / ".cache").mkdir()
    with caplog.at_level("INFO"):
        listing = folders.list_images(tmp_path)
    assert {name: [path.name for path in paths] for name, paths in listing.items()} == {"0": ["a.png"], "1": ["a.png"]}
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: passed over 1 hidden file, 1 .ini file, 1 .db file, 1 .txt file"
    ]


def test_a_clean_folder_logs_nothing(tmp_path, caplog):
    write(tmp_path / "0" / "a.png", grey())
    with caplog.at_level("INFO"):
        folders.list_images(tmp_path)
    assert not caplog.records


@pytest.mark.parametrize("name", ["two words", "v1.2", "größe", "数字", "a'b"])
def test_class_names_survive_the_disk(tmp_path, name):
    images = np.stack([grey(value=1), grey(value=2)])
    codec.write_images(tmp_path / folders.check_class_name(name), ["x y", "ü.1"], images)
    listing = folders.list_images(tmp_path)
    assert list(listing) == [name]
    assert [path.name for path in listing[name]] == ["x y.png", "ü.1.png"]
    np.testing.assert_array_equal(albums.read_images(listing[name]), images)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "../a", ".hidden", "a\0b", "a\\b"])
def test_a_class_name_that_is_no_visible_folder_is_refused(name):
    with pytest.raises(ValueError, match="cannot be a folder name"):
        folders.check_class_name(name)


def test_a_missing_root_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"absent: no such folder"):
        folders.list_images(tmp_path / "absent")


def test_a_root_that_is_a_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a\.png: a file, not a folder"):
        folders.list_images(write(tmp_path / "a.png", grey()))


def test_a_root_without_class_folders_is_refused(tmp_path):
    write(tmp_path / "loose.png", grey())
    with pytest.raises(ValueError, match="no class folders"):
        folders.list_images(tmp_path)


def test_an_empty_class_is_passed_over_and_missed_if_the_other_part_has_it(tmp_path, caplog):
    write(tmp_path / "0" / "a.png", grey())
    (tmp_path / "1").mkdir()
    with caplog.at_level("INFO"):
        listing = folders.list_images(tmp_path)
    assert list(listing) == ["0"]
    assert [r.getMessage() for r in caplog.records] == [f"{tmp_path}: passed over 1 folder without images (1)"]
    with pytest.raises(ValueError, match="train: class '1' is missing"):
        folders.check_same_classes(listing, {**listing, "1": ["a.png"]}, "train", "test")
    with pytest.raises(ValueError, match="test/1: no images in it"):
        folders.check_same_classes({"1": ["a.png"]}, {"1": []}, "train", "test")


def test_folders_that_no_one_means_as_a_class_are_passed_over_and_said(tmp_path, caplog):
    write(tmp_path / "cat" / "a.png", grey())
    for name in ("__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN"):
        write(tmp_path / name / "a.png", grey())
    with caplog.at_level("INFO"):
        assert list(folders.list_images(tmp_path)) == ["cat"]
    for name in ("__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN"):
        assert f"folder {name}" in caplog.text
    assert len(caplog.records) == 1


def test_folders_inside_a_class_are_said_with_their_images(tmp_path, caplog):
    write(tmp_path / "cat" / "a.png", grey())
    for number in range(3):
        write(tmp_path / "cat" / "more" / f"{number}.png", grey())
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    with caplog.at_level("INFO"):
        assert [path.name for path in folders.list_images(tmp_path)["cat"]] == ["a.png"]
    assert [r.getMessage() for r in caplog.records] == [
        f"{tmp_path}: passed over 1 folder inside a class, 3 images in folders inside a class, 1 pipe or device"
    ]


def test_two_unicode_forms_of_a_name_are_one_class(tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    write(tmp_path / "train" / composed / "a.png", grey())
    path = write(tmp_path / "test" / decomposed / "a.png", grey())
    train, test = (folders.list_images(tmp_path / part) for part in ("train", "test"))
    folders.check_same_classes(train, test, "train", "test")
    assert test == {composed: [path]}
    write(tmp_path / "test" / composed / "a.png", grey())
    with pytest.raises(ValueError, match="two folders of this class"):
        folders.list_images(tmp_path / "test")


@pytest.mark.parametrize(
    ("made", "asked", "words"),
    [
        ((), "data", "prepare_data.py --dataset digits --out .*data makes"),
        (("data/README.md",), "data", "prepare_data.py --dataset digits --out .*data makes"),
        ((), "data/train", "prepare_data.py --dataset digits --out .*data makes"),
        (("data/all/cat/a.png", "data/all/dog/a.png"), "data", "data/all holds class folders, give that"),
        (("data/train/cat/a.png", "data/test/cat/a.png"), "data", "split already: .*data/(train|test) holds class"),
        (("data/train/cat/a.png",), "data/test", "prepare_data.py --folder .*data/train --out NEW makes"),
        (("data/cat/a.png",), "data/train", "prepare_data.py --folder .*data --out NEW makes"),
        (
            ("data/train/cat/a.png",),
            "data/validation",
            "--folder .*data/train --out NEW --validation-fraction 0.1 makes",
        ),
        (("data",), "data", "data: a file, not a folder$"),
        (("data/a.png",), "data", "its images lie loose"),
    ],
)
def test_a_folder_without_classes_is_refused_with_what_to_give(tmp_path, made, asked, words):
    for name in made:
        write(tmp_path / name, grey())
    with pytest.raises(ValueError, match=words) as error:
        folders.list_images(tmp_path / asked)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ("train/cat/a.png", "train"),
        ("train/a.png", "."),  # a class called train
        ("cat/a.png", "."),
        ("train/train/a.png", "train"),
    ],
)
def test_a_class_may_be_called_train(tmp_path, made, expected):
    write(tmp_path / made, grey())
    assert folders.training_root(tmp_path) == tmp_path / expected


@pytest.mark.parametrize(("train", "test", "root"), [("ab", "a", "test"), ("a", "ab", "train")])
def test_a_class_that_one_part_lacks_is_named(train, test, root):
    listings = ({name: ["x.png"] for name in part} for part in (train, test))
    with pytest.raises(ValueError, match=f"{root}: class 'b' is missing"):
        folders.check_same_classes(*listings, "train", "test")


def test_a_file_link_out_of_the_tree_is_refused(tmp_path):
    outside = write(tmp_path / "outside.png", grey())
    write(tmp_path / "root" / "0" / "a.png", grey())
    (tmp_path / "root" / "0" / "link.png").symlink_to(outside)
    with pytest.raises(ValueError, match=r"link\.png: a link that leads out"):
        folders.list_images(tmp_path / "root")


def test_a_class_link_out_of_the_tree_is_refused(tmp_path):
    write(tmp_path / "outside" / "a.png", grey())
    write(tmp_path / "root" / "0" / "a.png", grey())
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "outside")
    with pytest.raises(ValueError, match="linked: a link that leads out"):
        folders.list_images(tmp_path / "root")


def test_links_out_of_the_tree_are_followed_if_asked(tmp_path):
    outside = write(tmp_path / "outside" / "a.png", grey(value=9))
    write(tmp_path / "root" / "0" / "a.png", grey())
    (tmp_path / "root" / "0" / "link.png").symlink_to(outside)
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "outside")
    listing = folders.list_images(tmp_path / "root", follow_links=True)
    assert {name: len(paths) for name, paths in listing.items()} == {"0": 2, "linked": 1}
    assert albums.read_images(listing["linked"]).max() == 9


def test_a_link_inside_the_tree_is_read(tmp_path):
    original = write(tmp_path / "0" / "a.png", grey(value=7))
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "link.png").symlink_to(original)
    images, labels = albums.read_classes(folders.list_images(tmp_path))
    assert images[labels == 1].max() == 7


def test_a_linked_root_is_read(tmp_path):
    write(tmp_path / "data" / "0" / "a.png", grey())
    (tmp_path / "root").symlink_to(tmp_path / "data")
    assert list(folders.list_images(tmp_path / "root")) == ["0"]


@pytest.mark.parametrize("target", ["link.png", "gone.png"])
def test_a_link_to_itself_or_to_nothing_is_refused_by_name(tmp_path, target):
    write(tmp_path / "0" / "a.png", grey())
    (tmp_path / "0" / "link.png").symlink_to(target)
    with pytest.raises((ValueError, OSError), match=r"link\.png"):
        albums.read_classes(folders.list_images(tmp_path))


# Decoding


def test_grey_keeps_one_channel_and_its_values(tmp_path):
    image = textured(channels=1)
    np.testing.assert_array_equal(decode_bytes(tmp_path, encoded("png", image)), image[..., None])


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_red_is_the_first_channel(tmp_path, extension):
    bgr = np.full((16, 16, 3), (0, 0, 255), np.uint8)
    decoded = decode_bytes(tmp_path, encoded(extension, bgr))
    np.testing.assert_allclose(decoded, np.broadcast_to(RED, (16, 16, 3)), atol=4)


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_is_scaled_to_8(tmp_path, channels):
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    notes = set()
    decoded = decode_bytes(tmp_path, encoded("png", np.repeat(levels[..., None] * 257, channels, axis=-1)), notes)
    np.testing.assert_array_equal(decoded, np.repeat(levels[..., None], channels, axis=-1))
    assert decoded.dtype == np.uint8
    assert notes == {"16-bit scaled to 8-bit"}


def test_a_palette_is_expanded_to_rgb(tmp_path):
    notes = set()
    content = png([bytes([0, 1]), bytes([2, 0])], 2, 8, 3, chunk(b"PLTE", bytes([*RED, *GREEN, *BLUE])))
    assert decode_bytes(tmp_path, content, notes).tolist() == [[[*RED], [*GREEN]], [[*BLUE], [*RED]]]
    assert notes == {"palette expanded to RGB"}


def test_a_transparent_palette_entry_is_white(tmp_path):
    palette = chunk(b"PLTE", bytes([*RED, *BLUE])), chunk(b"tRNS", bytes([255, 0]))
    assert decode_bytes(tmp_path, png([bytes([0, 1])], 2, 8, 3, *palette)).tolist() == [[[*RED], [255, 255, 255]]]


def test_black_and_white_of_one_bit_is_grey(tmp_path):
    assert decode_bytes(tmp_path, png([bytes([0b10100000])], 4, 1, 0))[0, :, 0].tolist() == [255, 0, 255, 0]


def test_transparency_is_laid_on_white(tmp_path):
    # channel * alpha / 255 + 255 * (1 - alpha / 255), by hand
    pixels = bytes([255, 0, 100, 128, 10, 20, 30, 255, 10, 20, 30, 0, 200, 100, 0, 51])
    notes = set()
    decoded = decode_bytes(tmp_path, png([pixels], 4, 8, 6), notes)
    assert decoded.tolist() == [[[255, 127, 177], [10, 20, 30], [255, 255, 255], [244, 224, 204]]]
    assert notes == {"transparency laid on white"}


def test_16_bit_transparency_is_scaled_and_laid_on_white(tmp_path):
    pixels = struct.pack(">8H", *(257 * level for level in (255, 0, 100, 128, 10, 20, 30, 255)))
    notes = set()
    assert decode_bytes(tmp_path, png([pixels], 2, 16, 6), notes).tolist() == [[[255, 127, 177], [10, 20, 30]]]
    assert notes == {"16-bit scaled to 8-bit", "transparency laid on white"}


def test_conversions_are_logged_with_their_count(tmp_path, caplog):
    paths = [tmp_path / "root" / "0" / name for name in ("a.png", "b.png", "c.png")]
    paths[0].parent.mkdir(parents=True)
    for path in paths[:2]:
        path.write_bytes(encoded("png", np.full((4, 4), 65535, np.uint16)))
    write(paths[2], grey())
    with caplog.at_level("INFO"):
        albums.read_images(paths)
    assert [r.getMessage() for r in caplog.records] == [f"{tmp_path / 'root'}: 16-bit scaled to 8-bit (2 of 3 files)"]


def test_the_brightest_16_bit_levels_are_not_rounded_up_by_a_shift(tmp_path):
    """65280 / 257 = 254.01: dropping the low byte would make it white."""
    assert decode_bytes(tmp_path, encoded("png", np.full((4, 4), 65280, np.uint16))).max() == 254


@pytest.mark.parametrize("channels", [1, 3])
def test_a_photograph_is_turned_as_its_exif_data_says(tmp_path, channels):
    image = np.zeros((16, 32, 3), np.uint8)
    image[:8, :16] = 255
    jpeg = encoded("jpg", image if channels == 3 else image[..., 0])
    decoded = decode_bytes(tmp_path, with_app1(jpeg, orientation(6)))  # 6: a quarter turn clockwise
    assert decoded.shape == (32, 16, channels)
    np.testing.assert_allclose(decoded, np.rot90(image, -1)[..., :channels], atol=8)


def test_a_jpeg_comment_without_orientation_changes_nothing(tmp_path):
    jpeg = encoded("jpg", textured())
    turned = decode_bytes(tmp_path, with_app1(jpeg, orientation(1)))
    np.testing.assert_array_equal(turned, decode_bytes(tmp_path, jpeg))


# Broken files


def assert_refused(tmp_path, content, extension="png"):
    path = tmp_path / f"broken.{extension}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"broken\.{extension}: not a readable image"):
        codec.decode(path, set())


@pytest.mark.parametrize("kept", [4, 0.1, 0.3, 0.5, 0.9, 0.99, -12, -5])
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_file_cut_short_is_refused_and_the_decoder_prints_nothing(tmp_path, capfd, extension, kept):
    """The error is the one line that a user sees, so the library below must not add its own."""
    content = encoded(extension, textured())
    assert_refused(tmp_path, content[: int(kept * len(content)) if isinstance(kept, float) else kept], extension)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kept", [0.5, 0.9, 0.99])
def test_a_photograph_cut_short_is_refused_despite_the_end_of_its_thumbnail(tmp_path, kept):
    content = with_app1(encoded("jpg", textured()), encoded("jpg", textured(8, 8)))
    assert decode_bytes(tmp_path, content).shape == (48, 64, 3)
    assert_refused(tmp_path, content[: int(kept * len(content))], "jpg")


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("content", [b"", b"\0", b"this is no image\n" * 20], ids=["empty", "one byte", "text"])
def test_what_is_no_image_inside_is_refused(tmp_path, content, extension):
    assert_refused(tmp_path, content, extension)


def png_of_million_pixels_a_side():
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 10**6, 10**6, 8, 2, 0, 0, 0))
        + chunk(b"IEND", b"")
    )


def png_with_a_flipped_byte():
    content = bytearray(encoded("png", textured()))
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


def png_with_a_hole():
    content = encoded("png", textured())
    return content[: len(content) // 2] + content[-12:]


def test_a_png_of_a_million_pixels_a_side_is_refused_by_its_header(tmp_path, capfd):
    with pytest.raises(ValueError, match="1000000x1000000 pixels, at most 134 million"):
        decode_bytes(tmp_path, png_of_million_pixels_a_side())
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("damage", [png_with_a_flipped_byte, png_with_a_hole])
def test_a_damaged_png_is_refused_and_the_decoder_prints_nothing(tmp_path, capfd, damage):
    assert_refused(tmp_path, damage())
    assert capfd.readouterr().err == ""


# Reading into one array


def test_the_file_extension_does_not_matter_to_the_decoder(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encoded("jpg", textured()))
    assert albums.read_images([path]).shape == (1, 48, 64, 3)


@pytest.mark.parametrize(
    ("second", "words"), [(grey(6), ("4x4 grey", "6x6 grey")), (rgb(4), ("4x4 grey", "4x4 RGB"))], ids=["size", "color"]
)
def test_mixed_images_are_refused_naming_both_and_the_flags(tmp_path, second, words):
    paths = [write(tmp_path / "first.png", grey(4)), write(tmp_path / "second.png", second)]
    with pytest.raises(ValueError, match=r"--size H W and --color") as error:
        albums.read_images(paths)
    for word in (str(paths[0]), str(paths[1]), *words):
        assert word in str(error.value)


def test_the_flags_bring_mixed_images_together(tmp_path):
    paths = [write(tmp_path / "a.png", grey(4)), write(tmp_path / "b.png", rgb(6))]
    assert albums.read_images(paths, size=(8, 10), color="rgb").shape == (2, 8, 10, 3)


@pytest.mark.parametrize(("color", "level"), [(RED, 76), (GREEN, 150), (BLUE, 29), ((9, 9, 9), 9)])
def test_rgb_becomes_grey_by_its_luma(color, level):
    """0.299 R + 0.587 G + 0.114 B, rounded."""
    assert codec.convert(rgb(2, color), color="grey").tolist() == [[[level]] * 2] * 2


def test_grey_becomes_rgb_by_repeating():
    np.testing.assert_array_equal(codec.convert(grey(3, 77), color="rgb"), np.full((3, 3, 3), 77))


def test_shrinking_averages_the_pixels():
    image = np.array([[0, 10, 200, 200], [20, 30, 200, 200]], np.uint8)[..., None]
    assert codec.convert(image, size=(1, 2)).tolist() == [[[15], [200]]]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(2, 8), (9, 3), (4, 4)])
def test_size_is_height_then_width(channels, size):
    image = np.full((4, 4, channels), 50, np.uint8)
    np.testing.assert_array_equal(codec.convert(image, size=size), np.full((*size, channels), 50))


def test_without_flags_nothing_is_converted():
    image = textured()
    np.testing.assert_array_equal(codec.convert(image), image)


def test_labels_are_the_place_of_the_class(tmp_path):
    for name, count in (("2", 1), ("10", 3)):
        codec.write_images(tmp_path / name, range(count), np.full((count, 4, 4, 1), int(name), np.uint8))
    images, labels = albums.read_classes(folders.list_images(tmp_path))
    assert labels.tolist() == [0, 1, 1, 1]
    assert images[:, 0, 0, 0].tolist() == [2, 10, 10, 10]


# Writing and fingerprints


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_is_read_back_exactly(tmp_path, channels):
    images = np.random.default_rng(1).integers(0, 256, (4, 5, 7, channels), dtype=np.uint8)
    codec.write_images(tmp_path / "deep" / "0", range(4), images)
    np.testing.assert_array_equal(albums.read_images(folders.list_images(tmp_path / "deep")["0"]), images)


def test_floats_are_rounded_to_the_nearest_level():
    images = np.array([-0.2, 0, 0.001, 0.002, 0.25, 0.5, 0.75, 0.999, 1, 1.7], np.float32)
    assert codec.to_uint8(images).tolist() == [0, 0, 0, 1, 64, 128, 191, 255, 255, 255]


def test_every_level_survives_the_way_to_float_and_back():
    levels = np.arange(256, dtype=np.uint8)
    floats = codec.to_float(levels)
    assert floats.dtype == np.float32
    assert (floats.min(), floats.max()) == (0, 1)
    np.testing.assert_array_equal(codec.to_uint8(floats), levels)


def test_the_fingerprint_knows_equal_arrays_however_they_lie():
    image = textured()
    assert albums.fingerprint(image) == albums.fingerprint(np.asfortranarray(image))


@pytest.mark.parametrize("change", ["pixel", "dtype", "shape", "order"])
def test_the_fingerprint_changes_with(change):
    images = np.arange(12, dtype=np.uint8).reshape(2, 6)
    other = {
        "pixel": np.where(images == 5, 6, images).astype(np.uint8),
        "dtype": images.astype(np.int8),
        "shape": images.reshape(3, 4),
        "order": images[::-1],
    }[change]
    assert albums.fingerprint(images) != albums.fingerprint(other)


def test_names_that_count_alike_have_one_order_and_other_digits_are_letters():
    assert sorted(["1", "001", "2", "01", "²"], key=folders.natural_key) == ["001", "01", "1", "2", "²"]


def make_album(root, count=7, shape=(6, 4, 3)):
    images = np.random.default_rng(0).integers(256, size=(count, *shape), dtype=np.uint8)
    codec.write_images(root / "a", range(count), images)
    return images, [root / "a" / f"{k}.png" for k in range(count)]


def test_an_album_gives_what_was_written_page_by_page(tmp_path):
    images, paths = make_album(tmp_path)
    album = albums.Album(paths)
    assert len(album) == 7
    assert album.shape == images.shape
    np.testing.assert_array_equal(album[[5, 0, 5]], codec.to_float(images[[5, 0, 5]]))
    paths[2].unlink()  # it holds no images
    with pytest.raises(FileNotFoundError):
        album[[2]]


def test_an_album_has_the_fingerprint_of_its_array(tmp_path):
    images, paths = make_album(tmp_path)
    labels = np.arange(7)
    assert albums.Album(paths).fingerprint(labels) == albums.fingerprint(images, labels)
    assert albums.Album(paths).fingerprint() == albums.fingerprint(images)
    scaled = albums.read_images(paths, (3, 3), "grey")
    album = albums.Album(paths, (3, 3), "grey")
    assert album.shape == (7, 3, 3, 1)
    assert album.fingerprint(labels) == albums.fingerprint(scaled, labels)


def test_albums_in_memory_and_of_files_give_the_same(tmp_path, monkeypatch):
    images, paths = make_album(tmp_path)
    files = {"a": paths[:4], "b": paths[4:]}
    in_memory, labels = albums.open_classes(files)
    monkeypatch.setattr(albums, "MOST_BYTES", 7 * 6 * 4 * 3 - 1)
    of_files, _ = albums.open_classes(files)
    assert isinstance(in_memory, albums.ArrayAlbum)
    assert isinstance(of_files, albums.Album)
    assert labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
    for album in (in_memory, of_files):
        assert len(album) == 7
        assert album.shape == (7, 6, 4, 3)
        assert album.fingerprint(labels) == albums.fingerprint(images, labels)
        assert album[[6, 2]].dtype == np.float32
        np.testing.assert_array_equal(album[[6, 2]], codec.to_float(images[[6, 2]]))


def test_an_album_in_memory_copies_neither_its_images_nor_makes_them_float(tmp_path):
    images = np.zeros((1000, 64, 64, 3), np.uint8)  # 12 MB
    album = albums.ArrayAlbum(images)
    tracemalloc.start()
    album.fingerprint(np.arange(1000))
    album[np.arange(32)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < images.nbytes / 2


def test_binary_albums_in_memory_and_of_files_give_the_same(tmp_path, caplog):
    images, paths = make_album(tmp_path)
    expected = (images > 127).astype(np.float32)
    with caplog.at_level("INFO"):
        for album in (albums.ArrayAlbum(images), albums.Album(paths)):
            binary = albums.binary(album, "here")
            np.testing.assert_array_equal(binary[[3, 0]], expected[[3, 0]])
            assert binary.shape == images.shape
    assert [record.message for record in caplog.records] == [
        "here: grey levels binarised at 0.5",
        "here: images binarised at 0.5",
    ]
    # As runs of binary images were fingerprinted before there were albums in memory.
    binary = albums.binary(albums.ArrayAlbum(images), "here")
    assert binary.fingerprint() == albums.fingerprint(codec.to_uint8(expected))


def test_an_album_refuses_an_odd_or_broken_file_before_it_is_needed(tmp_path):
    _, paths = make_album(tmp_path)
    codec.write_image(paths[6], np.zeros((5, 5, 3), np.uint8))
    with pytest.raises(ValueError, match=r"6.png: 5x5 RGB, but .*0.png is 6x4 RGB; .*--size"):
        albums.Album(paths)
    paths[6].write_bytes(b"GIF")
    with pytest.raises(ValueError, match=r"6.png: not a readable image"):
        albums.Album(paths)


def test_an_album_says_conversions_once(tmp_path, caplog):
    _, paths = make_album(tmp_path)
    paths[3].write_bytes(encoded("png", np.full((6, 4, 4), 128, np.uint8)))
    with caplog.at_level("INFO"):
        album = albums.Album(paths)
        album[[3]], album[[3]]
    assert [record.message for record in caplog.records] == [f"{tmp_path}: transparency laid on white (1 of 7 files)"]


def test_a_writer_has_written_all_when_it_is_left(tmp_path):
    images = np.arange(20 * 4, dtype=np.uint8).reshape(20, 2, 2, 1)
    with codec.Writer() as write:
        for k in range(20):
            write(tmp_path / "a", [k], images[k : k + 1])
    np.testing.assert_array_equal(albums.read_images([tmp_path / "a" / f"{k}.png" for k in range(20)]), images)


def test_a_writer_raises_what_went_wrong(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(FileExistsError), codec.Writer() as write:
        write(tmp_path / "a", [0], np.zeros((1, 2, 2, 1), np.uint8))


def test_an_error_of_its_caller_goes_before_those_of_a_writer(tmp_path):
    (tmp_path / "a").touch()

    def fail():
        with codec.Writer() as write:
            write(tmp_path / "a", [0], np.zeros((1, 2, 2, 1), np.uint8))
            raise KeyError

    with pytest.raises(KeyError):
        fail()


def test_binary_images_are_1_above_half_and_grey_levels_are_said(caplog):
    with caplog.at_level("INFO", "images"):
        found = albums.binarise(np.array([[0, 1, 127, 128, 255]], np.uint8), "data/train")
        assert found.dtype == np.float32
        assert found.tolist() == [[0, 0, 0, 1, 1]]
        assert "data/train: grey levels binarised at 0.5" in caplog.text
        caplog.clear()
        assert albums.binarise(np.array([[0, 255]], np.uint8), "data/train").tolist() == [[0, 1]]
        assert albums.binarise(np.empty((0, 2), np.uint8), "data/train").shape == (0, 2)
        assert not caplog.text


def test_classes_have_one_order_however_a_system_writes_their_names(tmp_path):
    for part, form in (("train", "NFD"), ("test", "NFC")):
        for name in ("éclair", "fox"):
            codec.write_images(
                tmp_path / part / unicodedata.normalize(form, name), ["1"], np.zeros((1, 4, 4, 1), np.uint8)
            )
    train, test = (list(folders.list_images(tmp_path / part)) for part in ("train", "test"))
    assert train == test == ["fox", "éclair"]


def test_images_beside_folders_are_listed_too(tmp_path):
    image = np.zeros((1, 4, 4, 1), np.uint8)
    codec.write_images(tmp_path / "photos", ["a", "b"], np.repeat(image, 2, axis=0))
    codec.write_images(tmp_path / "photos" / "old", ["c"], image)
    (tmp_path / "photos" / "nothing").mkdir()
    found = {
        name: [path.name for path in paths] for name, paths in folders.list_unlabelled(tmp_path / "photos").items()
    }
    assert found == {"old": ["c.png"], "photos": ["a.png", "b.png"]}
    assert list(folders.list_unlabelled(tmp_path / "photos" / "old")) == ["old"]
    assert folders.list_unlabelled(tmp_path / "photos" / "nothing") == {}


def test_images_that_have_labels_are_left_out_by_whatever_path_they_are_reached(tmp_path):
    image = np.zeros((2, 4, 4, 1), np.uint8)
    codec.write_images(tmp_path / "data/cat", ["a", "b"], image)
    (tmp_path / "more").symlink_to(tmp_path / "data", target_is_directory=True)
    labelled = {"cat": [tmp_path / "data/../data/cat/a.png"]}
    found = folders.list_unlabelled(tmp_path / "more", without=labelled)
    assert {name: [path.name for path in paths] for name, paths in found.items()} == {"cat": ["b.png"]}
