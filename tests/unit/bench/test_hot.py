"""Figures of the hot lane are made of what was measured, and of nothing else."""

from __future__ import annotations

import pytest

from bench.hot import Series, figures_of_changes, figures_of_growth, figures_of_largest
from bench.hot_fleet import Moved
from lab.figures import percentile


def series(*seconds, ping=0.1, acks=(), job_mb=0.0):
    return Series([Moved(one, {}, list(acks), job_mb) for one in seconds], [ping] * len(seconds))


@pytest.mark.parametrize(("percent", "value"), [(50, 5), (99, 10), (100, 10), (1, 1), (10, 1), (11, 2)])
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(percent, value):
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == value


def test_changes_are_told_in_round_trips_of_the_same_run():
    figures = figures_of_changes(series(0.1, 0.2, 0.9, ping=0.2))
    assert [(one.measured, one.met) for one in figures] == [(1.0, True), (4.5, False)]


def test_growth_is_the_largest_size_against_the_smallest():
    (growth,) = figures_of_growth({3: series(0.1), 30: series(9.0), 3000: series(0.25)})
    assert (growth.measured, growth.met) == (2.5, False)


def test_the_largest_edge_is_told_by_its_own_steps_and_the_memory_of_its_jobs():
    ack = {"ms": 300.0, "steps_ms": {"look": 20.0, "runtime": 2.5}}
    figures = figures_of_largest(series(0.4, acks=[ack], job_mb=99.04), 5000)
    assert [one.measured for one in figures] == [2.5, 300.0, 99.0]
