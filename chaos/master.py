"""Faults of the master: its processes, its reactor, its disk and its clock.

With no master at all the edges serve on; what a fault leaves half done has to be finished by whoever comes back.
"""

from __future__ import annotations

import re
import shutil
import sys
import time

from chaos import clock
from chaos.disk import fill, free
from chaos.engine import KILL_AT
from chaos.engines.k8s_endpoints_under_fire import MASTER_AFTER_DOORBELL
from chaos.fault import MINUTE, Fault
from chaos.stage import Stage
from lab import fabric
from lab.master import CHECKOUT
from lab.processes import RUN, netns, spawn

# the bus keeps 10,000 for a reader that is slow, and drops it with all of them at one more
_FLOOD = 15_000
FLOOD_TAG, FLOOD_SLS = "site/flood", CHECKOUT / "chaos/reactor/site_flood.sls"


def _await_master_gone(stage: Stage) -> None:
    """The doorbell rings, and that kills the master."""
    stage.roll()
    stage.wait(lambda: not KILL_AT.exists(), "the doorbell to kill the master")


def _flood(stage: Stage) -> None:
    """Events of a site's own, for each of which the reactor has to look at a file."""
    command = [sys.executable, "-m", "chaos.flood", str(RUN / "master/etc/master"), FLOOD_TAG, str(_FLOOD)]
    in_checkout = {"PYTHONPATH": str(CHECKOUT)}
    stage.kept["flood"] = spawn("flood", netns(fabric.namespace("master"), command), environment=in_checkout)


def _roll_through_flood(stage: Stage) -> None:
    """So that some doorbells stand in the queue that the bus gives up."""
    while stage.kept["flood"].poll() is None:
        stage.roll()
        time.sleep(1)


def _queue_was_dropped(stage: Stage) -> None:
    """Or the flood was none."""
    assert "Publisher discarding slow subscriber" in stage.logged(), "the bus has kept every event for the reactor"


def _was_full(stage: Stage) -> None:
    """Or the fault was none."""
    assert "No space left on device" in stage.logged(), "the engine never met the full disk"


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
        "master killed between doorbell and publish",
        "the order is issued again for want of a confirmation",
        begin=lambda _stage: KILL_AT.write_text(MASTER_AFTER_DOORBELL),
        change=_await_master_gone,
        end=Stage.start_master,
        lasts=1,
    ),
    Fault(
        "master killed for a minute",
        "edges serve on; the change arrives when it is back",
        begin=lambda stage: stage.lab.master.kill(),
        end=Stage.start_master,
        lasts=MINUTE,
    ),
    Fault(
        f"reactor flooded with {_FLOOD:,} events",
        "the bus drops its queue, doorbells and all; for what stands in the outbox they ring again",
        begin=_flood,
        change=_roll_through_flood,
        end=lambda stage: stage.kept["flood"].wait(60),
        holds=_queue_was_dropped,
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
        change=Stage.follow,
        end=_mend_template,
        holds=_said_which,
    ),
    _clock(+1),
    _clock(-1),
)
