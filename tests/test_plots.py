"""Pictures of awkward names and many classes."""

import os

import cv2
import numpy as np
import pandas as pd
import pytest

from common import plots


@pytest.mark.parametrize("names", [["$\\frac$", "_hidden"], [f"class {k}" for k in range(60)]], ids=["odd", "many"])
def test_any_class_names_can_be_drawn(tmp_path, names):
    count = len(names)
    plots.confusion(tmp_path / "confusion.png", np.eye(count, dtype=int), names, "$1: title")
    plots.latent_space(tmp_path / "latent.png", np.eye(count, 2), np.arange(count), names, names[0])
    for picture in ("confusion.png", "latent.png"):
        assert max(cv2.imread(str(tmp_path / picture)).shape) < 5000


def test_contact_sheet_lays_images_out_in_rows_on_white(tmp_path):
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1).repeat(56, axis=1).repeat(56, axis=2)
    plots.contact_sheet(tmp_path / "sheet.png", images, columns=3)
    sheet = cv2.imread(str(tmp_path / "sheet.png"), cv2.IMREAD_UNCHANGED)
    assert sheet.shape == (2 * 58 + 2, 3 * 58 + 2)
    assert [sheet[2, 2 + 58 * k] for k in range(3)] == [0, 1, 2]
    assert [sheet[60, 2 + 58 * k] for k in range(3)] == [3, 4, 255]


def test_a_name_that_is_not_utf_8_is_drawn_with_a_question_mark(tmp_path):
    name = os.fsdecode(b"gr\xf6\xdfe")
    assert plots.plain(name) == "gr??e"
    plots.latent_space(tmp_path / "latent.png", np.zeros((2, 2)), np.array([0, 1]), [name, "b"], name)
    plots.confusion(tmp_path / "confusion.png", np.eye(2), [name, "b"], "title")
    assert (tmp_path / "latent.png").stat().st_size > 0


def test_a_curve_of_one_epoch_is_a_dot(tmp_path):
    def colored(values):
        plots.curves(tmp_path / "curves.png", pd.DataFrame({"epoch": [1], "loss": values}), [("title", ["loss"])])
        image = cv2.imread(str(tmp_path / "curves.png")).astype(int)
        return np.count_nonzero(np.ptp(image, axis=2) > 100)

    assert colored([0.5]) > colored([np.nan]) + 10  # without the dot both have the legend's line alone
