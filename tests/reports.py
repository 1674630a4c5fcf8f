"""A made report of the engine, in the shape the real one has (`haproxy_edge.report`), for what only shows it.

That the shape is the real one is a test of its own: ``tests/unit/engine/test_metrics.py``.
"""

from __future__ import annotations

from typing import Any

from haproxy_edge.options import check
from haproxy_edge.report import options_row

NOW = 1_764_000_000.0
TRAEFIK, GITEA = "kube-system/traefik", "gitea/gitea-ssh"
GENERATION = int((NOW - 40) * 1000)
SLICES = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"


def watch(namespace: str = "kube-system", **changed: Any) -> dict[str, Any]:
    """One that follows, three seconds after it was last heard."""
    row = {
        "path": SLICES.format(namespace),
        "services": [TRAEFIK],
        "condition": "ok",
        "message": "following",
        "last_contact": NOW - 3,
        "relists": {"http-410": 2},
    }
    return {**row, **changed}


def service(**changed: Any) -> dict[str, Any]:
    """One that six servers serve, changed 40 seconds ago."""
    row = {
        "generation": GENERATION,
        "digest": "sha256:ab",
        "ready": 6,
        "draining": 1,
        "held": None,
        "held_since": None,
        "refused": [],
    }
    return {**row, **changed}


def edge(**changed: Any) -> dict[str, Any]:
    """One that confirmed everything."""
    row = {
        "behind_since": None,
        "applied": {TRAEFIK: GENERATION},
        "lacks": [],
        "lane": "hot",
        "reload": None,
        "problems": [],
        "state_needed": None,
        "heard_at": NOW - 40,
        "ms": 23.4,
    }
    return {**row, **changed}


def change(**changed: Any) -> dict[str, Any]:
    """One row of the history: two edges confirmed."""
    row = {
        "service": TRAEFIK,
        "generation": GENERATION,
        "digest": "sha256:ab",
        "at": NOW - 40,
        "ready": 6,
        "draining": 1,
        "added": ["traefik-7d5c-x:10.42.0.9:8443"],
        "drained": [],
        "removed": [],
        "edges": {"edge1": 0.12, "edge2": 0.21},
        "waiting": [],
    }
    return {**row, **changed}


def report(**changed: Any) -> dict[str, Any]:
    """Two edges, two services, two watches; all is well."""
    row = {
        "at": NOW,
        "cycled_at": NOW - 1,
        "pid": 4242,
        "version": "0.1.0",
        "cluster": "default",
        "options": options_row(check({"services": [TRAEFIK, GITEA]})),
        "watches": [watch(), watch("gitea", services=[GITEA], relists={})],
        "services": {TRAEFIK: service(), GITEA: service(ready=1, draining=0)},
        "edges": {"edge1": edge(), "edge2": edge(reload={"at": NOW - 7200, "reason": "settings changed"})},
        "counters": {
            "changes": {TRAEFIK: 14},
            "doorbells": {"hot": 14, "state": 1},
            "orders": {"hot": 14, "state": 1},
            "published": {"hot": 14},
            "forged": {},
            "reloads": {"configuration": 3},
        },
        "convergence": {"bounds": [0.1, 0.25, 0.5], "counts": [2, 9, 2, 1], "sum": 3.4, "count": 14},
    }
    return {**row, **changed}
