"""Commands to a running HAProxy, one function each.

Pure. Every value goes through one whitelist, so nothing from the API or a pillar can end a command and begin another:
``;``, newlines and ``<<`` do not fit. Each command knows the answers that mean it was done; any other answer is passed
on as the reason for a reload.

Source: HAProxy management guide, section 9.3 "Unix Socket commands".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from haproxy_edge_minion.renderer import weight
from haproxy_edge_minion.snapshot import Server

_SAFE = re.compile(r"[A-Za-z0-9._:/\[\] -]+")

# `set severity-output number` puts these numbers before messages
_ADDED = "[6]: New server registered."
_DELETED = "[6]: Server deleted."
_BUSY = "[3]: Server still has connections attached to it, cannot remove it."


@dataclass(frozen=True)
class Command:
    """``answers`` are the first lines that mean "done"; the empty one is HAProxy's silent consent."""

    text: str
    answers: tuple[str, ...] = ("",)

    def __post_init__(self) -> None:
        if not _SAFE.fullmatch(self.text):
            raise ValueError(f"{self.text!r}: not sent to HAProxy: only letters, digits and . _ : / [ ] - are")

    def done(self, answer: str) -> bool:
        """Whether ``answer`` is one of the known good ones."""
        return answer.strip() in self.answers


def add(backend: str, server: Server, flags: str) -> Command:
    """A new server, in maintenance and unchecked until told otherwise; it inherits nothing: give every flag."""
    text = f"add server {backend}/{server.name} {server.socket_address} weight {weight(server)} {flags}"
    return Command(text, (_ADDED,))


def enable_health(backend: str, name: str) -> Command:
    """Begin the checks that the server's flags describe."""
    return Command(f"enable health {backend}/{name}")


def ready(backend: str, name: str) -> Command:
    """Out of maintenance and out of a drain that somebody ordered by hand."""
    return Command(f"set server {backend}/{name} state ready")


def maintenance(backend: str, name: str) -> Command:
    """No new connection and no check; established ones go on."""
    return Command(f"set server {backend}/{name} state maint")


def set_weight(backend: str, name: str, absolute: int) -> Command:
    """Absolute: a percentage of a server that started at 0 would stay 0."""
    return Command(f"set server {backend}/{name} weight {absolute}")


def delete(backend: str, name: str) -> Command:
    """Remove a server in maintenance. One that still has connections stays, which is an answer we expect."""
    return Command(f"del server {backend}/{name}", (_DELETED, _BUSY))


def shut_sessions(backend: str, name: str) -> Command:
    """Cut what is left of a server's connections."""
    return Command(f"shutdown sessions server {backend}/{name}")
