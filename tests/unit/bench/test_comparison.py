"""What ways cost is counted in their own turns, without what the load costs, and beside the same floor."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bench import comparison
from bench.comparison import HOT, POLLING, RESTART, STATE, USUAL, Account, Load, Turn, mirrored, moment
from bench.result import Result
from bench.trees import WaySpent
from lab.traffic import Record

LOAD = Load(edges=2, connections=40.0, streams=8)


def record(start, *, end=None, pod="app-1", error="", place="edge1/ipv4"):
    return Record(place, start, start + 0.01 if end is None else end, pod, "10.90.0.3", error)


def account(way, *seconds, **turn):
    spent, rest = turn.pop("spent", WaySpent(10.0, 2.0, 3.0)), turn.pop("rest", WaySpent(4.0, 0.2, 0.4))
    return Account(way, [Turn(list(seconds), spent=spent, rest=rest, **turn)])


def accounts(**seconds):
    given = {HOT: [0.2, 0.2], STATE: [0.8], USUAL: [9.0], RESTART: [5.0], **seconds}
    found = {way: account(way, *listed) for way, listed in given.items()}
    found[HOT].turns[0].pings = [0.1, 0.1, 0.4]
    return found


def test_each_second_round_goes_backwards():
    assert list(mirrored("abc", 3)) == [*"abc", *"cba", *"abc"]


def test_changes_fall_over_the_whole_of_what_repeats_itself():
    moments = sorted(moment(number, 5.0) for number in range(10))
    assert min(moments) >= 0 and max(moments) < 5.0
    assert max(later - one for one, later in pairwise(moments)) < 1.0


def test_a_turn_counts_connections_that_began_in_it():
    turn = Turn(began=10.0, ended=20.0)
    late = record(19.9, end=24.9, pod="", error="nothing came for 5 s")
    turn.count([record(9.9, pod="", error="refused"), record(10.0), late, record(20.0, error="refused")], [])
    assert (turn.connections, turn.failed) == (2, 1)


@pytest.mark.parametrize(
    ("stream", "cut"),
    [
        (record(1.0, end=12.0, error="reset"), 1),
        (record(1.0, end=21.0, error="reset"), 0),
        (record(1.0, end=9.0, error="reset"), 0),
        (record(11.0, end=12.0, pod="", error="refused"), 0),
        (record(1.0, end=15.0), 0),
    ],
    ids=["in this turn", "later", "before", "never open", "ended by the client"],
)
def test_a_stream_is_cut_where_it_breaks_and_only_if_it_was_open(stream, cut):
    turn = Turn(began=10.0, ended=20.0)
    turn.count([], [stream])
    assert turn.cut == cut


def test_what_is_used_at_rest_is_no_cost_of_a_change():
    one = account(HOT, 0.2, 0.2)
    assert one.at_rest("master") == pytest.approx(0.05)
    assert one.per_change("master") == pytest.approx((2.0 - 0.05 * 10) / 2)
    assert one.per_change("edges") == pytest.approx((3.0 - 0.1 * 10) / 2)


def test_a_change_never_costs_less_than_nothing():
    assert account(POLLING, 3.0, spent=WaySpent(10.0, 0.1, 0.1)).per_change("edges") == 0.0


def test_turns_of_a_way_add_up():
    one = Account(RESTART, [Turn([5.0], workers=3, failed=4, cut=12), Turn([6.0, 7.0], workers=6, failed=2, cut=24)])
    assert (one.seconds, one.p50, one.failed, one.cut, one.workers_per_change) == ([5.0, 6.0, 7.0], 6.0, 6, 36, 3.0)


def test_ours_is_told_in_round_trips_and_in_times_of_the_other_way():
    found = {one.name: (one.measured, one.met) for one in comparison.figures(accounts())}
    assert found["change to all edges, hot lane, p50 of 2"] == (2.0, True)
    assert found["hot lane faster than Ansible, restart, p50"] == (45.0, True)
    assert found["hot lane faster than Ansible tuned, restart, p50"] == (25.0, False)


@pytest.mark.parametrize("lane", [HOT, STATE])
def test_one_lost_connection_of_either_lane_misses_the_goal(lane):
    given = accounts()
    given[lane].turns[0].failed = given[lane].turns[0].cut = 1
    lost = [one for one in comparison.figures(given) if one.goal == "<= 0"]
    assert [(one.measured, one.met) for one in lost] == [(1, False), (1, False)]


def test_what_is_found_makes_a_whole_result_with_a_row_for_each_way_and_the_floor():
    given = accounts()
    result = Result(
        "side_by_side",
        "Side by side",
        comparison.figures(given),
        tables=comparison.tables(given, LOAD),
        plots=comparison.plots(given, LOAD),
    )
    assert Result.from_json(result.to_json()).to_json() == result.to_json()
    noticed, costs = result.tables
    assert [row[0] for row in noticed.rows] == [*given, comparison.FLOOR]
    assert [row[0] for row in costs.rows] == [*given]
    assert noticed.rows[0][1:5] == [2, 0.2, 0.2, 0.2]


def test_what_is_told_of_the_load_is_the_load_s_own():
    noticed, costs = comparison.tables(accounts(), LOAD)
    assert "of 40 a second" in noticed.note and "of 8." in noticed.note and "on 2 edges" in noticed.note
    assert "the 2 edges together" in costs.note
    assert comparison.plots(accounts(), LOAD)[1].title.endswith("of 40 a second")
