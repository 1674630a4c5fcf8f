"""Skeleton and server lines to configuration text.

Pure. The *skeleton* is the site's rendered template: everything but the servers, with one marker line per backend.
Server lines are made here and nowhere else, so a line in the file and a command to the running process carry the same
flags. Equal input gives equal bytes.

Source: HAProxy configuration manual, sections 5.2 "Server and default-server options" and 3.1 "setenv".
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path

from haproxy_edge_minion.snapshot import Server
from haproxy_edge_minion.spec import Frontend, Spec

MARKER = "# haproxy-edge: servers of"
DIGEST_PLACEHOLDER = "@haproxy-edge-skeleton-digest@"
DIGEST_VARIABLE = "HAPROXY_EDGE_SKELETON"
_STAMP = "# haproxy-edge: sha256 of all lines above: "
# absolute weights: "100%" of a server that started at 0 would stay 0
READY_WEIGHT = 100

_SEND_PROXY = {"v2": "send-proxy-v2 check-send-proxy ", "v1": "send-proxy check-send-proxy ", "none": ""}


class SkeletonError(ValueError):
    """A rendered template that cannot be filled."""


def weight(server: Server) -> int:
    """0 keeps the connections of a draining server and gives it no new one."""
    return READY_WEIGHT if server.state == "ready" else 0


def server_flags(spec: Spec, frontend: Frontend) -> str:
    """Everything after address and weight; the same in the file and at run time."""
    check = spec.check
    return f"{_SEND_PROXY[frontend.proxy_protocol]}check inter {check.inter} fall {check.fall} rise {check.rise}"


def server_line(server: Server, flags: str) -> str:
    """One ``server`` line; the node's name is for people."""
    node = f" # node {server.node}" if server.node else ""
    return f"    server {server.name} {server.socket_address} weight {weight(server)} {flags}{node}"


def seal(skeleton: str, spec: Spec, *, socket: Path) -> tuple[str, str]:
    """(skeleton carrying its digest, digest). Server flags count as skeleton. Raises `SkeletonError`.

    ``socket`` is where HAProxy will be asked what it serves.
    """
    if skeleton.count(DIGEST_PLACEHOLDER) != 1:
        raise SkeletonError(f"the template must hold {DIGEST_PLACEHOLDER} once, in 'setenv {DIGEST_VARIABLE}'")
    lines = [line.strip() for line in skeleton.splitlines()]
    if not any(_is_admin_socket(line, socket) for line in lines):
        # without it no start and no reload is ever proven, and HAProxy has no word to say about it
        raise SkeletonError(f"the template must hold 'stats socket {socket} mode 660 level admin' in 'global'")
    missing = [frontend.name for frontend in spec.frontends if lines.count(f"{MARKER} {frontend.name}") != 1]
    if missing:
        raise SkeletonError(f"the template must hold one line '{MARKER} NAME' for each of: {', '.join(missing)}")
    unserved = [name for name, _, binds in spec.listeners if binds and f"frontend {name}" not in lines]
    if unserved:
        raise SkeletonError(f"the template must hold a 'frontend NAME' for each of: {', '.join(unserved)}")
    flags = [f"{frontend.name} {server_flags(spec, frontend)}" for frontend in spec.frontends]
    digest = hashlib.sha256("\n".join([skeleton, *flags]).encode()).hexdigest()
    return skeleton.replace(DIGEST_PLACEHOLDER, digest), digest


def _is_admin_socket(line: str, socket: Path) -> bool:
    words = line.split()
    named = words[:2] == ["stats", "socket"] and words[2:3] in ([str(socket)], [f"unix@{socket}"])
    return named and ("level", "admin") in itertools.pairwise(words)


def fill(skeleton: str, spec: Spec, servers: Mapping[str, Iterable[Server]]) -> str:
    """The configuration: each marker followed by the server lines of its backend; stamped, and ends in a newline."""
    flags = {f"{MARKER} {frontend.name}": server_flags(spec, frontend) for frontend in spec.frontends}
    filled: list[str] = []
    for line in skeleton.rstrip().splitlines():
        filled.append(line.rstrip())
        marked = flags.get(line.strip())
        if marked is not None:
            backend = line.strip()[len(MARKER) + 1 :]
            filled += [server_line(server, marked) for server in servers.get(backend, ())]
    return stamp("\n".join(filled) + "\n")


def stamp(text: str) -> str:
    """``text`` with a last line by which an edit by hand, or a torn file, is seen."""
    return f"{text}{_STAMP}{hashlib.sha256(text.encode()).hexdigest()}\n"


def is_whole(text: str) -> bool:
    """Whether ``text`` is as `fill` made it, whenever that was."""
    above, mark, _ = text.rpartition(_STAMP)
    return bool(mark) and stamp(above) == text
