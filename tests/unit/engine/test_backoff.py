"""Delays grow, are jittered, have a ceiling, and are short again after a success."""

from __future__ import annotations

from haproxy_edge.backoff import Backoff
from hypothesis import given
from hypothesis import strategies as st


def longest(_, highest):
    return highest


def shortest(lowest, _):
    return lowest


def test_delays_double_up_to_the_ceiling():
    backoff = Backoff(0.5, 3, uniform=longest)

    assert [backoff.next() for _ in range(5)] == [0.5, 1, 2, 3, 3]


def test_a_success_starts_again_from_the_first_delay():
    backoff = Backoff(0.5, 30, uniform=longest)
    for _ in range(5):
        backoff.next()
    backoff.reset()

    assert backoff.next() == 0.5


def test_watches_that_failed_together_do_not_come_back_together():
    assert Backoff(1, 30, uniform=shortest).next() == 0.5
    assert len({Backoff(1, 30).next() for _ in range(20)}) > 1


def test_what_the_server_asks_for_is_honoured_up_to_the_ceiling():
    assert Backoff(0.5, 30, uniform=longest).next(at_least=7) == 7
    assert Backoff(0.5, 30, uniform=longest).next(at_least=3600) == 30


def test_the_server_cannot_shorten_a_delay():
    backoff = Backoff(8, 30, uniform=longest)

    assert backoff.next(at_least=1) == 8


@given(st.integers(0, 5000))
def test_a_week_of_failures_overflows_nothing(failures):
    backoff = Backoff(0.5, 30, uniform=longest)
    delays = [backoff.next() for _ in range(failures)]

    assert all(0 < delay <= 30 for delay in delays)
