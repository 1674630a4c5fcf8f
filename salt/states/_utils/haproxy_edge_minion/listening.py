"""Who listens: whether somebody does already where a bind would, and whether a worker of HAProxy still does.

A bind is tried by binding a socket, without listening, and letting it go: only the kernel knows all the rules. Nothing
that runs is disturbed. It must never judge: whether a holder is the right one is the caller's to say.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from haproxy_edge_minion.binds import Place

# seconds: how young the worker of a reload is that may still be under way
RELOADING = 2.0
_LISTEN = "0A"
# fields of /proc/PID/stat, counted from the state
_PARENT, _STARTED = 1, 19
_PROC = Path("/proc")
_FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


def _uptime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def trouble(place: Place) -> OSError | None:
    """Why nobody could listen there now; None when it is free."""
    try:
        with socket.socket(_FAMILIES[place.family], socket.SOCK_STREAM) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if place.family == "ipv6":
                attempt.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(place.only))
            attempt.bind((place.host, place.port))
    except OSError as error:
        return error
    return None


def in_use(error: OSError | None) -> bool:
    """Whether somebody else has it."""
    return error is not None and error.errno == errno.EADDRINUSE


def holders(ports: set[int], proc: Path = _PROC) -> Mapping[int, list[str]]:
    """Names of the processes that listen on each of these ports, over either family; only root sees all."""
    sockets = {f"socket:[{inode}]": port for port, inode in _listening(proc) if port in ports}
    found: dict[int, set[str]] = {port: set() for port in ports}
    for link, name in _open_sockets(proc) if sockets else ():
        if link in sockets:
            found[sockets[link]].add(name)
    return {port: sorted(names) for port, names in found.items()}


def listens(pid: int, proc: Path = _PROC) -> bool:
    """Whether this process takes connections; False when there is no such process."""
    listening = {f"socket:[{inode}]" for _, inode in _listening(proc)}
    return any(link in listening for link in _links(proc / str(pid)))


def replaced_workers(worker: int, proc: Path = _PROC, *, uptime: Callable[[], float] = _uptime) -> set[int]:
    """The workers, gone or not, in whose place a reload of these seconds puts others; ``worker`` is one of either.

    Empty when there was none. For a reload HAProxy's master process starts itself anew with ``-sf`` and the workers
    that have to finish, as does the worker that it then makes; the master goes on without (management guide, 3).
    """
    try:
        master = _stat(proc / str(worker))[_PARENT]
        workers = (proc / master / "task" / master / "children").read_text().split()
    except (OSError, IndexError):
        return set()
    young = [one for one in workers if uptime() - _started(proc / one) < RELOADING]
    return {int(pid) for process in (master, *young) for pid in _to_finish(proc / process)}


def _stat(process: Path) -> list[str]:
    """From the state on: a name may hold anything."""
    return (process / "stat").read_text().rpartition(") ")[2].split()


def _started(process: Path) -> float:
    """Seconds after boot; for ever ago when it is gone."""
    try:
        return int(_stat(process)[_STARTED]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return float("-inf")


def _to_finish(process: Path) -> Iterator[str]:
    with contextlib.suppress(OSError, ValueError):
        words = (process / "cmdline").read_text().split("\0")
        yield from itertools.takewhile(str.isdigit, words[words.index("-sf") + 1 :])


def global_ipv6(proc: Path = _PROC) -> list[str]:
    """This host's IPv6 addresses that others can reach it by; empty without IPv6."""
    try:
        rows = [line.split() for line in (proc / "net/if_inet6").read_text().splitlines()]
    except OSError:
        return []
    return sorted(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(row[0])) for row in rows if row[3] == "00")


def _listening(proc: Path) -> Iterator[tuple[int, str]]:
    for table in ("net/tcp", "net/tcp6"):
        with contextlib.suppress(OSError):
            for row in (proc / table).read_text().splitlines()[1:]:
                cells = row.split()
                if cells[3] == _LISTEN:
                    yield int(cells[1].rpartition(":")[2], 16), cells[9]


def _open_sockets(proc: Path) -> Iterator[tuple[str, str]]:
    """(link, process name) of every open socket."""
    for process in proc.glob("[0-9]*"):
        # processes end while we look
        with contextlib.suppress(OSError):
            name = (process / "comm").read_text().strip()
            for link in _links(process):
                yield link, name


def _links(process: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(descriptor.readlink())
