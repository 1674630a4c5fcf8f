"""Decide what an edge should serve and whether HAProxy has to be told.

Pure: ``(spec, what the master says, what was served, what runs) -> (servers, problems)`` and
``(text, what runs) -> reason to reload``. Its rule above all: what is not known is not changed. A backend whose
servers cannot be told keeps those it had; the others go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from haproxy_edge_minion.renderer import weight
from haproxy_edge_minion.runtime import Running, RunningServer
from haproxy_edge_minion.snapshot import Server, Snapshot
from haproxy_edge_minion.spec import Frontend, Spec

Servers = Mapping[str, tuple[Server, ...]]


@dataclass(frozen=True)
class Unusable:
    """Why there is no snapshot of a service."""

    reason: str


Given = Mapping[tuple[str, str], Snapshot | Unusable]


@dataclass(frozen=True)
class Target:
    """The servers each backend shall have, and what stood in the way, one line per frontend."""

    servers: Servers
    problems: tuple[str, ...]


def target(spec: Spec, given: Given, before: Servers) -> Target:
    """``given`` is by (cluster, service); ``before`` is what each backend served last."""
    servers: dict[str, tuple[Server, ...]] = {}
    problems: list[str] = []
    for frontend in spec.frontends:
        found = _servers_of(frontend, given)
        if isinstance(found, Unusable):
            kept = before.get(frontend.name, ())
            problems.append(f"{frontend.key}: {found.reason}; {_kept(kept)}")
            found = kept
        servers[frontend.name] = found
    return Target(servers, tuple(problems))


def reload_reason(digest: str, servers: Servers, running: Running | None) -> str | None:
    """Why the running process must load the file; None when it serves exactly this already."""
    if running is None:
        return "the runtime socket does not answer, so what runs is not a configuration of ours"
    if running.skeleton is None:
        return "the running configuration is not ours"
    if running.skeleton != digest:
        return "frontends, settings or server flags changed"
    wanted = expected(servers)
    if wanted == running.servers:
        return None
    names = {(server.backend, server.name) for server in wanted}
    known = {(server.backend, server.name) for server in running.servers}
    added, removed = len(names - known), len(known - names)
    reweighted = len(wanted - running.servers) - added
    return f"servers changed: {added} added, {removed} removed, {reweighted} with another weight"


def expected(servers: Servers) -> frozenset[RunningServer]:
    """What ``show servers state`` tells of a process that serves this."""
    return frozenset(
        RunningServer(backend, server.name, weight(server)) for backend, listed in servers.items() for server in listed
    )


def _servers_of(frontend: Frontend, given: Given) -> tuple[Server, ...] | Unusable:
    snapshot = given.get((frontend.cluster, frontend.service), Unusable("the master gave no snapshot"))
    if isinstance(snapshot, Unusable):
        return Unusable(f"service {frontend.service}: {snapshot.reason}")
    if frontend.port in snapshot.ports:
        return snapshot.ports[frontend.port]
    others = sorted(name or "''" for name, servers in snapshot.ports.items() if servers)
    if not others:
        return ()
    return Unusable(f"port {frontend.port!r}: {frontend.service} has no such port; it has {', '.join(others)}")


def _kept(servers: tuple[Server, ...]) -> str:
    return f"its {len(servers)} servers stay as they are" if servers else "it has no servers yet"
