"""Name each difference between what an edge should serve, what its file says and what runs.

Pure. Parity is an empty list. A server that is gone and only drains away is no difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from haproxy_edge_minion.planner import Name, Servers
from haproxy_edge_minion.renderer import weight
from haproxy_edge_minion.running import IN_MAINTENANCE, Running, RunningServer
from haproxy_edge_minion.snapshot import Server

# differences of one kind that are named; further ones are counted
NAMED = 20


def of_process(digest: str, servers: Servers, running: Running | None) -> list[str]:
    """What runs, against what should, in the backends that ``servers`` names."""
    if running is None:
        return ["haproxy: the runtime socket does not answer"]
    if running.digest != digest:
        return [f"haproxy: runs configuration {running.digest or 'not of ours'}, and the file has {digest}"]
    known = {(server.backend, server.name): server for server in running.servers if server.backend in servers}
    wanted = by_name(servers)
    return capped(list(_of_servers(wanted, known)))


def of_file(wanted: str, found: str) -> list[str]:
    """The configuration file, against the record of what was written."""
    if wanted == found:
        return []
    if not found:
        return ["haproxy.cfg: missing or empty"]
    mine, theirs = Counter(wanted.splitlines()), Counter(found.splitlines())
    extra = [f"haproxy.cfg: not ours: {line.strip()!r}" for line in (theirs - mine)]
    lost = [f"haproxy.cfg: missing: {line.strip()!r}" for line in (mine - theirs)]
    return capped([*extra, *lost] or ["haproxy.cfg: its lines stand in another order"])


def of_snapshots(wanted: Servers, recorded: Servers) -> list[str]:
    """The record of what was written, against the saved snapshots."""
    mine, theirs = by_name(wanted), by_name(recorded)
    lost = [f"{_called(name)}: in the snapshot, not in haproxy.cfg" for name in mine if name not in theirs]
    extra = [f"{_called(name)}: in haproxy.cfg, not in the snapshot" for name in theirs if name not in mine]
    other = [f"{_called(name)}: in haproxy.cfg with another state" for name in mine if _differ(name, mine, theirs)]
    return capped([*lost, *extra, *other])


def by_name(servers: Servers) -> dict[Name, Server]:
    """All backends' servers in one mapping."""
    return {(backend, server.name): server for backend, listed in servers.items() for server in listed}


def capped(differences: Sequence[str]) -> list[str]:
    """No more than a person reads."""
    more = len(differences) - NAMED
    return [*differences[:NAMED], f"… and {more} more"] if more > 0 else list(differences)


def _of_servers(wanted: dict[Name, Server], known: dict[Name, RunningServer]) -> Iterator[str]:
    for name, server in wanted.items():
        running = known.get(name)
        if running is None:
            yield f"{_called(name)}: does not run"
        else:
            yield from (f"{_called(name)}: {problem}" for problem in _of_server(server, running))
    for name, running in known.items():
        if name not in wanted and not running.admin_state & IN_MAINTENANCE:
            yield f"{_called(name)}: runs, and should not"


def _of_server(server: Server, running: RunningServer) -> Iterator[str]:
    if (running.address, running.port) != (server.address, server.port):
        yield f"runs at {running.address} port {running.port}"
    if running.weight != weight(server):
        yield f"runs with weight {running.weight} instead of {weight(server)}"
    if running.admin_state:
        yield "was taken out of service by hand" if not running.admin_state & IN_MAINTENANCE else "is in maintenance"
    if not running.checked:
        yield "its health checks stand still"


def _differ(name: Name, mine: dict[Name, Server], theirs: dict[Name, Server]) -> bool:
    return name in theirs and mine[name].state != theirs[name].state


def _called(name: Name) -> str:
    return "/".join(name)
