"""Endpoints whose addresses nobody has: any number of servers that cost an edge next to nothing to check.

An edge has to have no way to them, or its checks would go out into the network the machine stands in.
"""

from __future__ import annotations

from lab import fabric
from lab.cluster_objects import Endpoint
from lab.hosts import EdgeHost
from lab.processes import run

_FIRST = "10.245"
NETWORK = f"{_FIRST}.0.0/16"
# as Kubernetes fills its slices
PER_SLICE = 100
_ROW, _NODES = 250, 20
# how many addresses there are of that form
MOST = _ROW * 250


def far_endpoint(number: int, pod: str = "far") -> Endpoint:
    """``pod-<number>``, with an address that no other of `MOST` numbers has."""
    row, place = divmod(number % MOST, _ROW)
    return Endpoint(f"{pod}-{number:05}", f"{_FIRST}.{row}.{place + 1}", f"node-{number % _NODES}")


def cut_off(edge: EdgeHost) -> None:
    """No way from that edge to any of them."""
    run(["ip", "-n", fabric.namespace(edge.name), "route", "add", "unreachable", NETWORK])
