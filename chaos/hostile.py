"""Faults with an author: an accepted minion that says what is not so.

Nothing of it may ever be believed, published or served, however it gets onto the master's bus.
"""

from __future__ import annotations

import json
from typing import Any

from chaos.fault import Fault
from chaos.stage import Stage
from lab.master import CHECKOUT

FORGED = 1000
_ROGUE = "/root/rogue.py"
_PUBLISHED = ("state.apply", "haproxy_edge.sync")
_EVIL = "sha256:evil"


def _lies(victim: str) -> list[dict[str, Any]]:
    """Every form in which a minion gets something onto the master's bus."""
    ack = {
        "edge": victim,
        "order": "forged",
        "lane": "hot",
        "serves": {"default kube-system/traefik": {"generation": 9_999_999_999_999, "digest": _EVIL}},
        "done": "",
        "problems": [],
        "state_needed": "because I say so",
        "ms": 1.0,
        "sequence": 1 << 60,
        "hmac": "0" * 64,
    }
    job = {"jid": "20990101000000000000", "id": victim, "fun": "haproxy_edge.sync", "return": ack, "success": True}
    return [
        {"kind": "event", "tag": "haproxy_edge/doorbell/hot", "data": {"tgt": "*"}},
        {"kind": "event", "tag": "haproxy_edge/doorbell/state", "data": {}},
        {"kind": "events", "tag": "haproxy_edge/doorbell/state", "data": {}},
        {"kind": "event", "tag": f"salt/minion/{victim}/start", "data": {"id": victim}},
        {"kind": "event", "tag": f"haproxy_edge/ack/{victim}", "data": ack},
        {"kind": "event", "tag": f"salt/job/{job['jid']}/ret/{victim}", "data": job},
        {"kind": "syndic_return", "victim": victim, "fun": "haproxy_edge.sync", "returned": ack},
        {"kind": "resource_return", "victim": victim, "fun": "haproxy_edge.sync", "returned": ack},
    ]


def _forge(stage: Stage) -> None:
    before = {name: stage.published(name) for name in _PUBLISHED}
    lies = _lies(stage.lab.edges[1].name)
    acts = [{**lie, "repeat": FORGED // len(lies)} for lie in lies]
    stage.edge.path(_ROGUE).write_text((CHECKOUT / "lab/rogue.py").read_text())
    stage.edge.run(["/opt/salt/bin/python", "-W", "ignore", _ROGUE, json.dumps(acts)], timeout=120)
    stage.kept["published"] = {name: sorted(stage.published(name) - before[name]) for name in _PUBLISHED}


def _nothing_came_of_it(stage: Stage) -> None:
    published = {name: jobs for name, jobs in stage.kept["published"].items() if jobs}
    assert not published, f"forged events caused {published}"
    victim = stage.lab.master.run("cache.fetch", "haproxy_edge/default/edges", stage.lab.edges[1].name)
    assert _EVIL not in json.dumps(victim), f"a forged confirmation counted: {victim}"


FAULTS = (
    Fault(
        f"a rogue minion forging {FORGED:,} events",
        "doorbells, starts and other edges' returns: nothing is published, no edge moves, no figure changes",
        begin=_forge,
        holds=_nothing_came_of_it,
    ),
)
