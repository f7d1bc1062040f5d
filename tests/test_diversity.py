"""How much images differ, worked out by hand, and the line on a collapsed generator."""

import numpy as np
import pytest

from images import diversity


def images(*levels):
    return np.array(levels, np.uint8).reshape(-1, 1, 2, 1)


def measure(*parts, real=()):
    found = diversity.Diversity(real)
    for part in parts:
        found.add(part)
    return found


def test_the_spread_is_a_standard_deviation_over_images_and_a_root_mean_square_over_pixels():
    found = images([10, 0], [20, 0], [30, 0])  # variances 100 and 0
    assert diversity.spread(found) == pytest.approx(np.sqrt(50))
    assert measure(found[:1], found[1:]).spread() == pytest.approx(np.sqrt(50))


def test_fewer_than_two_images_have_no_spread():
    assert diversity.spread(images([1, 2])) is None
    assert diversity.compare(measure(images([1, 2])), 5.0)["ratio"] is None


def test_copies_are_of_earlier_images_and_of_real_ones():
    found = measure(images([1, 2], [3, 4]), images([1, 2], [5, 6]), real=images([5, 6]))
    assert (found.count, found.copies) == (4, 2)


def test_a_comparison_tells_both_spreads_and_their_ratio():
    found = diversity.compare(measure(images([0, 0], [2, 2])), 10.0)
    assert found == {"images": 2, "copies": 0, "spread": 1.4142, "real_spread": 10.0, "ratio": 0.1414}
    for unknown in (None, 0.0):
        assert diversity.compare(measure(images([0, 0], [2, 2])), unknown)["ratio"] is None


def test_a_line_names_the_classes_below_the_limit():
    measured = {
        "cat": diversity.compare(measure(images([0, 0], [2, 2])), 10.0),
        "dog": diversity.compare(measure(images([0, 0], [8, 8])), 10.0),
        "rat": diversity.compare(measure(images([7, 7], [7, 7])), 20.0),
        "cow": diversity.compare(measure(images([7, 7], [7, 7])), None),
    }
    line = diversity.warning(measured)
    assert line.endswith("class cat (1.4, 10.0), rat (0.0, 20.0)")
    assert "collapsed" in line
    assert diversity.warning({"dog": measured["dog"]}) is None
