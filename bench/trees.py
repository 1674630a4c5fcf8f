"""What a tree of processes has used and what it holds: a way's own on the master, or everything on an edge.

A process that has ended counts with its parent, which waited for it; so the sum over a tree only ever grows. It must
never be read while the tree is busy ending: what is between a child and its parent at that instant is missed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from bench.process import Process, Spent, spent
from lab.hosts import EdgeHost, children
from lab.processes import LabError

# seconds between two looks at memory: a look at a dozen processes takes some milliseconds of a processor
_EVERY = 1.0


@dataclass(frozen=True)
class WaySpent(Spent):
    """Of a way's own processes on the master, and of all edges together."""

    master: float
    edges: float


def tree(leader: int) -> set[int]:
    """The process and all that come from it."""
    found, below = set(), [leader]
    while below:
        pid = below.pop()
        found.add(pid)
        below += children(pid)
    return found


def inside(edge: EdgeHost) -> set[int]:
    """Every process of the edge."""
    return edge.pids("")


def spent_so_far(leader: int | None, edges: Collection[EdgeHost]) -> WaySpent:
    """Of a way and the edges it is in charge of."""
    on_edges = sum(spent(inside(edge)) for edge in edges)
    return WaySpent(time.monotonic(), spent(tree(leader)) if leader else 0.0, on_edges)


def memory_mb(pids: Collection[int]) -> float:
    """Each page counts once, however many of them share it."""
    held = 0.0
    for pid in pids:
        with contextlib.suppress(LabError, PermissionError):
            held += Process(pid).proportional_mb()
    return held


class Peak:
    """A context: the most memory that ``whose`` processes held at any look, in MB."""

    def __init__(self, whose: Callable[[], Collection[int]]) -> None:
        self._whose = whose
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.mb = 0.0

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            self.mb = max(self.mb, memory_mb(self._whose()))
            if self._over.wait(_EVERY):
                return
