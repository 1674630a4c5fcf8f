"""The way of a change: steps follow each other, a border that was not seen is no guess."""

from __future__ import annotations

import pytest

from bench.inotify import MOVED_IN, OPENED, REMOVED, Seen
from bench.way import (
    AFTERWARDS,
    HAPROXY,
    OURS,
    SALT,
    WAY,
    OnEdge,
    Step,
    Unseen,
    by_owner,
    costs,
    largest,
    medians,
    on_edge,
)

STEPS_MS = {
    "check": 1.0,
    "lock": 0.5,
    "save": 2.0,
    "load": 1.0,
    "look": 4.0,
    "runtime": 3.0,
    "prove": 4.0,
    "judge": 30.0,
    "file": 10.0,
}
EDGE = OnEdge(0.030, 0.060, 0.070, 0.091, 0.190, 0.110, STEPS_MS, ms=56.5)
SHORT = (Step("one", OURS, "a", ""), Step("two", SALT, "b", ""), Step("three", OURS, "c", ""))


def test_the_borders_of_an_edge_follow_from_its_lock_and_its_own_steps():
    borders = on_edge(EDGE)
    wanted = {"begun": 0.090, "locked": 0.0915, "saved": 0.0935, "looked": 0.0985, "moved": 0.1015, "filed": 0.1455}
    assert {name: borders[name] for name in wanted} == pytest.approx(wanted)
    assert borders["signed"] == pytest.approx(0.090 + 0.0565)


def test_an_edge_that_did_not_go_the_whole_way_is_not_measured():
    with pytest.raises(Unseen, match="runtime"):
        on_edge(OnEdge(0, 0, 0, 0, 0, 0, {name: 1.0 for name in STEPS_MS if name != "runtime"}, 1.0))


def test_every_step_after_the_publish_ends_at_a_border_of_the_edge():
    after = [step.until for step in WAY][[step.until for step in WAY].index("published") + 1 :]
    assert {*after, *(step.until for step in AFTERWARDS)} == set(on_edge(EDGE))


def test_costs_add_up_to_the_whole():
    assert costs({"a": 0.001, "b": 0.004, "c": 0.006}, SHORT) == pytest.approx({"one": 1, "two": 3, "three": 2})


def test_a_border_of_a_clock_that_is_behind_costs_nothing_and_takes_nothing_back():
    assert costs({"a": 0.004, "b": 0.003, "c": 0.006}, SHORT) == pytest.approx({"one": 4, "two": 0, "three": 2})


def test_a_border_that_was_not_seen_is_named():
    with pytest.raises(Unseen, match="'b' of step 'two'"):
        costs({"a": 1, "c": 2}, SHORT)


def test_medians_owners_and_the_largest_of_ours():
    steps = medians(
        [{"one": 1, "two": 9, "three": 2}, {"one": 3, "two": 9, "three": 8}, {"one": 2, "two": 1, "three": 3}]
    )
    assert steps == {"one": 2, "two": 9, "three": 3}
    assert list(by_owner(steps, SHORT).items()) == [(SALT, 9), (OURS, 5)]
    assert largest(steps, SHORT, OURS).name == "three"


def test_each_step_has_a_name_a_border_and_an_owner_of_its_own():
    steps = (*WAY, *AFTERWARDS)
    assert len({step.name for step in steps}) == len({step.until for step in steps}) == len(steps)
    assert {OURS, SALT, HAPROXY} <= {step.owner for step in steps}


def seen(*events):
    return [Seen(at, place, name, what) for at, place, name, what in events]


def test_the_first_event_of_its_kind_counts_and_none_before_the_border_it_follows():
    from bench.waterfall import first

    events = seen(
        (10.0, "outbox", "", OPENED),
        (10.1, "outbox", "7-a.p", MOVED_IN),
        (10.2, "outbox", "", OPENED),
        (10.3, "outbox", "7-a.p", OPENED),
        (10.4, "outbox", "7-a.p", REMOVED),
    )
    assert first(events, 10.0, "outbox", what=OPENED, after=0.15) == pytest.approx(0.2)
    assert first(events, 10.0, "outbox", name="7-a", what=REMOVED) == pytest.approx(0.4)
    with pytest.raises(Unseen, match="outbox 8-b"):
        first(events, 10.0, "outbox", name="8-b")
