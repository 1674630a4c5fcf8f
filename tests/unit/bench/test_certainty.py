"""A measured value is no surer than its samples are."""

from __future__ import annotations

import random
import statistics

import pytest

from bench.certainty import median_interval, slope


def test_a_straight_line_has_its_slope_and_no_margin():
    found = slope([(second, 80 + second / 3600) for second in range(0, 600, 5)])
    assert (found.per_hour, found.margin) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-6))
    assert found.most == pytest.approx(1.0)


def test_what_does_not_change_has_slope_zero():
    assert slope([(second, 80.0) for second in range(10)]).most == 0


@pytest.mark.parametrize("points", [[], [(0, 1)], [(0, 1), (5, 1)], [(0, 1), (0, 2), (5, 3)]])
def test_less_than_three_moments_are_no_slope(points):
    with pytest.raises(ValueError, match="three moments"):
        slope(points)


def test_the_interval_of_a_slope_holds_the_true_one_nearly_always():
    rng, held = random.Random(1), 0
    for _ in range(200):
        found = slope([(second, 2 * second / 3600 + rng.gauss(0, 0.1)) for second in range(0, 300, 2)])
        held += abs(found.per_hour - 2) <= found.margin
    assert 180 <= held < 200


def test_samples_that_follow_each_other_closely_count_as_fewer():
    rng, value = random.Random(2), 0.0
    noise = [rng.gauss(0, 1) for _ in range(150)]
    walk = []
    for step in noise:
        value = 0.95 * value + step
        walk.append(value)
    scale = statistics.pstdev(walk) / statistics.pstdev(noise)
    independent = slope(list(enumerate(one * scale for one in noise)))
    assert slope(list(enumerate(walk))).margin > 3 * independent.margin


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # the classic table: ranks of the 95 % interval of a median
    [(1, 1, 1), (5, 1, 5), (6, 1, 6), (8, 1, 8), (9, 2, 8), (10, 2, 9), (12, 3, 10), (20, 6, 15), (24, 7, 18)],
)
def test_the_interval_of_a_median_is_by_ranks(count, low, high):
    values = list(range(1, count + 1))
    random.Random(count).shuffle(values)
    assert median_interval(values) == (low, high)


def test_without_values_there_is_no_median():
    with pytest.raises(ValueError, match="no values"):
        median_interval([])
