"""An edge that does not confirm is rung until it does, and nobody waits for it."""

import itertools

from haproxy_edge.acks import Ack
from haproxy_edge.tracker import LONGEST_PAUSE, Tracker

KEY = "default kube-system/traefik"


def tracker(*fleet):
    made = Tracker("default", 5.0, jitter=lambda seconds: seconds)
    made.stored("kube-system/traefik", "sha256:new")
    made.expect(fleet, 0.0)
    return made


def ack(edge, digest="sha256:new", *, problems=(), state_needed=None):
    serves = {KEY: (1, digest)} if digest else {}
    return Ack(edge, "o", "hot", serves, "", tuple(problems), state_needed, 1.0)


def rung_until(made, end):
    """(time, names) of every ring up to ``end``."""
    rings, now = [], 0.0
    while (now := max(now, made.due_at())) <= end:
        rings.append((now, made.take(now)))
    return rings


def test_a_new_edge_that_says_nothing_is_rung_after_the_timeout():
    made = tracker("edge1")
    assert made.take(4.9) == []
    assert made.take(5.0) == ["edge1"]


def test_an_edge_that_confirms_is_left_alone():
    made = tracker("edge1")
    made.confirmed(ack("edge1"), 1.0)
    assert made.due_at() == float("inf")
    assert made.take(1000.0) == []


def test_an_edge_is_rung_for_as_long_as_it_takes_with_growing_pauses():
    times = [time for time, names in rung_until(tracker("edge1"), 10_000) if names]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses[:4] == [10, 20, 40, 80]
    assert set(pauses[6:]) == {LONGEST_PAUSE}


def test_one_edge_never_delays_another():
    made = tracker("edge1", "edge2")
    made.confirmed(ack("edge2"), 0.0)
    rung_until(made, 500)
    made.stored("kube-system/traefik", "sha256:newer")
    made.ordered(500.0)
    assert "edge2" in made.take(505.0)


def test_an_edge_that_confirms_old_content_is_behind():
    made = tracker("edge1")
    made.confirmed(ack("edge1", "sha256:old"), 1.0)
    assert made.is_behind("edge1")
    assert made.take(5.0) == ["edge1"]


def test_a_request_for_the_state_lane_is_met_at_once_and_only_once():
    made = tracker("edge1")
    made.confirmed(ack("edge1"), 0.0)
    made.confirmed(ack("edge1", state_needed="it does not run"), 7.0)
    assert made.take(7.0) == ["edge1"]
    made.confirmed(ack("edge1", state_needed="it does not run"), 8.0)
    assert made.take(8.0) == []


def test_an_edge_with_problems_stays_behind():
    made = tracker("edge1")
    made.confirmed(ack("edge1", problems=["haproxy.bind: taken"]), 1.0)
    assert made.is_behind("edge1")


def test_an_edge_that_is_gone_is_forgotten_and_one_that_came_is_due():
    made = tracker("edge1")
    made.expect(["edge2"], 100.0)
    assert made.take(105.0) == ["edge2"]


def test_an_acknowledgement_of_a_stranger_changes_nothing():
    made = tracker("edge1")
    made.confirmed(ack("edge9"), 1.0)
    assert made.take(5.0) == ["edge1"]


def test_a_busy_cluster_does_not_ring_a_dead_edge_at_every_change():
    made = tracker("edge1")
    now, rings = 0.0, 0
    for _ in range(600):
        now += 1.0
        made.ordered(now)
        rings += bool(made.take(now))
    assert rings < 12
