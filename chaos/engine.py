"""Faults of the engine: killed at any instant, doubled by mistake, and more changes than can be published.

Whoever works afterwards goes on from the store; no change may be lost by it, and none be published twice.
"""

from __future__ import annotations

import copy
import json
import os
import re
import signal
import sys

from chaos import storm
from chaos.engines.k8s_endpoints_under_fire import AFTER_DOORBELL, AFTER_STORE, BEFORE_STORE
from chaos.fault import Fault
from chaos.stage import Stage
from lab import fabric
from lab.figures import percentile
from lab.processes import RUN, LabError, end, netns, spawn

KILL_AT = RUN / "kill-at"
# seconds: Salt looks after its processes every ten; the rest is the engine's own start
ENGINE_BOUND = 15.0
_OTHER_ENGINE = "other-engine"
_OTHER_LOG = RUN / f"{_OTHER_ENGINE}.log"
_SYNC = "haproxy_edge.sync"
# what the engine logs when it stores a change, when it works, and when it waits for another
_STORED, _WORKS, _WAITS = (
    re.compile(r": \d+ ready, \d+ draining"),
    "this engine works for it",
    "another engine works for it already",
)


def _killed_at(point: str) -> Fault:
    return Fault(
        f"engine killed {point}",
        "restarted by Salt, it goes on from the store: at most 15 s late",
        begin=lambda _stage: KILL_AT.write_text(point),
        holds=_was_killed,
        instant=True,
        bound=ENGINE_BOUND,
    )


def _was_killed(stage: Stage) -> None:
    assert not KILL_AT.exists(), f"the engine never came to the point {KILL_AT.read_text()!r}"
    stage.await_engine()


def _storm(stage: Stage) -> None:
    """How long quiet changes take first."""
    stage.kept["quiet"] = storm.quiet(stage, storm.QUIET)
    stage.kept["memory"] = stage.resident_kb()
    stage.kept["storm"] = storm.storm(stage)


def _storm_holds(stage: Stage) -> None:
    quiet, seen = percentile(stage.kept["quiet"], 99), stage.kept["storm"]
    stage.figures["storm: changes"] = round(seen.changes / seen.seconds, 1)
    stage.figures["storm: publishes"] = len(seen.jobs)
    stage.figures["storm: publishes allowed"] = seen.allowed
    stage.figures["storm: last state / quiet"] = round(seen.after / quiet, 2)
    stage.figures["storm: memory growth"] = round(100 * (stage.resident_kb() / stage.kept["memory"] - 1), 1)
    assert len(seen.jobs) <= seen.allowed, f"{len(seen.jobs)} publishes"
    assert seen.after <= 2 * quiet, f"the last state took {seen.after:.2f} s, a quiet one {quiet:.2f}"


def _other_engine(stage: Stage) -> None:
    """The same engine once more, beside the one Salt started."""
    code = (
        "import json, logging, sys, salt.config\n"
        "from haproxy_edge.engines import k8s_endpoints as engine\n"
        "logging.basicConfig(level=logging.INFO, force=True)\n"
        "engine.__opts__ = salt.config.master_config(sys.argv[1])\n"
        "(given,) = engine.__opts__['engines'][0].values()\n"
        "known = json.loads(sys.argv[2])\n"
        "engine.start(**{name: value for name, value in given.items() if name not in known})\n"
    )
    command = [sys.executable, "-c", code, str(RUN / "master/etc/master"), json.dumps(["engine_module", "kill_at"])]
    _OTHER_LOG.unlink(missing_ok=True)
    spawn(_OTHER_ENGINE, netns(fabric.namespace("master"), command))
    stage.wait(lambda: _WAITS in _OTHER_LOG.read_text(), "the second engine to say that it waits")


def _configured_twice(stage: Stage) -> None:
    """The same entry twice under ``engines``."""
    (entry,) = stage.lab.master.configuration()["engines"]
    # a copy: Salt takes a key out of what would be an alias in YAML, and would not know the second one any more
    stage.lab.master.configure(engines=[entry, copy.deepcopy(entry)])
    stage.restart_master()
    stage.await_logged(_WORKS)
    stage.await_logged(_WAITS)


def _configured_once(stage: Stage) -> None:
    stage.roll()
    stage.lab.master.configure(engines=stage.lab.master.configuration()["engines"][:1])
    stage.restart_master()


def _one_works_at_a_time(stage: Stage) -> None:
    """Each change is stored and published once, before the engine that works is killed and after."""
    _once_each(stage)
    first, waited = stage.worker(), _all_logged(stage).count(_WAITS)
    os.kill(first, signal.SIGKILL)
    stage.wait(lambda: stage.worker() != first, "another engine to take over")
    _once_each(stage)
    # the other one: either the second, or the first, which Salt has started anew
    stage.wait(lambda: _all_logged(stage).count(_WAITS) > waited, "one of the engines to say that it waits")


def _once_each(stage: Stage) -> None:
    number = 3
    stage.await_confirmed()
    worker, stored, published = stage.worker(), _stored(stage), _to_fleet(stage)
    for each in range(number):
        stage.await_right(stage.flutter(each))
    found = _stored(stage) - stored, len(_to_fleet(stage) - published), stage.worker()
    if found != (number, number, worker):
        raise LabError(f"{number} changes: (stored, published, engine that works) is {found}, it was {worker}")


def _stored(stage: Stage) -> int:
    """How many changes any engine has stored since the fault began."""
    return len(_STORED.findall(_all_logged(stage)))


def _to_fleet(stage: Stage) -> set[str]:
    """Jobs for all edges; one that did not confirm in time is rung alone, and that is no second publish."""
    jobs = stage.lab.master.run("jobs.list_jobs", f"search_function={_SYNC}")
    return {job for job, row in jobs.items() if row["Target-type"] == "grain"}


def _all_logged(stage: Stage) -> str:
    """By Salt's engines and the one by hand."""
    return stage.logged() + (_OTHER_LOG.read_text() if _OTHER_LOG.exists() else "")


def _end_other_engine(stage: Stage) -> None:
    end(RUN / f"{_OTHER_ENGINE}.pid", patience=1, first=signal.SIGKILL)
    stage.roll()


def _met_no_defect(_stage: Stage) -> None:
    log = _OTHER_LOG.read_text()
    _OTHER_LOG.unlink()
    assert _WAITS in log, log[-500:]
    assert "Traceback" not in log, log[-500:]


FAULTS = (
    Fault(
        f"{storm.CHANGES:,} changes in {storm.SECONDS:.0f} s",
        "at most one publish per min_interval; the last state everywhere within twice a quiet change",
        begin=_storm,
        holds=_storm_holds,
    ),
    Fault(
        "engine kill -9",
        "restarted by Salt, it goes on from the store: at most 15 s late",
        begin=Stage.kill_engine,
        holds=Stage.await_engine,
        instant=True,
        bound=ENGINE_BOUND,
        short=True,
    ),
    _killed_at(BEFORE_STORE),
    _killed_at(AFTER_STORE),
    _killed_at(AFTER_DOORBELL),
    Fault(
        "two engines by mistake: one by hand",
        "one waits and goes on when the other is killed; each change is stored and published once",
        begin=_other_engine,
        change=_one_works_at_a_time,
        end=_end_other_engine,
        holds=_met_no_defect,
    ),
    Fault(
        "two engines by mistake: configured twice",
        "one waits and goes on when the other is killed; each change is stored and published once",
        begin=_configured_twice,
        change=_one_works_at_a_time,
        end=_configured_once,
    ),
)
