"""HAProxy's runtime API: what the running process serves, and orders to it.

A deadline on every call, many commands in one connection, standard library only. It knows no policy: what to say is
the planner's, how each command reads is in `commands`.

HAProxy answers in its interactive mode, because only its prompt tells where one answer ends and the next begins: some
answers end in an empty line, some do not, and some are empty.

Source: HAProxy management guide, section 9.3 "Unix Socket commands".
"""

from __future__ import annotations

import itertools
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from haproxy_edge_minion.commands import Command
from haproxy_edge_minion.renderer import DIGEST_VARIABLE

# seconds for one call and its whole answer: 5,000 servers dump in 8 ms, 3,000 are added in 0.5 s
DEADLINE = 5.0
_PROMPT = "\n> "
# commands sent before their answers are read; more could fill both directions' buffers and wait for ever
_WINDOW = 50
_QUESTIONS = ("show info", f"show env {DIGEST_VARIABLE}", "show servers state")
_COLUMNS = ("be_name", "srv_name", "srv_addr", "srv_port", "srv_uweight", "srv_admin_state", "srv_check_state")
# srv_admin_state, bits FMAINT and CMAINT: by command, by configuration
IN_MAINTENANCE = 0x01 | 0x04
# srv_check_state, bit ENABLED: an added server's checks stand still until told
_CHECK_ENABLED = 0x04


class RuntimeApiError(Exception):
    """The socket did not answer, or not as the manual says; the message carries the answer."""


class RunningServer(NamedTuple):
    """One row of ``show servers state``. ``admin_state`` is 0 when nobody put it into maintenance or drain.

    A tuple, because there are thousands in each answer.
    """

    backend: str
    name: str
    address: str
    port: int
    weight: int
    admin_state: int
    checked: bool


@dataclass(frozen=True)
class Running:
    """What the process serves: its PID, the digest of its skeleton (None: not a configuration of ours), servers.

    ``version`` is HAProxy's, without what a distribution puts after it.
    """

    pid: int
    skeleton: str | None
    servers: frozenset[RunningServer]
    version: str = ""

    def is_older_than(self, major: int, minor: int) -> bool:
        """Of an unknown version nothing is said."""
        return bool(self.version) and tuple(map(int, self.version.split(".")[:2])) < (major, minor)


class RuntimeApi:
    """The stats socket at ``path``. ``clock`` is monotonic seconds."""

    def __init__(self, path: Path, *, deadline: float = DEADLINE, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._deadline = deadline
        self._clock = clock

    def running(self) -> Running:
        """All of it, by one connection. Raises `RuntimeApiError`."""
        info, environment, servers = self._talk(_QUESTIONS)
        try:
            return Running(_pid(info), _skeleton(environment), frozenset(_servers(servers)), _version(info))
        except (ValueError, IndexError) as error:
            raise RuntimeApiError(f"{self._path}: an answer that is not understood: {error}") from error

    def order(self, commands: Sequence[Command]) -> tuple[str, ...]:
        """Send ``commands`` in their order; their answers. Raises `RuntimeApiError` on an answer not known as good.

        What came after such a command was sent as well, at most one window of it.
        """
        answers: list[str] = []
        for window in _windows(commands):
            answers += self._talk([command.text for command in window])
            for command, answer in zip(window, answers[-len(window) :], strict=True):
                if not command.done(answer):
                    raise RuntimeApiError(f"HAProxy answered {answer.strip()[:200]!r} to {command.text!r}")
        return tuple(answers)

    def _talk(self, texts: Sequence[str]) -> list[str]:
        until = self._clock() + self._deadline
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self._deadline)
                connection.connect(str(self._path))
                lines = ["prompt", "set severity-output number", *texts]
                connection.sendall("".join(f"{line}\n" for line in lines).encode())
                return self._answers(connection, len(lines), until)[2:]
        except OSError as error:
            raise RuntimeApiError(f"{self._path}: {error}") from error

    def _answers(self, connection: socket.socket, count: int, until: float) -> list[str]:
        received = b""
        while received.count(_PROMPT.encode()) < count:
            connection.settimeout(max(until - self._clock(), 0.001))
            more = connection.recv(1 << 20)
            if not more:
                raise RuntimeApiError(f"{self._path}: HAProxy hung up after {received[-200:]!r}")
            received += more
        return received.decode(errors="replace").split(_PROMPT)[:count]


def _windows(commands: Sequence[Command]) -> Iterator[Sequence[Command]]:
    for start in itertools.count(0, _WINDOW):
        if start >= len(commands):
            return
        yield commands[start : start + _WINDOW]


def _pid(info: str) -> int:
    found = re.search(r"^Pid: (\d+)$", info, re.MULTILINE)
    if not found:
        raise ValueError("'show info' tells no Pid")
    return int(found[1])


def _version(info: str) -> str:
    found = re.search(r"^Version: (\d+\.\d+(\.\d+)?)", info, re.MULTILINE)
    return found[1] if found else ""


def _skeleton(answer: str) -> str | None:
    name, _, digest = answer.strip().partition("=")
    return digest if name == DIGEST_VARIABLE else None


def _servers(answer: str) -> Iterator[RunningServer]:
    version, _, rest = answer.partition("\n")
    header, *rows = rest.splitlines() or [""]
    if version.strip() != "1" or not header.startswith("# "):
        raise ValueError(f"'show servers state' begins with {version[:80]!r}")
    at = _columns(header[2:].split())
    for row in filter(None, rows):
        cells = row.split(" ")
        yield RunningServer(
            cells[at[0]],
            cells[at[1]],
            cells[at[2]],
            int(cells[at[3]]),
            int(cells[at[4]]),
            int(cells[at[5]]),
            bool(int(cells[at[6]]) & _CHECK_ENABLED),
        )


def _columns(names: list[str]) -> list[int]:
    """Where the fields of a `RunningServer` stand."""
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise ValueError(f"'show servers state' has no column {', '.join(missing)}")
    return [names.index(name) for name in _COLUMNS]
