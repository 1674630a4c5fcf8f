"""Changes are spaced, and none is lost: remove and add again inside the interval, a burst, one alone."""

from __future__ import annotations

import itertools

import pytest
from haproxy_edge.coalesce import Coalescer
from hypothesis import given
from hypothesis import strategies as st

INTERVAL = 10

# milliseconds to wait, then a service that changed; None is a look without a change
moments = st.lists(st.tuples(st.integers(0, 25), st.sampled_from(["a", "b", "c", None])), max_size=40)


def take(coalescer, now, **frozen):
    """What is due, and goes out."""
    services = coalescer.due(now, **frozen)
    if services:
        coalescer.taken(services, now)
    return services


def play(script, *, patient):
    """Everything taken, as (time, services), and when each service last changed. ``patient``: looks only when due."""
    coalescer, now, taken, changed = Coalescer(INTERVAL), 0, [], {}
    for wait, service in script:
        now += wait
        if service:
            coalescer.add(service)
            changed[service] = now
        if not patient or coalescer.due_in(now) == 0:
            taken.append((now, take(coalescer, now)))
    rest = coalescer.due_in(now)
    if rest is not None:
        taken.append((now + rest, take(coalescer, now + rest)))
    return [(at, services) for at, services in taken if services], changed


@pytest.mark.field_failure("a change lost between two publishes")
@given(moments, st.booleans())
def test_the_last_change_of_every_service_is_always_taken(script, patient):
    taken, changed = play(script, patient=patient)

    last = {service: at for at, services in taken for service in services}
    assert last.keys() == changed.keys()
    assert all(last[service] >= at for service, at in changed.items())


@given(moments, st.booleans())
def test_no_two_takes_are_closer_than_the_interval(script, patient):
    times = [at for at, _ in play(script, patient=patient)[0]]

    assert all(later - earlier >= INTERVAL for earlier, later in itertools.pairwise(times))


@given(moments)
def test_no_change_waits_longer_than_the_interval(script):
    coalescer, now, waiting = Coalescer(INTERVAL), 0, None
    for wait, service in script:
        due = coalescer.due_in(now)
        if due is not None and due <= wait:
            assert now + due - waiting <= INTERVAL
            assert take(coalescer, now + due)
            waiting = None
        now += wait
        if service:
            coalescer.add(service)
            waiting = now if waiting is None else waiting


def test_the_first_change_does_not_wait():
    coalescer = Coalescer(INTERVAL)
    coalescer.add("a")

    assert coalescer.due_in(0) == 0
    assert take(coalescer, 0) == ["a"]


def test_a_change_after_a_quiet_time_does_not_wait():
    coalescer = Coalescer(INTERVAL)
    coalescer.add("a")
    take(coalescer, 0)
    coalescer.add("a")

    assert coalescer.due_in(INTERVAL) == 0


def test_a_change_inside_the_interval_waits_for_its_end():
    coalescer = Coalescer(INTERVAL)
    coalescer.add("a")
    take(coalescer, 0)
    coalescer.add("a")

    assert coalescer.due_in(4) == 6
    assert take(coalescer, 4) == []
    assert take(coalescer, 10) == ["a"]


def test_nothing_is_due_when_nothing_changed():
    coalescer = Coalescer(INTERVAL)

    assert coalescer.due_in(0) is None
    assert take(coalescer, 0) == []


def test_an_empty_look_costs_the_next_change_no_time():
    coalescer = Coalescer(INTERVAL)
    take(coalescer, 0)
    coalescer.add("a")

    assert take(coalescer, 1) == ["a"]


def test_several_changes_of_one_service_are_one():
    coalescer = Coalescer(INTERVAL)
    for service in ("b", "a", "b"):
        coalescer.add(service)

    assert take(coalescer, 0) == ["b", "a"]


def test_without_an_interval_every_change_is_due_at_once():
    coalescer = Coalescer(0)
    coalescer.add("a")
    take(coalescer, 5)
    coalescer.add("a")

    assert coalescer.due_in(5) == 0


def test_the_next_publish_waits_for_those_that_can_be_expected_to_confirm_the_last():
    coalescer = Coalescer(0.2, patience=1)
    coalescer.add("a")
    assert take(coalescer, 0) == ["a"]
    coalescer.ordered("first", ["edge1", "edge2"], 0)
    coalescer.add("a")
    assert take(coalescer, 0.5) == []
    coalescer.confirmed("first", "edge1")
    coalescer.confirmed("another", "edge2")
    assert coalescer.due_in(0.5) == 0.5
    coalescer.confirmed("first", "edge2")
    assert take(coalescer, 0.5) == ["a"]


@pytest.mark.field_failure("one bad edge holds up all")
def test_an_edge_that_never_confirms_delays_the_others_for_a_short_while_only():
    coalescer = Coalescer(0.2, patience=1)
    coalescer.add("a")
    take(coalescer, 0)
    coalescer.ordered("first", ["edge1"], 0)
    coalescer.add("a")
    assert coalescer.due_in(0.25) == 0.75
    assert take(coalescer, 1) == ["a"]


def test_confirmations_never_bring_two_publishes_closer_than_the_interval():
    coalescer = Coalescer(0.2)
    coalescer.add("a")
    take(coalescer, 0)
    coalescer.ordered("first", ["edge1"], 0)
    coalescer.confirmed("first", "edge1")
    coalescer.add("a")
    assert coalescer.due_in(0.05) == 0.2 - 0.05


def test_what_could_not_be_sent_stays_due():
    coalescer = Coalescer(INTERVAL)
    coalescer.add("a")
    assert coalescer.due(0) == ["a"]
    coalescer.add("b")
    assert coalescer.due_in(1) == 0
    assert take(coalescer, 1) == ["a", "b"]


def test_what_is_frozen_waits_until_it_is_not_and_holds_nothing_up():
    coalescer = Coalescer(INTERVAL)
    for service in "ab":
        coalescer.add(service)
    assert take(coalescer, 0, frozen={"a"}) == ["b"]
    assert coalescer.due_in(0, frozen={"a"}) is None
    assert coalescer.due_in(0) == INTERVAL
    assert take(coalescer, INTERVAL) == ["a"]
