"""Kinds of image files: which are read, which way up, and which are refused before they are decoded."""

import io
import os
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from images import codec, formats

# Which corner the picture's upper left corner is stored in, as the EXIF standard numbers the eight ways.
UPRIGHT = (np.arange(15 * 20).reshape(15, 20) // 2).astype(np.uint8)
STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.T,
    6: UPRIGHT.T[::-1],
    7: UPRIGHT.T[::-1, ::-1],
    8: UPRIGHT.T[:, ::-1],
}


def saved(path, image, **options):
    Image.fromarray(image).save(path, **options)
    return path


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(("extension", "options"), [("jpg", {}), ("png", {}), ("webp", {"lossless": True})])
def test_photographs_are_turned_upright_all_eight_ways(tmp_path, extension, options, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / f"a.{extension}", np.ascontiguousarray(STORED[orientation]), exif=exif, **options)
    decoded = codec.decode(path, set())[..., 0]
    assert decoded.shape == UPRIGHT.shape
    np.testing.assert_allclose(decoded.astype(int), UPRIGHT, atol=8 if extension == "jpg" else 0)


@pytest.mark.parametrize("orientation", [0, 9, 1000])
def test_an_orientation_that_does_not_exist_turns_nothing(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(codec.decode(saved(tmp_path / "a.png", UPRIGHT, exif=exif), set())[..., 0], UPRIGHT)


@pytest.mark.parametrize("extension", ["tif", "gif", "pgm", "png", "bmp"])
def test_grey_files_keep_their_levels(tmp_path, extension):
    decoded = codec.decode(saved(tmp_path / f"a.{extension}", UPRIGHT), set())
    np.testing.assert_array_equal(decoded, np.broadcast_to(UPRIGHT[..., None], decoded.shape))


def test_of_a_moving_gif_the_first_frame_is_read_and_said(tmp_path):
    frames = [Image.fromarray(np.full((4, 4), level, np.uint8)) for level in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    notes = set()
    assert np.unique(codec.decode(tmp_path / "a.gif", notes)).tolist() == [10]
    assert "first of several frames" in notes


@pytest.mark.parametrize(
    ("white", "levels", "expected"), [(15, (0, 5, 15), [0, 85, 255]), (1, (0, 1, 1), [0, 255, 255])]
)
def test_a_pgm_says_which_level_is_white(tmp_path, white, levels, expected):
    (tmp_path / "a.pgm").write_bytes(b"P5\n3 1\n%d\n" % white + bytes(levels))
    assert codec.decode(tmp_path / "a.pgm", set()).ravel().tolist() == expected


def bmp_with_v4_header(alpha):
    """A BMP of 2x1 pixels, 32 bits each, whose header names a channel for alpha."""
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, 2, 1, 1, 32, 3, 8, 0, 0, 0, 0) + masks + b"sRGB" + bytes(48)
    pixels = bytes([30, 20, 10, alpha, 60, 50, 40, alpha])
    return b"BM" + struct.pack("<IHHI", 14 + len(header) + len(pixels), 0, 0, 14 + len(header)) + header + pixels


@pytest.mark.parametrize("alpha", [0, 255])
def test_an_alpha_channel_of_a_bmp_that_is_nowhere_filled_in_is_no_transparency(tmp_path, alpha):
    (tmp_path / "a.bmp").write_bytes(bmp_with_v4_header(alpha))
    assert codec.decode(tmp_path / "a.bmp", set())[0].tolist() == [[10, 20, 30], [40, 50, 60]]


def test_a_png_that_is_transparent_everywhere_is_white(tmp_path):
    assert codec.decode(saved(tmp_path / "a.png", np.zeros((2, 2, 4), np.uint8)), set()).min() == 255


@pytest.mark.parametrize("extension", ["png", "webp", "tif"])
def test_what_fades_in_is_laid_on_white_alike_in_every_format(tmp_path, extension):
    image = np.full((2, 8, 4), 200, np.uint8)
    image[..., 3] = [0, 20, 60, 110, 160, 210, 240, 255]
    options = {"webp": {"lossless": True, "exact": True}}.get(extension, {})
    found = codec.decode(saved(tmp_path / f"a.{extension}", image, **options), set())
    expected = np.rint(255 - 55.0 * image[..., 3:] / 255)
    np.testing.assert_allclose(found, np.repeat(expected, 3, axis=-1), atol=1)


# Damage


def photograph():
    smooth = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (150, 200, 3), np.uint8), (0, 0), 3)
    return cv2.imencode(".jpg", smooth)[1].tobytes()


def with_thumbnail(jpeg):
    """The end marker of the thumbnail stands where a search for the file's own finds it."""
    thumbnail = cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1].tobytes()
    segment = b"Exif\0\0" + thumbnail
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def zeros_at_the_end():
    content = with_thumbnail(photograph())
    return content[: len(content) // 2] + bytes(len(content) - len(content) // 2)


def a_marker_in_the_middle():
    content = bytearray(photograph())
    content[len(content) // 2 : len(content) // 2 + 2] = b"\xff\xc4"
    return bytes(content)


def no_end_marker():
    return with_thumbnail(photograph())[:-2]


@pytest.mark.parametrize("damage", [zeros_at_the_end, a_marker_in_the_middle, no_end_marker])
def test_a_damaged_jpeg_is_refused_by_name_and_the_decoder_prints_nothing(tmp_path, capfd, damage):
    (tmp_path / "a.jpg").write_bytes(damage())
    with pytest.raises(ValueError, match=r"a\.jpg: not a readable image"):
        formats.load(tmp_path / "a.jpg", set())
    assert capfd.readouterr().err == ""


def test_a_jpeg_has_the_pixels_that_opencv_gives_it(tmp_path):
    """Fingerprints of finished runs were made of these."""
    (tmp_path / "a.jpg").write_bytes(with_thumbnail(photograph()))
    expected = cv2.imdecode(np.frombuffer(photograph(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(formats.load(tmp_path / "a.jpg", set()), expected)


def bomb(extension, side=2**16):
    """A file whose header asks for 4,294 million pixels."""
    if extension == "jpg":
        content = bytearray(photograph())
        place = content.index(b"\xff\xc0")
        content[place + 5 : place + 9] = struct.pack(">HH", 65500, 65500)
        return bytes(content)
    if extension == "pgm":
        return b"P5\n%d %d\n255\n" % (side, side) + bytes(100)
    output = io.BytesIO()
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(output, {"tif": "TIFF", "bmp": "BMP", "gif": "GIF"}[extension])
    content = bytearray(output.getvalue())
    if extension == "gif":
        content[6:10] = struct.pack("<HH", 65535, 65535)
    elif extension == "bmp":
        content[18:26] = struct.pack("<ii", side, side)
    else:
        for tag in (256, 257):
            place = content.index(struct.pack("<HH", tag, 4)) if struct.pack("<HH", tag, 4) in content else -1
            place = place if place >= 0 else content.index(struct.pack("<HH", tag, 3))
            content[place + 2 : place + 12] = struct.pack("<HII", 4, 1, side)
    return bytes(content)


@pytest.mark.parametrize("extension", ["jpg", "gif", "pgm", "tif", "bmp"])
def test_too_many_pixels_are_refused_by_the_header(tmp_path, extension, capfd, recwarn):
    path = tmp_path / f"a.{extension}"
    path.write_bytes(bomb(extension))
    with pytest.raises(ValueError, match=r"a\.\w+: \d+x\d+ pixels, at most 134 million are read"):
        formats.load(path, set())
    assert capfd.readouterr().err == ""
    assert not recwarn


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ValueError, match=r"pipe\.png: not a regular file"):
        formats.load(tmp_path / "pipe.png", set())
