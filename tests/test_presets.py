"""The presets of --aug: their laws, image by image, their movements by hand, and their flags."""

import dataclasses
import json

import numpy as np
import pytest
from conftest import write_digits
from scipy import stats

import train_cnn
import train_cnn_flags
from cnn import appearance, hand_made, warps
from cnn.augmentation import ImageDataGenerator
from cnn.presets import PRESETS, Preset

pytestmark = pytest.mark.filterwarnings("ignore:Please (import|use) `affine_transform`:DeprecationWarning")
HAND_MADE = [name for name in PRESETS if name != "suitable"]


def blob(height=28, width=28, row=13.5, column=13.5, sigma=4.0, channels=1):
    """A smooth bright spot, float32 `(height, width, channels)`."""
    rows, columns = np.mgrid[:height, :width]
    spot = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * sigma**2))
    return np.repeat(spot[..., None], channels, axis=-1).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", HAND_MADE)
def test_each_image_is_drawn_for_itself_and_the_seed_decides(name, channels):
    images = np.repeat(blob(20, 28, 8, 12, channels=channels)[None], 12, axis=0)
    before, transform = images.copy(), hand_made.HandMade(PRESETS[name], 3)
    first, second = transform(images), transform(images)
    assert (first.shape, first.dtype) == (images.shape, np.float32)
    assert first.min() >= 0
    assert first.max() <= 1
    np.testing.assert_array_equal(images, before)
    assert len({image.tobytes() for image in (*first, *second)}) > 12  # of 24; thickness alone keeps a quarter
    again = hand_made.HandMade(PRESETS[name], 3)
    np.testing.assert_array_equal(again(images), first)
    np.testing.assert_array_equal(again(images), second)
    assert not np.array_equal(hand_made.HandMade(PRESETS[name], 4)(images), first)


# Which parts a preset calls


def fixed_field(size, calls):
    """A deformation like those of `warps`: notes its settings; pixels come from `size` columns further right."""

    def field(*arguments):
        *settings, count, height, width, _ = arguments
        calls.append(tuple(settings))
        return np.broadcast_to(np.array([0, size], np.float32), (count, height, width, 2))

    return field


@pytest.fixture
def fields(monkeypatch):
    """No affine maps, and deformations that move by one pixel, in columns, and note that they were asked for."""

    def identity(preset, count, height, width, rng):
        return np.tile(np.eye(2, dtype=np.float32), (count, 1, 1)), np.zeros((count, 2), np.float32)

    calls = {"elastic": [], "smooth": []}
    monkeypatch.setattr(warps, "affine", identity)
    for name, made in calls.items():
        monkeypatch.setattr(warps, name, fixed_field(1, made))
    return calls


@pytest.mark.parametrize("name", HAND_MADE)
def test_a_preset_moves_pixels_by_its_own_deformation(name, fields):
    images = np.random.default_rng(0).random((2, 6, 7, 1), dtype=np.float32)
    moved = hand_made.move(images, PRESETS[name], np.random.default_rng(0))
    expected = {"elastic": {"elastic": [()]}, "stroke": {"smooth": [(1.7 / 28,)]}}.get(name, {})
    assert fields == {"elastic": [], "smooth": []} | expected
    right = np.concatenate([images[:, :, 1:], images[:, :, -1:]], axis=2)  # the border repeats
    np.testing.assert_allclose(moved, right if expected else images, atol=1e-6)


@pytest.mark.parametrize("name", HAND_MADE)
def test_a_preset_changes_looks_by_its_own_part(name, monkeypatch):
    calls = []

    def noting(part):
        return lambda images, *_: calls.append(part) or images

    for part in ("thickness", "colours"):
        monkeypatch.setattr(appearance, part, noting(part))
    hand_made.HandMade(PRESETS[name], 0)(np.zeros((2, 8, 8, 1), np.float32))
    strokes = ("thickness", "mild-thickness", "stroke")
    assert calls == ["thickness"] * (name in strokes) + ["colours"] * (name == "photographs")


@pytest.mark.parametrize("preset", [Preset(elastic=True), Preset(warp=0.1), Preset(flip=True)], ids=str)
def test_a_deformation_or_a_flip_alone_moves_pixels(preset):
    images = np.repeat(blob(row=9, column=16)[None], 8, axis=0)
    made = hand_made.HandMade(preset, 0)(images)
    assert any(not np.allclose(image, images[0], atol=0.01) for image in made)
    if preset.flip:
        mirrored = [np.allclose(image, images[0, :, ::-1], atol=1e-6) for image in made]
        kept = [np.allclose(image, images[0], atol=1e-6) for image in made]
        assert sum(mirrored) + sum(kept) == len(images)
        assert 0 < sum(mirrored) < len(images)


# Affine maps


def test_pixels_move_where_the_generator_moves_them():
    rng, shape = np.random.default_rng(0), (28, 28)
    images = rng.random((3, *shape, 2), dtype=np.float32)
    preset = Preset(rotation=15, shear=10, shift=0.1, zoom=0.1)
    draws = {"theta": [13.0, -4.0, 0.0], "shear": [7.0, 0.0, -9.0], "t": [[2.2, -1.1], [0, 2], [1, 0]]}
    zooms = [[1.1, 0.9], [1.0, 0.95], [0.9, 1.0]]

    class Drawn:
        """Gives the numbers above in the order in which they are asked for."""

        def __init__(self):
            shifts = np.array(draws["t"]) / shape
            self.values = iter([np.array(draws["theta"]), np.array(draws["shear"]), shifts, np.array(zooms)])

        def uniform(self, *_):
            return next(self.values)

    matrices, offsets = warps.affine(preset, 3, *shape, Drawn())
    found = warps.sample(images, warps.apply(matrices, offsets, warps.grid(*shape)[None]))
    for k, image in enumerate(images):
        (ty, tx), (zy, zx) = draws["t"][k], zooms[k]  # the generator's x goes along the columns
        settings = {"theta": draws["theta"][k], "shear": draws["shear"][k], "tx": tx, "ty": ty, "zx": zx, "zy": zy}
        expected = ImageDataGenerator().apply_transform(image, settings)
        np.testing.assert_allclose(found[k], expected, atol=2e-4)


@pytest.mark.parametrize("name", ["mild", "elastic", "mild-thickness", "stroke"])
def test_ranges_of_the_mild_map_are_filled_evenly(name):
    matrices, offsets = warps.affine(PRESETS[name], 4000, 28, 28, np.random.default_rng(1))
    # M = R S Z, and R S turns the second axis by the angle: column 1 is zoom (sin, cos)
    theta = np.arctan2(matrices[:, 0, 1], matrices[:, 1, 1])
    assert stats.kstest(theta, stats.uniform(-np.deg2rad(15), 2 * np.deg2rad(15)).cdf).pvalue > 0.01
    zoom = np.hypot(matrices[:, 0, 1], matrices[:, 1, 1])
    assert stats.kstest(zoom, stats.uniform(0.9, 0.2).cdf).pvalue > 0.01
    turned = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])  # back
    shift = np.einsum("ijn,nj->ni", turned, offsets)
    for axis in shift.T:
        assert stats.kstest(axis, stats.uniform(-2.8, 5.6).cdf).pvalue > 0.01
    sheared = np.einsum("ijn,nj->ni", turned, matrices[:, :, 0])
    shear = np.arctan2(-sheared[:, 1], sheared[:, 0])
    assert stats.kstest(shear, stats.uniform(-np.deg2rad(10), 2 * np.deg2rad(10)).cdf).pvalue > 0.01


def test_interpolation_by_hand():
    image = np.array([[[0.0], [1.0]], [[2.0], [4.0]]], np.float32)[None]
    positions = np.array([[[0.5, 0.5], [0, 0.25], [-3, 9], [1, 1]]], np.float32)[None]
    np.testing.assert_allclose(warps.sample(image, positions)[0, 0, :, 0], [1.75, 0.25, 1.0, 4.0])


# Deformations


def test_elastic_deformation_has_the_published_size():
    field = warps.elastic(60, 29, 29, np.random.default_rng(0))[:, 10:19, 10:19]  # far from where the noise ends
    # Deviation of the noise 1/sqrt(3), of the mean over a Gaussian of 4 pixels 1/(2 sqrt(pi) 4) of it, times 34
    assert field.std() == pytest.approx(34 / np.sqrt(3) / (8 * np.sqrt(np.pi)), rel=0.1)
    assert np.abs(field.mean(axis=0)).max() < 1.0  # about 1.4 / sqrt(60) each
    assert abs(np.corrcoef(field[..., 0].ravel(), field[..., 1].ravel())[0, 1]) < 0.2


@pytest.mark.parametrize("shape", [(28, 28), (20, 32)], ids=str)
def test_smooth_warp_has_its_size_and_never_folds(shape, monkeypatch):
    velocities = []

    def keep(velocity):
        velocities.append(velocity)
        return exponential(velocity)

    exponential = warps.exponential
    monkeypatch.setattr(warps, "exponential", keep)
    moved = warps.smooth(1.7 / 28, 300, *shape, np.random.default_rng(0))
    lengths = np.square(velocities[0]).sum(axis=-1)
    assert np.sqrt(lengths.mean()) == pytest.approx(1.7 / 28 * min(shape), rel=0.03)
    where = warps.grid(*shape) + moved
    down, right = np.diff(where, axis=1)[:, :, :-1], np.diff(where, axis=2)[:, :-1]
    jacobian = down[..., 0] * right[..., 1] - down[..., 1] * right[..., 0]
    assert jacobian.min() > 0
    velocity_of_minus = exponential(-velocities[0])
    back = where + warps.sample(velocity_of_minus, where)
    inside = ((where >= 0) & (where <= np.array(shape) - 1)).all(axis=-1)
    missed = np.abs(back - warps.grid(*shape))[inside]
    assert np.quantile(missed, 0.999) < 0.2  # pixels: the inverse is that of minus the velocity


def test_exponential_of_a_constant_velocity_is_a_shift_and_of_a_linear_one_its_exponential():
    constant = np.full((1, 9, 9, 2), 0.75, np.float32)
    np.testing.assert_allclose(warps.exponential(constant), constant, rtol=1e-6)
    from_middle = warps.grid(33, 33)[None] - 16
    grown = warps.exponential(-0.3 * from_middle)  # shrinks, so that nothing comes from outside
    np.testing.assert_allclose(grown, (np.exp(-0.3) - 1) * from_middle, atol=0.1)


# Strokes, crops, colours


def line(width):
    image = np.zeros((28, 28, 1), np.float32)
    image[:, 12 : 12 + width] = 1
    return image


def test_a_quarter_of_the_images_is_kept_dilated_eroded_and_thresholded():
    image = np.random.default_rng(1).random((1, 14, 14, 1), dtype=np.float32)
    made = appearance.thickness(np.repeat(image, 4000, axis=0), np.random.default_rng(0))
    equal, more, less = ((made == image), (made >= image), (made <= image))
    kept, dilated, eroded = (part.all(axis=(1, 2, 3)) for part in (equal, more, less))
    dilated, eroded = dilated & ~kept, eroded & ~kept
    for share in (kept, dilated, eroded):
        assert share.mean() == pytest.approx(0.25, abs=0.03)
    # The pixel at (5, 5) and those above and left of it: the most and the least of the square, blended in evenly
    square = image[0, 4:6, 4:6, 0]
    for found, extreme in ((made[dilated], square.max()), (made[eroded], square.min())):
        assert extreme != square[1, 1]
        shares = (found[:, 5, 5, 0] - square[1, 1]) / (extreme - square[1, 1])
        assert stats.kstest(shares, stats.uniform(0, 1).cdf).pvalue > 0.01
    np.testing.assert_allclose(made[~kept & ~dilated & ~eroded].max(axis=(1, 2, 3)), image.max(), rtol=1e-5)


def test_a_threshold_thins_or_thickens_bright_strokes():
    thick, thin = (appearance._thresholded(line(3), 1.0, t).sum() for t in (0.3, 0.7))
    assert thin < 3 * 28 < thick
    np.testing.assert_array_equal(appearance._thresholded(np.full((8, 8, 1), 0.5, np.float32), 1.0, 0.4), 0.5)


def test_flip_crop_takes_every_window_and_mirrors_half():
    image = np.arange(1, 65, dtype=np.float32).reshape(8, 8, 1) / 64
    images = np.repeat(image[None], 4000, axis=0)
    made = hand_made.HandMade(PRESETS["flip-crop"], 0)(images)
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    windows = {}
    for top in range(3):
        for left in range(3):
            window = padded[top : top + 8, left : left + 8]
            windows[window.tobytes()] = top, left, 0
            windows[np.ascontiguousarray(window[:, ::-1]).tobytes()] = top, left, 1
    assert len(windows) == 18
    counts = np.unique([list(windows).index(image.tobytes()) for image in made], return_counts=True)[1]
    assert len(counts) == 18
    assert stats.chisquare(counts).pvalue > 0.001


def test_photographs_flips_half_of_the_images_and_stays_inside_them():
    matrices, offsets = warps.affine(PRESETS["photographs"], 2000, 32, 48, np.random.default_rng(0))
    flipped = matrices[:, 1, 1] < 0
    assert flipped.mean() == pytest.approx(0.5, abs=0.04)
    zoom = np.hypot(matrices[:, 0, 0], matrices[:, 1, 0])
    assert stats.kstest(zoom, stats.uniform(0.7, 0.3).cdf).pvalue > 0.01
    theta = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])  # a flip leaves the first column alone
    assert stats.kstest(theta, stats.uniform(-np.deg2rad(10), 2 * np.deg2rad(10)).cdf).pvalue > 0.01
    upright, offsets = warps.affine(Preset(crop=0.7), 2000, 32, 48, np.random.default_rng(0))
    corners = np.array([[0, 0], [31, 47]], np.float32).reshape(1, 1, 2, 2)
    where = warps.apply(upright, offsets, warps.grid(32, 48)[None])[:, [0, -1], [0, -1]]
    assert (where >= corners[0, 0, 0] - 0.6).all()
    assert (where <= corners[0, 0, 1] + 0.6).all()


def test_colours_change_each_image_by_its_own_contrast_saturation_and_brightness():
    rng, preset = np.random.default_rng(0), PRESETS["photographs"]
    images = np.repeat(0.4 + 0.2 * rng.random((1, 6, 6, 3), dtype=np.float32), 2000, axis=0)
    made = appearance.colours(images, dataclasses.replace(preset, saturation=0.0), rng)
    factor = (made.max(axis=(1, 2, 3)) - made.min(axis=(1, 2, 3))) / (images[0].max() - images[0].min())
    assert stats.kstest(factor, stats.uniform(0.8, 0.4).cdf).pvalue > 0.01
    added = made.mean(axis=(1, 2, 3)) - images[0].mean()
    assert stats.kstest(added, stats.uniform(-0.2, 0.4).cdf).pvalue > 0.01
    made = appearance.colours(images, dataclasses.replace(preset, brightness=0.0, contrast=0.0), rng)
    grey = images[0] @ appearance.GREY
    np.testing.assert_allclose(made[5] @ appearance.GREY, grey, atol=1e-5)  # saturation leaves brightness
    share = (made[:, 0, 0, 0] - grey[0, 0]) / (images[0, 0, 0, 0] - grey[0, 0])
    assert stats.kstest(share, stats.uniform(0.7, 0.6).cdf).pvalue > 0.01


# Flags


def test_flags():
    parse = train_cnn.parse_args
    assert parse([]).aug is None
    assert parse(["--aug"]).aug == parse(["--bad"]).aug == parse(["--aug", "suitable"]).aug == "suitable"
    assert parse(["--aug", "stroke", "-vae", "gen"]).aug == "stroke"
    assert train_cnn_flags.default_out(parse(["--aug", "stroke"])) == "runs/aug-stroke-fair-100-seed42"
    assert train_cnn_flags.default_out(parse(["--aug"])) == "runs/aug-fair-100-seed42"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--aug", "wild"], "invalid choice: 'wild'"),
        (["--aug", "mild", "--bad"], "--bad: inexpert settings take the place of --aug mild; give one of them"),
        (["--aug", "mild", "--augmenter", "graph"], "--augmenter graph: goes with --aug; the layer rotates and shifts"),
        (["--aug", "--augmenter", "graph", "--mix", "mixup"], "--augmenter graph: its layer comes after --mix"),
        (
            ["--aug", "--augmenter", "graph", "-deform", "d"],
            "--augmenter graph: its layer comes after --mix and -deform",
        ),
    ],
)
def test_flags_that_do_not_go_together(flags, words, capsys):
    with pytest.raises(SystemExit) as ended:
        train_cnn.parse_args(flags)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_trained_with_a_preset(tmp_path, monkeypatch):
    from cnn import models

    write_digits(tmp_path / "data", side=8)
    monkeypatch.setitem(models.TABLE, "flat", models.Classifier("flat net", "toy_net:build", least_batch=1))
    flags = ["-path", tmp_path / "data", "--model", "flat", "--aug", "stroke", "--steps", 4, "-limtr", 4]
    train_cnn.main([str(flag) for flag in (*flags, "--out", tmp_path / "run")])
    assert json.loads((tmp_path / "run" / "result.json").read_text())["arm"] == "AUG"
    assert json.loads((tmp_path / "run" / "config.json").read_text())["settings"]["aug"] == "stroke"
