"""The scores against numbers worked out by hand.

Six images of three classes; class 2 is never predicted:

    true       0    0    1    1    2    2
    predicted  0    1    1    1    0    1
"""

import numpy as np
import pytest

from cnn import metrics

LABELS = np.array([0, 0, 1, 1, 2, 2])
PROBABILITIES = np.array(
    [
        [0.8, 0.1, 0.1],
        [0.3, 0.5, 0.2],
        [0.2, 0.6, 0.2],
        [0.0, 0.9, 0.1],
        [0.6, 0.1, 0.3],
        [0.1, 0.7, 0.2],
    ],
    np.float32,
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loss", 0.8094522),  # -(ln 0.8 + ln 0.3 + ln 0.6 + ln 0.9 + ln 0.3 + ln 0.2) / 6
        ("accuracy", 1 / 2),  # 3 of 6
        ("precision", 1 / 3),  # (1/2 + 2/4 + 0) / 3
        ("recall", 1 / 2),  # (1/2 + 2/2 + 0/2) / 3
        ("f1", 7 / 18),  # (2 * 1/2 * 1/2 / (1/2 + 1/2) + 2 * 1/2 * 1 / (1/2 + 1) + 0) / 3 = (1/2 + 2/3) / 3
        ("support", 6),
    ],
)
def test_scores_match_the_hand_worked_example(name, value):
    assert metrics.scores(PROBABILITIES, LABELS)[name] == pytest.approx(value, rel=1e-6)


def test_scores_are_plain_numbers_in_the_order_of_the_tables():
    scores = metrics.scores(PROBABILITIES, LABELS)
    assert list(scores) == ["loss", "accuracy", "precision", "recall", "f1", "support"]
    assert {type(value) for value in scores.values()} == {float, int}


def test_a_perfect_classifier():
    scores = metrics.scores(np.eye(3, dtype=np.float32)[LABELS], LABELS)
    assert scores["loss"] == pytest.approx(0, abs=1e-6)
    assert [scores[name] for name in ("accuracy", "precision", "recall", "f1")] == [1, 1, 1, 1]


def test_loss_of_a_sure_mistake_is_clipped():
    scores = metrics.scores(np.eye(3, dtype=np.float32)[[1]], np.array([0]))
    assert scores["loss"] == pytest.approx(-np.log(1e-7), rel=1e-5)  # 16.118


def test_a_class_without_images_and_predictions_counts_as_zero():
    scores = metrics.scores(np.eye(3, dtype=np.float32)[[0, 1]], np.array([0, 1]))
    assert scores["accuracy"] == 1
    assert scores["f1"] == pytest.approx(2 / 3)


def test_confusion_has_true_rows_and_predicted_columns():
    assert metrics.confusion(PROBABILITIES, LABELS).tolist() == [[1, 1, 0], [0, 2, 0], [1, 1, 0]]


def test_confusion_has_a_row_for_every_class_of_the_network():
    assert metrics.confusion(PROBABILITIES[:2], LABELS[:2]).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_report_has_a_line_for_every_class_name():
    lines = [line.split() for line in metrics.report(PROBABILITIES, LABELS, ["cat", "dog", "ray"]).splitlines()]
    assert [line for line in lines if line[:1] in (["cat"], ["dog"], ["ray"])] == [
        ["cat", "0.50", "0.50", "0.50", "2"],
        ["dog", "0.50", "1.00", "0.67", "2"],
        ["ray", "0.00", "0.00", "0.00", "2"],
    ]


def test_report_names_a_class_that_no_image_has():
    assert "ray" in metrics.report(PROBABILITIES[:4], LABELS[:4], ["cat", "dog", "ray"])
