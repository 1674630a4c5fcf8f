"""A reload is believed when a new worker shows what it should; an old one that still answers is no failure."""

from __future__ import annotations

import os
from typing import ClassVar

import pytest
from haproxy_edge_minion import process
from haproxy_edge_minion.applied import Applied
from haproxy_edge_minion.listening import replaced_workers
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


@pytest.fixture
def proc(tmp_path):
    """Workers 31 and 32 of the master process 30, the latter a second old."""
    ticks = os.sysconf("SC_CLK_TCK")
    for pid, started in (("30", 0), ("31", 10), ("32", 99)):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cmdline").write_text("haproxy\0-Ws\0")
        (tmp_path / pid / "stat").write_text(f"{pid} (ha proxy) S 30 {'0 ' * 17}{started * ticks} 0")
    (tmp_path / "30/task/30").mkdir(parents=True)
    (tmp_path / "30/task/30/children").write_text("31 32 ")
    return tmp_path


@pytest.mark.parametrize(
    ("by", "words", "replaced"),
    [
        pytest.param("30", ["-Ws", "-f", "haproxy.cfg"], set(), id="never reloaded"),
        pytest.param("30", ["-sf", "31", "-x", "sockpair@3", "-Ws"], {31}, id="the master reads the file"),
        pytest.param("32", ["-sf", "31", "-x", "sockpair@3", "-Ws"], {31}, id="the next one is there"),
        pytest.param("32", ["-sf", "29", "31", "-x", "sockpair@3"], {29, 31}, id="several, one of which is gone"),
        pytest.param("31", ["-sf", "29", "-x", "sockpair@3"], set(), id="long over"),
        pytest.param("32", ["-x", "31"], set(), id="another number"),
    ],
)
def test_workers_that_make_way_are_known_by_what_others_were_called_with(proc, by, words, replaced):
    (proc / by / "cmdline").write_text("\0".join(["haproxy", *words]) + "\0")
    assert replaced_workers(31, proc, uptime=lambda: 100.0) == replaced
    assert replaced_workers(32, proc, uptime=lambda: 100.0) == replaced


def test_of_a_worker_that_is_gone_nothing_is_said(proc):
    assert replaced_workers(33, proc) == set()
