"""A snapshot: the servers of one service, per port name, as edges receive it.

This module is the contract with the edge and does no I/O. It must never let a value through that the edge's own
check (``haproxy_edge_minion.snapshot``) refuses.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

# what a snapshot may hold; ``haproxy_edge_minion.snapshot`` says the same to the edge, and a test compares them
SCHEMA = 1
State = Literal["ready", "draining"]
STATES: tuple[State, ...] = get_args(State)
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
CLUSTER = re.compile(_LABEL)
SERVICE = re.compile(f"{_LABEL}/{_LABEL}")
PORT_NAME = re.compile(f"({_LABEL})?")
NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,252})?")
DEFAULT_CLUSTER = "default"


@dataclass(frozen=True)
class Server:
    """One place to send connections to; its identity is (address, port).

    ``address`` is canonical text of an IPv4 or IPv6 address, ``port`` 1 to 65535; ``pod``, ``node`` and ``zone``
    are names for people and may be empty.
    """

    address: str
    port: int
    state: State = "ready"
    pod: str = ""
    node: str = ""
    zone: str = ""

    @property
    def name(self) -> str:
        """As HAProxy calls it."""
        return f"{self.pod or 'endpoint'}:{self.address}:{self.port}"

    def as_json(self) -> dict[str, Any]:
        """The shape of a server in a snapshot."""
        return {
            "pod": self.pod,
            "address": self.address,
            "port": self.port,
            "state": self.state,
            "node": self.node,
            "zone": self.zone,
        }


Ports = Mapping[str, tuple[Server, ...]]


@dataclass(frozen=True)
class Snapshot:
    """The content of one service at one generation (milliseconds since 1970, only ever growing)."""

    cluster: str
    service: str
    ports: Ports
    generation: int
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", digest_of(self.cluster, self.service, self.ports))

    def to_json(self) -> str:
        """Canonical text: equal content gives equal bytes."""
        return canonical(
            {
                "schema": SCHEMA,
                "cluster": self.cluster,
                "service": self.service,
                "generation": self.generation,
                "digest": self.digest,
                "ports": _ports_as_json(self.ports),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Snapshot:
        """Read back what `to_json` wrote. Raises ``ValueError`` on anything else."""
        try:
            raw = json.loads(text)
            ports = {name: tuple(Server(**server) for server in servers) for name, servers in raw["ports"].items()}
            snapshot = cls(raw["cluster"], raw["service"], ports, int(raw["generation"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a stored snapshot: {error!r}") from error
        if raw["schema"] != SCHEMA or raw["digest"] != snapshot.digest:
            raise ValueError(f"stored snapshot of {snapshot.service} does not match its own digest")
        return snapshot

    @property
    def is_empty(self) -> bool:
        """No port has a server."""
        return not any(self.ports.values())

    def count(self, state: State) -> int:
        """Servers in that state, over all ports."""
        return sum(server.state == state for servers in self.ports.values() for server in servers)


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest_of(cluster: str, service: str, ports: Ports) -> str:
    """``sha256:`` and hex over the content alone: the generation is not part of it."""
    content = {"schema": SCHEMA, "cluster": cluster, "service": service, "ports": _ports_as_json(ports)}
    return "sha256:" + hashlib.sha256(canonical(content).encode()).hexdigest()


def next_generation(previous: int, now: float) -> int:
    """Grows even when the clock (``now``, seconds since 1970) was set back."""
    return max(previous + 1, int(now * 1000))


def _ports_as_json(ports: Ports) -> dict[str, list[dict[str, Any]]]:
    return {name: [server.as_json() for server in servers] for name, servers in ports.items()}
