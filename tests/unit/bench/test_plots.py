"""Plots: the same bytes for the same result, and nothing in them that is not in the result."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest

from bench.plots import apart, draw, is_wide, mark, number
from tests.unit.bench.material import BARS, CDF, LINES, LOGLOG, WATERFALL


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0123, "0.0123"), (1.5, "1.5"), (14.04, "14"), (160.4, "160"), (7600.0, "7,600"), (12345.6, "12,346")],
)
def test_a_label_has_three_digits_that_count(value, text):
    assert number(value) == text


def test_an_axis_is_logarithmic_when_a_linear_one_would_hide_something():
    assert is_wide([1, 31]) and not is_wide([1, 30]) and not is_wide([0, 31])


def test_labels_keep_their_order_and_distance():
    places = apart([0.5, 0.5, 0.1, 0.52], 0.1)
    assert sorted(places) == [places[2], places[0], places[1], places[3]]
    ordered = sorted(places)
    assert all(b - a >= 0.0999 for a, b in itertools.pairwise(ordered))


def test_labels_that_are_apart_stay_where_they_are():
    assert apart([0.9, 0.1, 0.5], 0.1) == pytest.approx([0.9, 0.1, 0.5])


def test_the_mark_is_another_when_one_number_is():
    other = replace(LINES, series=[replace(LINES.series[0], points=[(0, 90.0), (10, 90.6)])])
    assert mark(LINES) == mark(replace(LINES)) != mark(other)


def need_matplotlib():
    pytest.importorskip("matplotlib", reason="no matplotlib: lab/bootstrap tests adds it")


@pytest.mark.parametrize("plot", [BARS, LINES, LOGLOG, CDF, WATERFALL], ids=lambda plot: plot.kind)
def test_a_plot_is_the_same_bytes_twice_and_carries_its_mark(plot):
    need_matplotlib()
    text = draw(plot)
    assert text == draw(plot)
    assert mark(plot) in text and plot.title in text
    # no ground of its own, and no date
    assert "<dc:date>" not in text
    assert not re.search(r'id="patch_1">\s*<path [^>]*fill: #ffffff', text)


def test_lines_are_named_at_their_ends_with_their_growth():
    need_matplotlib()
    text = draw(LOGLOG)
    assert "hot lane: n^1.02" in text and "state lane" in text


def test_steps_of_a_waterfall_are_told_with_their_cost():
    need_matplotlib()
    text = draw(WATERFALL)
    assert all(word in text for word in ("store", "publish", "save", "ours: 5", "40"))


def test_bars_name_their_values_and_show_a_zero_beside_thousands():
    need_matplotlib()
    plot = replace(BARS, series=[replace(BARS.series[0], points=[("hot", 0.0), ("old", 12.0), ("ansible", 4935.0)])])
    text = draw(plot)
    assert all(f">{word}<" in text for word in ("ms", "0", "12", "4,935", "hot"))
    assert ">way<" not in text
