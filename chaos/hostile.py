"""Faults with an author: an accepted minion that says what is not so."""

from __future__ import annotations

from chaos.fault import Fault
from chaos.stage import Stage
from lab.master import CHECKOUT

FORGED = 1000
_FORGER = "/tmp/forger.py"


def _forge(stage: Stage) -> None:
    stage.kept["jobs"] = {name: stage.published(name) for name in ("state.apply", "haproxy_edge.sync")}
    stage.edge.path(_FORGER).write_text((CHECKOUT / "chaos/forger.py").read_text())
    others = [edge.name for edge in stage.lab.edges[1:]]
    stage.edge.run(["/opt/salt/bin/python", _FORGER, str(FORGED), *others], timeout=120)
    now = {name: stage.published(name) for name in stage.kept["jobs"]}
    stage.kept["published"] = {name: sorted(now[name] - jobs) for name, jobs in stage.kept["jobs"].items()}


def _nothing_was_published(stage: Stage) -> None:
    published = {name: jobs for name, jobs in stage.kept["published"].items() if jobs}
    assert not published, f"forged events caused {published}"


FAULTS = (
    Fault(
        f"a rogue minion forging {FORGED:,} events",
        "doorbells, starts and other edges' returns: nothing is published, no edge moves, no figure changes",
        begin=_forge,
        holds=_nothing_was_published,
    ),
)
