"""HAProxy's runtime API: questions and commands to the running process, over its socket.

A deadline on every call, many commands in one connection, standard library only. It knows no policy: what to say is
the planner's, how each command reads is in `commands`, what the answers mean in `running`.

HAProxy answers in its interactive mode, because only its prompt tells where one answer ends and the next begins: some
answers end in an empty line, some do not, and some are empty.

Source: HAProxy management guide, section 9.3 "Unix Socket commands".
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from haproxy_edge_minion import running
from haproxy_edge_minion.commands import Command
from haproxy_edge_minion.running import Running

# seconds for one call and its whole answer: 5,000 servers dump in 8 ms, 3,000 are added in 0.5 s
DEADLINE = 5.0
_PROMPT = "\n> "
# commands sent before their answers are read; more could fill both directions' buffers and wait for ever
_WINDOW = 50


class RuntimeApiError(Exception):
    """The socket did not answer, or not as the manual says; the message carries the answer."""


class RuntimeApi:
    """The stats socket at ``path``. ``clock`` is monotonic seconds."""

    def __init__(self, path: Path, *, deadline: float = DEADLINE, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._deadline = deadline
        self._clock = clock

    def running(self) -> Running:
        """All of it, by one connection. Raises `RuntimeApiError`."""
        answers = self._talk(running.QUESTIONS)
        try:
            return running.read(answers)
        except ValueError as error:
            raise RuntimeApiError(f"{self._path}: an answer that is not understood: {error}") from error

    def pid(self) -> int:
        """Of the worker that answers now. Raises `RuntimeApiError`."""
        try:
            return running.pid_of(self._talk(("show info",))[0])
        except ValueError as error:
            raise RuntimeApiError(f"{self._path}: an answer that is not understood: {error}") from error

    def send(self, commands: Sequence[Command]) -> tuple[str, ...]:
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
