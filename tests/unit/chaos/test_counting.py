"""What the runner counts: whom a fault may cost a connection, and which pod is a wrong one."""

from __future__ import annotations

from types import SimpleNamespace

from chaos.fault import Fault, Outcome
from chaos.runner import _count
from lab.traffic import Record

BEGAN, RECOVERED = 10.0, 20.0


def record(place="edge2/ipv4", start=12.0, pod="new", error=""):
    return Record(place, start, start + 0.1, pod, "", error)


def counted(*records, streams=(), kills=()):
    outcome = Outcome(Fault("f", "p", begin=lambda _: None, kills=kills))
    probe = SimpleNamespace(records=lambda: list(records), streams=lambda: list(streams), stop=lambda: None)
    stage = SimpleNamespace(ever={"old", "new"}, wanted=[SimpleNamespace(name="new")])
    _count(outcome, probe, stage, BEGAN, RECOVERED)
    return outcome


def test_the_old_pod_is_right_until_recovery_and_wrong_after():
    assert counted(record(pod="old"), record()).wrong == 0
    assert counted(record(pod="old", start=20.5)).wrong == 1


def test_a_pod_that_was_never_wanted_is_wrong_at_any_time():
    assert counted(record(pod="foreign"), record(pod="foreign", start=21.0), record()).wrong == 2


def test_what_ended_before_the_fault_does_not_count():
    assert counted(record(start=5.0, error="refused")).connections == 0


def test_a_failure_counts_against_the_fault_only_where_it_did_not_kill_haproxy():
    failures = [record("edge1/ipv6", pod="", error="reset"), record("edge2/ipv6", pod="", error="reset")]
    cuts = [record("stream edge1/ipv4", error="cut"), record("stream edge3/ipv4", error="cut")]
    outcome = counted(*failures, streams=cuts, kills=("edge1",))
    assert (outcome.failed, outcome.failed_elsewhere, outcome.cut, outcome.cut_elsewhere) == (2, 1, 2, 1)
    assert outcome.problems == ["edge2/ipv6: reset", "stream edge3/ipv4: cut"]
