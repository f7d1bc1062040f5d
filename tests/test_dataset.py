"""What a grid's folder is bound to: its data, its settings, and how both are checked when it goes on."""

import json
import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from grid import dataset

SETTINGS = {"steps": 2}


def write_images(root, seed):
    """Two classes of three training and three test images as BMP, whose size does not depend on what they show."""
    rng = np.random.default_rng(seed)
    for part in ("train", "test"):
        for name in "01":
            (root / part / name).mkdir(parents=True, exist_ok=True)
            for k in range(3):
                pixels = rng.integers(0, 255, (8, 8), np.uint8)
                (root / part / name / f"{k}.bmp").write_bytes(cv2.imencode(".bmp", pixels)[1].tobytes())


@pytest.fixture
def args(tmp_path):
    write_images(tmp_path / "data", seed=0)
    return SimpleNamespace(path=str(tmp_path / "data"), source=None, dataset=None)


@pytest.fixture
def root(tmp_path, args):
    """A grid's folder on those images."""
    (tmp_path / "grid").mkdir()
    dataset.claim(tmp_path / "grid", args, SETTINGS)
    return tmp_path / "grid"


def test_a_grid_goes_on_with_its_data_wherever_that_lies(root, args, tmp_path):
    dataset.claim(root, args, SETTINGS)
    (tmp_path / "data").rename(tmp_path / "moved")
    args.path = str(tmp_path / "moved")
    dataset.claim(root, args, SETTINGS)
    assert dataset.read(root)["name"] == "data"


def test_images_replaced_under_the_same_names_and_sizes_are_refused(root, args, tmp_path):
    before = {path: path.stat().st_size for path in (tmp_path / "data").rglob("*.bmp")}
    write_images(tmp_path / "data", seed=1)
    assert before == {path: path.stat().st_size for path in (tmp_path / "data").rglob("*.bmp")}
    with pytest.raises(ValueError, match=r"made with data contents\.train\.0=.*give another --out"):
        dataset.claim(root, args, SETTINGS)


def test_one_byte_is_enough_and_its_part_and_class_are_named(root, args, tmp_path):
    path = tmp_path / "data/test/1/2.bmp"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match=r"data contents\.test\.1="):
        dataset.claim(root, args, SETTINGS)


def test_a_folder_whose_grid_noted_names_and_sizes_only_goes_on(root, args, tmp_path):
    grid = json.loads((root / "grid.json").read_text())
    del grid["data"]["contents"]
    (root / "grid.json").write_text(json.dumps(grid))
    dataset.claim(root, args, SETTINGS)
    assert json.loads((root / "grid.json").read_text()) == grid
    (tmp_path / "data/train/0/0.bmp").write_bytes(b"BM")
    with pytest.raises(ValueError, match="made with data images="):
        dataset.claim(root, args, SETTINGS)


def test_the_part_that_picks_weights_is_part_of_the_data(root, args, tmp_path):
    shutil.copytree(tmp_path / "data/test", tmp_path / "data/validation")
    dataset.claim(root, args, SETTINGS)  # a grid that was begun without it goes on
    (tmp_path / "other").mkdir()
    dataset.claim(tmp_path / "other", args, SETTINGS)
    write_images(tmp_path / "more", seed=3)
    shutil.copy(tmp_path / "more/test/1/2.bmp", tmp_path / "data/validation/1/2.bmp")
    with pytest.raises(ValueError, match=r"data contents\.validation\.1="):
        dataset.claim(tmp_path / "other", args, SETTINGS)


@pytest.mark.parametrize("text", ["", "{}", "[]", "3", '{"settings": []}', '{"settings": {}, "data": {}, "name": 1}'])
def test_a_broken_grid_file_is_one_line_that_names_it(root, args, text):
    (root / "grid.json").write_text(text)
    for use in (lambda: dataset.claim(root, args, SETTINGS), lambda: dataset.paper_of(root)):
        with pytest.raises(ValueError, match=r"grid/grid\.json: not ") as caught:
            use()
        assert "\n" not in str(caught.value)
