"""Faults of the master: its engine, its reactor, its disk and its clock.

With no master at all the edges serve on; what a fault leaves half done has to be finished by whoever comes back.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
import time

from chaos import clock, storm
from chaos.disk import fill, free
from chaos.engines.k8s_endpoints_under_fire import AFTER_DOORBELL, AFTER_STORE, BEFORE_STORE, MASTER_AFTER_DOORBELL
from chaos.fault import MINUTE, Fault
from chaos.stage import Stage
from lab import fabric
from lab.master import CHECKOUT
from lab.processes import RUN, end, netns, spawn

KILL_AT = RUN / "kill-at"
# Salt looks after its processes every ten seconds; the rest is the engine's own start
ENGINE_BOUND = 15.0
_OTHER_ENGINE = "other-engine"
_DOORBELLS = 500


def _killed_at(point: str) -> Fault:
    return Fault(
        f"engine killed {point}",
        "restarted by Salt, it goes on from the store: at most 15 s late",
        begin=lambda _stage: KILL_AT.write_text(point),
        holds=_was_killed,
        instant=True,
        bound=ENGINE_BOUND,
        needs="under fire",
    )


def _was_killed(stage: Stage) -> None:
    assert not KILL_AT.exists(), f"the engine never came to the point {KILL_AT.read_text()!r}"
    stage.await_engine()


def _await_master_gone(stage: Stage) -> None:
    """The doorbell rings, and that kills the master."""
    stage.roll()
    stage.wait(lambda: not KILL_AT.exists(), "the doorbell to kill the master")


def _storm(stage: Stage) -> None:
    """How long quiet changes take first."""
    stage.kept["quiet"] = storm.quiet(stage, storm.QUIET)
    stage.kept["memory"] = stage.resident_kb()
    stage.kept["storm"] = storm.storm(stage)


def _storm_holds(stage: Stage) -> None:
    quiet, seen = max(stage.kept["quiet"]), stage.kept["storm"]
    stage.figures["storm: changes"] = round(seen.changes / seen.seconds, 1)
    stage.figures["storm: publishes"] = len(seen.jobs)
    stage.figures["storm: publishes allowed"] = seen.allowed
    stage.figures["storm: fastest publishes a second"] = round(seen.fastest, 1)
    stage.figures["storm: last state / quiet"] = round(seen.after / quiet, 2)
    stage.figures["storm: memory growth"] = round(100 * (stage.resident_kb() / stage.kept["memory"] - 1), 1)
    assert len(seen.jobs) <= seen.allowed, f"{len(seen.jobs)} publishes"
    assert seen.after <= 2 * quiet, f"the last state took {seen.after:.2f} s, a quiet one {quiet:.2f}"


def _flood(_stage: Stage) -> None:
    """Doorbells without an order, as fast as the bus takes them."""
    code = (
        "import salt.config, salt.utils.event as e\n"
        f"opts = salt.config.master_config({str(RUN / 'master/etc/master')!r})\n"
        "bus = e.get_master_event(opts, opts['sock_dir'], listen=False)\n"
        f"for number in range({_DOORBELLS}):\n"
        "    bus.fire_event({}, 'haproxy_edge/doorbell/' + ('hot', 'state')[number % 2])\n"
    )
    spawn("flood", netns(fabric.namespace("master"), [sys.executable, "-c", code])).wait(60)


def _other_engine(_stage: Stage) -> None:
    """The same engine once more, beside the one Salt started."""
    code = (
        "import json, sys, salt.config\n"
        "from haproxy_edge.engines import k8s_endpoints as engine\n"
        "engine.__opts__ = salt.config.master_config(sys.argv[1])\n"
        "(given,) = engine.__opts__['engines'][0].values()\n"
        "known = json.loads(sys.argv[2])\n"
        "engine.start(**{name: value for name, value in given.items() if name not in known})\n"
    )
    command = [sys.executable, "-c", code, str(RUN / "master/etc/master"), json.dumps(["engine_module", "kill_at"])]
    spawn(_OTHER_ENGINE, netns(fabric.namespace("master"), command))


def _end_other_engine(_stage: Stage) -> None:
    end(RUN / f"{_OTHER_ENGINE}.pid", patience=1, first=signal.SIGKILL)


def _both_followed(_stage: Stage) -> None:
    log = (RUN / f"{_OTHER_ENGINE}.log").read_text()
    assert "Traceback" not in log, log[-500:]


def _was_full(stage: Stage) -> None:
    """Or the fault was none."""
    assert "No space left on device" in stage.lab.master.log(), "the engine never met the full disk"


def _break_template(stage: Stage) -> None:
    """A site's own template that no longer renders."""
    target = RUN / "site/haproxy/files/haproxy.cfg.jinja"
    target.parent.mkdir(parents=True, exist_ok=True)
    ours = (CHECKOUT / "salt/states/haproxy/files/haproxy.cfg.jinja").read_text()
    target.write_text(ours.replace("defaults\n", "defaults\n{% if spec.nonsense\n"))
    stage.kept["said"] = stage.failed_states(stage.edge)


def _mend_template(_stage: Stage) -> None:
    shutil.rmtree(RUN / "site")
    (RUN / "site").mkdir()


def _said_which(stage: Stage) -> None:
    assert "haproxy.cfg.jinja" in stage.kept["said"], stage.kept["said"]
    assert not stage.failed_states(stage.edge)


def _roll_by_clock(stage: Stage, hours: int) -> None:
    """The change comes through and, with a clock ahead, shows that the engine has that clock."""
    stage.roll()
    stage.await_right()
    stored = next((RUN / "master/cache/haproxy_edge/default/services").glob("*")).read_bytes()
    ahead = max(map(int, re.findall(rb'"generation":(\d+)', stored))) / 1000 - time.time()
    assert hours < 0 or abs(ahead - hours * 3600) < 120, f"the stored generation is {ahead:.0f} s ahead"
    # one more for the time after
    stage.roll()


def _clock(hours: int) -> Fault:
    return Fault(
        f"the master's clock {abs(hours)} h {'ahead' if hours > 0 else 'back'}",
        "generations only grow and waits are monotonic: no edge is locked out, then or later",
        begin=lambda stage: stage.restart_master(**clock.off_by(hours)),
        change=lambda stage: _roll_by_clock(stage, hours),
        end=Stage.restart_master,
        lasts=5,
    )


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
        "master killed between doorbell and publish",
        "the order is issued again for want of a confirmation",
        begin=lambda _stage: KILL_AT.write_text(MASTER_AFTER_DOORBELL),
        change=_await_master_gone,
        end=Stage.start_master,
        lasts=1,
        needs="under fire",
    ),
    Fault(
        "master killed for a minute",
        "edges serve on; the change arrives when it is back",
        begin=lambda stage: stage.lab.master.kill(),
        end=Stage.start_master,
        lasts=MINUTE,
    ),
    Fault(
        f"reactor flooded with {_DOORBELLS} doorbells",
        "no order is due, so nothing is published; a real one is taken from the outbox",
        begin=_flood,
    ),
    Fault(
        "disk full on the master",
        "what is not stored is not ordered; tried again each second",
        begin=lambda stage: fill(stage.engine(), RUN / "master/cache/haproxy_edge", stage.kept),
        end=lambda stage: free(stage.kept),
        holds=_was_full,
        lasts=5,
        short=True,
    ),
    Fault(
        "a site's broken template",
        "the state fails and names it; pods' changes go on",
        begin=_break_template,
        end=_mend_template,
        holds=_said_which,
        needs="site",
    ),
    _clock(+1),
    _clock(-1),
    Fault(
        "two engines by mistake",
        "the second one waits; edges follow the first",
        begin=_other_engine,
        end=_end_other_engine,
        holds=_both_followed,
        lasts=8,
    ),
)
