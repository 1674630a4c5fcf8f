"""What the figures of growth are made of: the right column at the right size, and nothing that idling costs."""

from __future__ import annotations

import pytest

from bench.change_cost import Cost
from bench.growth import Axis, figures_of, plots, table
from bench.master_costs import MasterSpent
from bench.result import Result


def cost(edges=4, *, engine=0.01, master=0.04, seconds=1.0):
    acks = [{"edge": "edge1", "ms": 10.0}, {"edge": "stand-in-001", "ms": 900.0}]
    return Cost(edges, MasterSpent(10.0, engine, master), [seconds, seconds], acks, engine_mb=90.0)


def axis(name="edges", sizes=(4, 50, 200), *, power=1.0, state=10.0):
    made = Axis(name)
    for size in sizes:
        work = 0.01 * size**power
        edges = size if name == "edges" else 4
        made.costs["hot"][size] = cost(edges, engine=work, master=work, seconds=size / 100)
        made.costs["state"][size] = cost(edges, engine=work, master=work * state)
    return made


def by_name(axes):
    return {figure.name: figure for figure in figures_of(axes)}


def test_what_idling_costs_is_not_the_change_s():
    spent = MasterSpent(20.0, engine=0.5, master=3.0).without(MasterSpent(5.0, engine=0.1, master=0.25))
    assert (spent.engine, spent.master) == pytest.approx((0.1, 2.0))


def test_less_than_idling_is_nothing_and_never_below():
    assert MasterSpent(20.0, 0.1, 0.1).without(MasterSpent(5.0, 0.1, 0.1)).engine == 0.0


def test_a_cost_is_of_one_change_and_one_edge():
    one = cost(edges=4, engine=0.02, master=0.8)
    assert (one.engine_ms, one.master_ms, one.master_ms_per_edge) == pytest.approx((10.0, 400.0, 100.0))


def test_what_is_below_the_clock_s_tick_counts_as_one_tick_so_that_it_can_be_fitted():
    assert cost(engine=0.0).engine_ms > 0


def test_an_edge_s_own_time_is_that_of_real_ones():
    assert cost().edge_ms == 10.0


def test_growth_in_proportion_meets_the_goal_and_the_square_does_not():
    name = "engine CPU of a change, growth with edges, 4 to 200: n^k"
    assert (by_name([axis()])[name].measured, by_name([axis()])[name].met) == (1.0, True)
    assert (by_name([axis(power=2.0)])[name].measured, by_name([axis(power=2.0)])[name].met) == (2.0, False)


def test_the_lanes_are_compared_at_fifty_edges_and_the_time_is_the_slowest_of_the_largest_size():
    found = by_name([axis(state=10.0)])
    assert found["master CPU per edge, hot lane / state lane, 50 edges"].measured == 0.1
    assert found["200 edges on one change, the slowest"].measured == 2.0


def test_an_axis_that_was_not_measured_has_no_figure():
    assert not any("edges" in name for name in by_name([axis("endpoints", (3, 10_000))]))


def test_all_of_it_makes_a_result_that_can_be_kept_and_read():
    axes = [axis("endpoints", (3, 10_000)), axis("services", (1, 200)), axis()]
    tables = [table(one, lane) for one in axes for lane in ("hot", "state")]
    result = Result("growth", "How cost grows", figures_of(axes), tables=tables, plots=plots(axes))
    assert Result.from_json(result.to_json()).to_json() == result.to_json()
    assert tables[0].rows[-1][0] == "n^k, k"
