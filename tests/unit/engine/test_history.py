"""The last changes: what they were, and how long each edge took. Bounded, whatever the cluster does."""

from __future__ import annotations

import pytest
from haproxy_edge.history import LONGEST, NAMES, History, differences
from haproxy_edge.snapshot import Server, Snapshot

SERVICE = "kube-system/traefik"


def snapshot(*servers, generation=1):
    return Snapshot("default", SERVICE, {"web": servers, "websecure": servers}, generation)


def server(number, state="ready"):
    return Server(f"10.42.{number // 250}.{number % 250}", 8443, state, f"pod-{number}")


def confirmed(generation):
    return {f"default {SERVICE}": (generation, "sha256:x")}


def test_a_change_names_each_server_once_as_haproxy_calls_it():
    before = snapshot(server(1), server(2), server(3))
    after = snapshot(server(1), server(2, "draining"), server(4))

    assert differences(before, after) == {
        "added": ["pod-4:10.42.0.4:8443"],
        "drained": ["pod-2:10.42.0.2:8443"],
        "removed": ["pod-3:10.42.0.3:8443"],
    }


def test_a_great_change_names_some_and_counts_the_rest():
    added = differences(None, snapshot(*map(server, range(5000))))["added"]

    assert len(added) == NAMES + 1
    assert added[-1] == f"and {5000 - NAMES} more"


def test_only_the_last_changes_are_kept():
    history = History()
    for number in range(1000):
        history.changed(None, snapshot(generation=number), wall=0.0, now=float(number), waiting=["edge1"])

    assert [row.generation for row in history.rows] == list(range(1000 - LONGEST, 1000))


def test_seconds_count_from_the_change_to_each_edge_and_converged_is_when_the_last_confirmed():
    history = History()
    history.changed(None, snapshot(generation=5), wall=100.0, now=10.0, waiting=["edge1", "edge2"])
    history.confirmed("edge1", "default", confirmed(5), 10.1)
    history.confirmed("edge2", "default", confirmed(4), 10.2)
    history.confirmed("edge2", "default", confirmed(5), 12.0)
    history.confirmed("edge2", "default", confirmed(5), 99.0)

    assert history.rows[0].edges == {"edge1": pytest.approx(0.1), "edge2": 2.0}
    assert (history.convergence.count, history.convergence.sum) == (1, 2.0)


def test_a_newer_generation_confirms_what_was_before_it():
    history = History()
    for generation in (5, 6):
        history.changed(None, snapshot(generation=generation), wall=0.0, now=float(generation), waiting=["edge1"])
    history.confirmed("edge1", "default", confirmed(6), 7.0)

    assert [row.edges for row in history.rows] == [{"edge1": 2.0}, {"edge1": 1.0}]
    assert history.convergence.count == 2


def test_an_edge_that_came_later_is_counted_for_the_newest_change_only_and_never_as_convergence():
    history = History()
    for generation in (5, 6):
        history.changed(None, snapshot(generation=generation), wall=0.0, now=float(generation), waiting=[])
    history.confirmed("new", "default", confirmed(6), 7.0)

    assert [row.edges for row in history.rows] == [{}, {"new": 1.0}]
    assert history.convergence.count == 0


def test_what_a_former_process_saw_goes_on_by_the_time_of_day():
    before = History()
    before.changed(None, snapshot(generation=5), wall=100.0, now=10.0, waiting=["edge1"])
    after = History(before.rows, wall=107.0, now=0.0)
    after.confirmed("edge1", "default", confirmed(5), 1.0)

    assert after.rows[0].edges == {"edge1": 8.0}


def test_a_clock_set_back_makes_no_negative_time():
    before = History()
    before.changed(None, snapshot(generation=5), wall=5000.0, now=10.0, waiting=["edge1"])
    after = History(before.rows, wall=100.0, now=0.0)
    after.confirmed("edge1", "default", confirmed(5), 0.5)

    assert after.rows[0].edges == {"edge1": 0.5}
