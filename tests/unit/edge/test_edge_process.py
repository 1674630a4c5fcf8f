"""A reload is believed when a new worker shows what it should; an old one that still answers is no failure."""

from __future__ import annotations

from typing import ClassVar

import pytest
from haproxy_edge_minion import process
from haproxy_edge_minion.applied import Applied
from haproxy_edge_minion.process import Process
from haproxy_edge_minion.running import Running

from tests.unit.edge.material import Time

APPLIED = Applied("new", {}, "", {"bind": ":443"})


class Api:
    """Answers with these workers, one after the other; the last one for ever."""

    def __init__(self, *workers):
        self._workers = list(workers)

    def running(self):
        return self._workers.pop(0) if len(self._workers) > 1 else self._workers[0]


class Service:
    """Takes every reload and has nothing to say of it."""

    def reload(self):
        pass

    def running(self):
        return True

    def journal(self, since):
        return "nothing is wrong"


def reloaded(*workers, listens=lambda pid, now: False, service=None):
    """What a reload tells when the socket is answered by these, and the seconds it took to tell."""
    time = Time()
    process = Process(
        service or Service(),
        Api(*workers),
        clock=time.clock,
        wall=time.wall,
        sleep=time.sleep,
        listens=lambda pid: listens(pid, time.now),
    )
    told = process.reload(APPLIED)
    return told, time.now - Time.now


def worker(pid, digest):
    return Running(pid, digest, frozenset())


@pytest.mark.field_failure("a reload believed to have worked")
def test_a_new_worker_with_the_new_configuration_is_believed_at_once():
    assert reloaded(worker(1, "old"), worker(1, "old"), worker(2, "new"))[0] is None


def test_a_worker_that_leaves_since_an_earlier_reload_is_no_failure_of_this_one():
    assert reloaded(worker(1, "older"), worker(2, "old"), worker(2, "old"), worker(3, "new"))[0] is None


@pytest.mark.field_failure("a reload believed to have worked")
def test_a_new_worker_that_stays_wrong_is_a_failure_after_a_moment():
    told, seconds = reloaded(worker(1, "old"), worker(2, "wrong"))
    assert told == "nothing is wrong"
    assert seconds < process.PROOF_TIMEOUT / 2


@pytest.mark.field_failure("a reload believed to have worked")
@pytest.mark.parametrize("answer", [worker(1, "old"), worker(1, "new")], ids=["old", "new"])
def test_the_same_worker_is_never_a_proof(answer):
    told, seconds = reloaded(answer)
    assert told == "nothing is wrong"
    assert seconds >= process.PROOF_TIMEOUT


def test_a_reload_is_over_when_the_old_worker_takes_no_connection_any_more():
    told, seconds = reloaded(
        worker(1, "old"), worker(2, "new"), listens=lambda pid, now: pid == 1 and now < Time.now + 0.5
    )
    assert told is None
    assert 0.5 <= seconds < 1


def test_an_old_worker_that_never_lets_go_holds_nothing_up_for_long():
    told, seconds = reloaded(worker(1, "old"), worker(2, "new"), listens=lambda pid, now: True)
    assert told is None
    assert seconds < process.PROOF_TIMEOUT / 2


def test_the_log_is_asked_by_the_time_of_day_and_the_patience_does_not_depend_on_it():
    class Log(Service):
        asked: ClassVar[list[float]] = []

        def journal(self, since):
            self.asked.append(since)
            return super().journal(since)

    _, seconds = reloaded(worker(1, "old"), service=Log())
    assert set(Log.asked) == {Time.today + 3600}
    assert process.PROOF_TIMEOUT <= seconds < process.PROOF_TIMEOUT + 1
