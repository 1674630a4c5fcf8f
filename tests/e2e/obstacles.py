"""What stands in an edge's way: its lock is held from outside, or its disk is full."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from lab.hosts import EdgeHost
from lab.processes import wait_for

# a small disk of its own for our folder, with its content and no byte left: Salt itself keeps room for its job files
FILL = """
set -e
cp -a /var/lib/haproxy-edge /run/kept
mount -t tmpfs -o size=1m full /var/lib/haproxy-edge
cp -a /run/kept/. /var/lib/haproxy-edge
rm -r /run/kept
dd if=/dev/zero of=/var/lib/haproxy-edge/filler bs=1k 2>/dev/null && exit 1 || exit 0
"""


@contextlib.contextmanager
def full_disk(edge: EdgeHost) -> Iterator[None]:
    """Where the edge keeps what it has been told; afterwards it has what it had before."""
    edge.run(["sh", "-c", FILL])
    try:
        yield
    finally:
        edge.run(["umount", "/var/lib/haproxy-edge"])


class Lock:
    """The edge's own, held here so that what comes meets in front of it."""

    def __init__(self, edge: EdgeHost) -> None:
        self._path = edge.path("/var/lib/haproxy-edge/lock")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        with self._path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def await_waiting(self, count: int) -> None:
        wait_for(lambda: self._waiting() >= count, 60, f"{count} to wait for the lock", every=0.02)

    def _waiting(self) -> int:
        lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        own = [line[0] for line in lines if line[1] == "FLOCK" and line[4] == str(os.getpid())]
        return sum(1 for line in lines if line[0] in own and line[1] == "->")
