"""HAProxy's runtime API: ask the running process what it serves.

One typed function per command, a deadline on every call, standard library only. It never writes: what runs is changed
by a reload.

Source: HAProxy management guide, section 9.3 "Unix Socket commands".
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from haproxy_edge_minion.renderer import DIGEST_VARIABLE

# seconds for one command and its whole answer: 5,000 servers dump in 8 ms
DEADLINE = 2.0


class RuntimeApiError(Exception):
    """The socket did not answer, or not as the manual says."""


@dataclass(frozen=True)
class RunningServer:
    """One row of ``show servers state``."""

    backend: str
    name: str
    weight: int


@dataclass(frozen=True)
class Running:
    """What the process serves: its PID, the digest of its skeleton (None: not a configuration of ours), servers."""

    pid: int
    skeleton: str | None
    servers: frozenset[RunningServer]


class RuntimeApi:
    """The stats socket at ``path``."""

    def __init__(self, path: Path, *, deadline: float = DEADLINE) -> None:
        self._path = path
        self._deadline = deadline

    def running(self) -> Running:
        """All of it. Raises `RuntimeApiError`."""
        return Running(self.pid(), self.skeleton_digest(), self.servers())

    def pid(self) -> int:
        """The worker's process id."""
        for line in self._ask("show info").splitlines():
            if line.startswith("Pid: "):
                return int(line[5:])
        raise RuntimeApiError(f"{self._path}: 'show info' tells no Pid")

    def skeleton_digest(self) -> str | None:
        """From ``setenv`` in the running configuration; None where there is none."""
        answer = self._ask(f"show env {DIGEST_VARIABLE}").strip()
        name, _, digest = answer.partition("=")
        return digest if name == DIGEST_VARIABLE else None

    def servers(self) -> frozenset[RunningServer]:
        """Every server of every backend."""
        version, _, rest = self._ask("show servers state").partition("\n")
        header, *rows = rest.splitlines() or [""]
        if version.strip() != "1" or not header.startswith("# "):
            raise RuntimeApiError(f"{self._path}: 'show servers state' answered {version[:80]!r}")
        columns = header[2:].split()
        backend, name, weight = (columns.index(column) for column in ("be_name", "srv_name", "srv_uweight"))
        cells = [row.split(" ") for row in rows if row]
        return frozenset(RunningServer(row[backend], row[name], int(row[weight])) for row in cells)

    def _ask(self, command: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self._deadline)
                connection.connect(str(self._path))
                connection.sendall(f"{command}\n".encode())
                return b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")
        except OSError as error:
            raise RuntimeApiError(f"{self._path}: {command}: {error}") from error
