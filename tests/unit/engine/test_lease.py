"""One engine works at a time; a second waits, says so once, and takes over when the first is gone. No flapping."""

from __future__ import annotations

import os
import subprocess

import pytest
from haproxy_edge.lease import BEAT, PATIENCE, SETTLE, Identity, Lease, started
from haproxy_edge.reflector import Condition
from haproxy_edge.store import Store, StoreError

from tests.unit.engine.material import OLD, SERVICE, WALL, FakeCache, World, listed


class Machine:
    """Engines on one store, in one time; ``running`` are the processes that live."""

    def __init__(self):
        self.cache = FakeCache()
        self.now, self.wall_off = 1000.0, 0.0
        self.running = {}
        self.leases = []

    def engine(self, name, *, pid, place="boot/ns"):
        start = f"{place} {pid}"
        self.running[pid] = start
        lease = Lease(
            "default",
            Store(self.cache),
            Identity(name, "master", pid, start),
            steady=lambda: self.now,
            wall=lambda: WALL + self.now + self.wall_off,
            started_of=self.running.get,
        )
        lease.name = name
        self.leases.append(lease)
        return lease

    def run(self, seconds, *, stopped=()):
        """Every living engine looks as often as it may; the names that held it at each moment."""
        moments, end = [], self.now + seconds
        while self.now < end:
            self.now += 0.25
            working = [lease for lease in self.leases if lease not in stopped]
            moments.append([lease.name for lease in working if lease.look()])
        return moments


@pytest.fixture
def machine():
    return Machine()


def test_the_only_engine_works_after_half_a_second(machine):
    machine.engine("one", pid=1)

    moments = machine.run(60)
    assert [] in moments[: int(SETTLE / 0.25) + 1]
    assert all(moment == ["one"] for moment in moments[int(SETTLE / 0.25) + 1 :])


def test_a_second_engine_waits_and_says_so_once(machine, caplog):
    machine.engine("one", pid=1)
    machine.run(5)
    machine.engine("two", pid=2)

    assert all(moment == ["one"] for moment in machine.run(600))
    assert [record.getMessage() for record in caplog.records if "works for it already" in record.getMessage()] == [
        "default: another engine works for it already: process 1 on master; this one waits until that is gone. "
        "Is k8s_endpoints configured twice with the same cluster, or does a second master run?"
    ]


def test_of_two_that_start_at_once_only_one_works(machine):
    machine.engine("one", pid=1)
    machine.engine("two", pid=2)

    moments = machine.run(60)
    assert max(map(len, moments)) == 1
    assert len({tuple(moment) for moment in moments if moment}) == 1


def test_of_two_that_find_it_free_at_the_same_moment_only_one_works(machine):
    one, two = machine.engine("one", pid=1), machine.engine("two", pid=2)
    fetch = machine.cache.fetch
    machine.cache.fetch = lambda bank, key: None
    one.look()
    two.look()
    machine.cache.fetch = fetch

    moments = machine.run(60)
    assert {tuple(moment) for moment in moments} == {(), ("two",)}
    assert moments[-1] == ["two"]


def test_it_takes_over_at_once_from_a_process_that_is_gone(machine):
    one = machine.engine("one", pid=1)
    machine.run(5)
    machine.engine("two", pid=2)
    machine.run(5)
    del machine.running[1]

    moments = machine.run(BEAT + SETTLE + 0.5, stopped=[one])
    assert moments[-1] == ["two"]


def test_a_pid_used_again_by_another_process_is_no_holder(machine):
    one = machine.engine("one", pid=1)
    machine.run(5)
    machine.running[1] = "boot/ns 77"
    machine.engine("two", pid=2)

    assert machine.run(BEAT + SETTLE + 0.5, stopped=[one])[-1] == ["two"]


def test_on_another_machine_it_waits_until_the_beat_has_stood_still(machine):
    one = machine.engine("one", pid=1, place="elsewhere/ns")
    machine.run(5)
    machine.engine("two", pid=2)
    machine.run(5)

    moments = machine.run(PATIENCE + BEAT + SETTLE + 0.5, stopped=[one])
    assert not any(moments[: int((PATIENCE - BEAT) / 0.25)])
    assert moments[-1] == ["two"]


def test_one_that_stood_still_and_comes_back_waits_and_does_not_take_it_back(machine, caplog):
    one = machine.engine("one", pid=1, place="elsewhere/ns")
    machine.run(5)
    machine.engine("two", pid=2)
    machine.run(PATIENCE * 2, stopped=[one])

    moments = machine.run(300)
    assert all(moment == ["two"] for moment in moments[int(BEAT / 0.25) :])
    assert "another engine has taken over while this one stood still" in caplog.text


def test_a_clock_set_back_or_ahead_takes_it_from_nobody(machine):
    machine.engine("one", pid=1, place="elsewhere/ns")
    machine.run(5)
    machine.engine("two", pid=2)
    for machine.wall_off in (-7200.0, 7200.0):
        assert all(moment == ["one"] for moment in machine.run(60))


def test_a_store_that_fails_takes_it_from_nobody(machine):
    lease = machine.engine("one", pid=1)
    machine.run(5)
    machine.cache.broken = {"store"}
    machine.now += BEAT
    with pytest.raises(StoreError):
        lease.look()

    assert lease.held


def test_a_row_that_stays_unreadable_is_written_anew_after_a_while(machine):
    lease = machine.engine("one", pid=1)
    machine.cache.rows["haproxy_edge/default/engine", "lease"] = {}
    store, machine.cache.broken = machine.cache.store, {"fetch"}

    def mended(bank, key, data):
        machine.cache.broken = set()
        store(bank, key, data)

    machine.cache.store = mended
    failures = 0
    for _ in range(200):
        machine.now += 0.25
        try:
            lease.look()
        except StoreError:
            failures += 1

    assert lease.held
    assert failures == PATIENCE / BEAT


def test_a_row_that_makes_no_sense_is_free(machine):
    machine.cache.rows["haproxy_edge/default/engine", "lease"] = {"pid": "x"}
    machine.engine("one", pid=1)

    assert machine.run(5)[-1] == ["one"]


def test_this_process_is_told_from_one_that_had_its_pid():
    mine = Identity.own()

    assert mine.pid == os.getpid()
    assert mine.start == started(os.getpid())
    # not its parent, which may have been started in the same tick of the kernel's clock
    assert mine.start != started(1)
    assert started(2**22 + 1) is None


def test_a_process_that_was_killed_is_gone_before_its_parent_has_looked():
    child = subprocess.Popen(["/bin/true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert started(child.pid) is None
    child.wait()


class Turn:
    """A lease that is held when the test says so."""

    look_at = float("-inf")

    def __init__(self, held):
        self.held = held

    def look(self):
        return self.held


@pytest.fixture
def waiting():
    """An engine that waits for its turn."""
    world = World()
    world.lease = Turn(held=False)
    world.start()
    return world


def test_an_engine_that_waits_fires_no_warning(waiting):
    waiting.say(Condition("http-403", "forbidden"), listed())

    assert (waiting.bus.warnings, waiting.journal) == ([], [])
    assert "forbidden" in {condition.message for condition in waiting.daemon._alarms.conditions.values()}


def test_when_its_turn_comes_it_warns_once_of_what_still_holds(waiting):
    waiting.say(Condition("http-403", "forbidden"))
    waiting.say(Condition("http-500", "broken"))
    waiting.lease.held = True
    waiting.say()
    waiting.say(Condition("timeout", "silent"))
    waiting.say()

    assert waiting.bus.conditions(SERVICE) == ["http-500", "timeout"]


def test_what_was_over_before_its_turn_came_is_no_warning(waiting):
    waiting.say(Condition("http-403", "forbidden"))
    waiting.say(Condition("ok", "following"))
    waiting.lease.held = True
    waiting.say(listed(OLD))

    assert waiting.bus.warnings == []


def test_one_that_lost_its_turn_warns_no_more(waiting):
    waiting.lease.held = True
    waiting.say(listed(OLD))
    waiting.lease.held = False
    waiting.say()
    waiting.say(Condition("http-403", "forbidden"))

    assert waiting.bus.warnings == []
