"""Monitors of a conditional training, on images and histories whose answers are known."""

import numpy as np
import pytest

from vae_aug import monitors


def flat(*values):
    """2x2 images, each of one grey."""
    return np.array(values, np.float32)[:, None, None, None] * np.ones((1, 2, 2, 1), np.float32)


def test_spread_by_hand():
    # greys 0, 0.5, 1 of four pixels: distances 2 * (0.5, 1, 0.5), mean 4/3
    assert monitors.spread(flat(0, 0.5, 1)) == pytest.approx(4 / 3)
    assert np.isnan(monitors.spread(flat(0.5)))


def test_diversity_is_per_class():
    real, real_labels = flat(0, 1, 0, 1, 0.5, 0.5, 0.2), np.array([0, 0, 1, 1, 2, 2, 3])
    generated, labels = flat(0.4, 0.9, 0.3, 0.3, 0, 1, 0.1, 0.3), np.array([0, 0, 1, 1, 2, 2, 3, 3])
    found = monitors.diversity(generated, labels, real, real_labels, 4)
    assert found[:2] == pytest.approx([0.5, 0])
    assert np.isnan(found[2:]).all()  # real images all equal; only one


def test_diversity_looks_at_50_images():
    real = flat(*[0, 1] * 25, *[0] * 1000)
    assert monitors.diversity(real[:50], np.zeros(50, int), real, np.zeros(1050, int), 1) == pytest.approx([1])


HEALTHY = {"d_loss": 1.2, "g_loss": 0.9, "diversity": [0.8, np.nan], "label_fidelity": 0.9, "copy_ratio": 0.9}


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("generator", {"g_loss": 11.26}, "g_loss 11.3, above 10"),
        ("collapse", {"diversity": [0.1, 0.9]}, "in 1 of 2 classes"),
        ("copies", {"copy_ratio": 0.25}, "0.25 times as far"),
        ("discriminator", {"d_loss": 0.01}, "d_loss below 0.05 in each of the last 20"),
    ],
)
def test_each_flag_has_its_sign(name, change, sentence):
    assert monitors.flags([HEALTHY] * 20, 2) == {}
    found = monitors.flags([HEALTHY | change] * 20, 2)
    assert list(found) == [name]
    assert sentence in found[name]


def test_labels_are_ignored_where_fidelity_is_near_chance():
    for fidelity, flagged in ((0.1, True), (0.2, False)):
        found = monitors.flags([HEALTHY | {"label_fidelity": fidelity}], 10)
        assert ("labels ignored" in found) == flagged
    assert monitors.flags([HEALTHY | {"label_fidelity": 1.0}], 1) == {}


def test_what_is_measured_last_counts_and_a_vae_has_no_discriminator():
    history = [{"loss": 9.0, "diversity": [0.0]}, {"loss": 8.0, "diversity": [0.7]}, {"loss": 7.0}]
    assert monitors.flags(history, 1) == {}


def test_a_discriminator_that_recovers_is_not_flagged():
    low = [HEALTHY | {"d_loss": 0.01}] * 19
    assert monitors.flags(low, 2) == {}
    assert monitors.flags([*low, *low, HEALTHY], 2) == {}
