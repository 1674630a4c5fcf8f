"""Decide what an edge should serve, and how to get there from what it serves.

Pure. Two questions, asked in this order by both lanes:

`target`  (spec, what the master says, what was served) -> (servers per backend, problems)
`plan`    (spec, digest, servers, what runs) -> (commands, reason to reload or None)

Its rules:

* What is not known is not changed. A backend whose servers cannot be told keeps those it had; the others go on.
* Only another skeleton, or a process that cannot be asked, is a reason to reload. Pods come and go by commands.
* First what is new takes traffic, then what is gone loses it. A server that is gone keeps its established sessions
  until they end or until `drain_timeout`, and is deleted only then.
* Only backends named in `servers` are touched: a site's template may have others, with servers of its own.
* `plan` for a process that already serves this is empty, whatever order its servers are in: parity is an empty plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from haproxy_edge_minion import commands
from haproxy_edge_minion.commands import Command
from haproxy_edge_minion.renderer import server_flags, weight
from haproxy_edge_minion.running import IN_MAINTENANCE, Running, RunningServer
from haproxy_edge_minion.snapshot import Server, Snapshot
from haproxy_edge_minion.spec import Frontend, Spec

Servers = Mapping[str, tuple[Server, ...]]
# the first HAProxy whose `add server` and `del server` are not experimental
RUNTIME_SERVERS_SINCE = (2, 6)
# (backend, server name)
Name = tuple[str, str]


@dataclass(frozen=True)
class Unusable:
    """Why there is no snapshot of a service; ``refused`` when there is one, and it is not to be used."""

    reason: str
    refused: bool = False


Offered = Mapping[tuple[str, str], Snapshot | Unusable]


@dataclass(frozen=True)
class Target:
    """The servers each backend shall have, and what stood in the way, one line per frontend."""

    servers: Servers
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Counts:
    """How many servers came, were changed otherwise, were told to drain, and went."""

    added: int = 0
    changed: int = 0
    drained: int = 0
    removed: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in vars(self).items())


@dataclass(frozen=True)
class Plan:
    """``changes`` move traffic and are worth telling; ``collect`` deletes what has drained, as far as it has.

    ``leaving`` are the servers that are gone and not yet deleted once the plan is done.
    """

    reload_reason: str | None = None
    changes: tuple[Command, ...] = ()
    collect: tuple[Command, ...] = ()
    leaving: frozenset[Name] = frozenset()
    counts: Counts = Counts()

    @property
    def parity(self) -> bool:
        """Whether the process serves exactly this already; servers still draining away do not count."""
        return not self.reload_reason and not self.changes


def target(spec: Spec, offered: Offered, before: Servers) -> Target:
    """``offered`` is by (cluster, service); ``before`` is what each backend served last."""
    servers: dict[str, tuple[Server, ...]] = {}
    problems: list[str] = []
    for frontend in spec.frontends:
        found = _servers_of(frontend, offered)
        if isinstance(found, Unusable):
            kept = before.get(frontend.name, ())
            problems.append(f"{frontend.key}: {found.reason}; {_kept(kept)}")
            found = kept
        servers[frontend.name] = found
    return Target(servers, tuple(problems))


def plan(
    spec: Spec, digest: str, servers: Servers, running: Running | None, *, overdue: frozenset[Name] = frozenset()
) -> Plan:
    """``overdue`` are leaving servers whose sessions have had their `drain_timeout`."""
    if running is None:
        return Plan("the runtime socket does not answer, so what runs is not a configuration of ours")
    if running.digest is None:
        return Plan("the running configuration is not ours")
    if running.digest != digest:
        return Plan("frontends, settings or server flags changed")
    # what is as it should be is set aside at once: of thousands of servers, few are not
    should = {_as_row(backend, server): server for backend, listed in servers.items() for server in listed}
    # a backend that the site's template has of its own is nobody's concern here
    ours = (row for row in running.servers.difference(should) if row.backend in servers)
    known = {(row.backend, row.name): row for row in ours}
    wanted = {(row.backend, row.name): server for row, server in should.items() if row not in running.servers}
    way = _by_commands(spec, wanted, known, overdue)
    if way.changes and running.is_older_than(*RUNTIME_SERVERS_SINCE):
        return Plan(f"HAProxy {running.version} takes no servers at run time; from 2.6 on no pod change reloads")
    strange = next((name for name, server in wanted.items() if not _same_place(server, known.get(name))), None)
    if strange:
        return Plan(f"server {'/'.join(strange)} runs with another address than its name says")
    return way


def _as_row(backend: str, server: Server) -> RunningServer:
    """How the runtime API shows ``server`` when nothing is to be done about it."""
    return RunningServer(backend, server.name, server.address, server.port, weight(server), 0, True)


def _by_commands(
    spec: Spec, wanted: Mapping[Name, Server], known: Mapping[Name, RunningServer], overdue: frozenset[Name]
) -> Plan:
    flags = {frontend.name: server_flags(spec, frontend) for frontend in spec.frontends}
    added = [name for name in wanted if name not in known]
    mended = {name: list(_mend(name, server, known[name])) for name, server in wanted.items() if name in known}
    changed = [name for name, mending in mended.items() if mending]
    drained = [name for name in changed if weight(wanted[name]) == 0 < known[name].weight]
    leaving = sorted(name for name in known if name not in wanted)
    removed = [name for name in leaving if not known[name].admin_state & IN_MAINTENANCE]
    return Plan(
        changes=(
            *(command for name in added for command in _begin(name, wanted[name], flags[name[0]])),
            *(command for name in changed for command in mended[name]),
            *(commands.maintenance(*name) for name in removed),
        ),
        collect=tuple(command for name in leaving for command in _end(name, name in overdue)),
        leaving=frozenset(leaving),
        counts=Counts(len(added), len(changed) - len(drained), len(drained), len(removed)),
    )


def _begin(name: Name, server: Server, flags: str) -> Iterator[Command]:
    yield commands.add(name[0], server, flags)
    yield commands.enable_health(*name)
    yield commands.ready(*name)


def _mend(name: Name, server: Server, running: RunningServer) -> Iterator[Command]:
    """From what runs to what should; a run that was killed between two commands is mended here, too."""
    if running.weight != weight(server):
        yield commands.set_weight(*name, weight(server))
    if not running.checked:
        yield commands.enable_health(*name)
    if running.admin_state:
        yield commands.ready(*name)


def _end(name: Name, overdue: bool) -> Iterator[Command]:
    if overdue:
        yield commands.shut_sessions(*name)
    yield commands.delete(*name)


def _same_place(server: Server, running: RunningServer | None) -> bool:
    return running is None or (running.address, running.port) == (server.address, server.port)


def _servers_of(frontend: Frontend, offered: Offered) -> tuple[Server, ...] | Unusable:
    snapshot = offered.get((frontend.cluster, frontend.service), Unusable("the master gave no snapshot"))
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
