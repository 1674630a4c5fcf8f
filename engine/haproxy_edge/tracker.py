"""Which edge is behind, and when it is rung again.

Pure: it is told the time, the fleet, what the store holds and what edges confirmed, and says whom to ring. It forgets
nobody: an edge that does not confirm is rung for as long as it takes, with growing pauses, and never delays another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from haproxy_edge.acks import Ack

# seconds: the longest pause between two rings of one edge
LONGEST_PAUSE = 300.0


@dataclass
class Edge:
    """What is known of one edge. ``due`` is when it is rung if it is still behind; monotonic seconds."""

    due: float
    pause: float
    serves: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    heard: bool = False
    problems: tuple[str, ...] = ()
    state_needed: str | None = None


class Tracker:
    """``ack_timeout`` seconds are what an edge may take. ``jitter`` spreads a number of seconds."""

    def __init__(self, cluster: str, ack_timeout: float, *, jitter: Callable[[float], float]) -> None:
        self._cluster = cluster
        self._ack_timeout = ack_timeout
        self._jitter = jitter
        self._digests: dict[str, str] = {}
        self._edges: dict[str, Edge] = {}

    def stored(self, service: str, digest: str) -> None:
        """What every edge that serves ``service`` shall confirm from now on."""
        self._digests[f"{self._cluster} {service}"] = digest

    def expect(self, fleet: Iterable[str], now: float) -> None:
        """The edges there are. A new one is due when it has not confirmed in time; one that is gone is forgotten."""
        self._edges = {name: self._edges.get(name) or self._fresh(now) for name in fleet}

    def ordered(self, now: float) -> None:
        """All edges were told something new: each has its time to confirm it."""
        for name, edge in self._edges.items():
            # one that is behind for long keeps its pause, or a busy cluster would ring it at every change
            if not self.is_behind(name) or edge.pause <= self._ack_timeout:
                edge.due, edge.pause = now + self._ack_timeout, self._ack_timeout

    def confirmed(self, ack: Ack, now: float) -> None:
        """A verified acknowledgement. One that asks for the state lane is due at once, the first time."""
        edge = self._edges.get(ack.edge)
        if edge is None:
            return
        urgent = ack.state_needed is not None and edge.state_needed is None
        edge.serves, edge.heard = ack.serves, True
        edge.problems, edge.state_needed = ack.problems, ack.state_needed
        if urgent:
            edge.due = now
        if not self.is_behind(ack.edge):
            edge.pause = self._ack_timeout

    def is_behind(self, name: str) -> bool:
        """Never heard, in need of the state lane, or serving other content than the store's."""
        edge = self._edges[name]
        if not edge.heard or edge.state_needed or edge.problems:
            return True
        return any(self._digests.get(key, digest) != digest for key, (_, digest) in edge.serves.items())

    def take(self, now: float) -> list[str]:
        """Who has to be rung now; each gets a longer pause for the next time."""
        names = [name for name, edge in sorted(self._edges.items()) if edge.due <= now and self.is_behind(name)]
        for name in names:
            edge = self._edges[name]
            edge.pause = min(edge.pause * 2, LONGEST_PAUSE)
            edge.due = now + self._jitter(edge.pause)
        return names

    def due_at(self) -> float:
        """When `take` may next give a name; infinite when nobody is behind."""
        return min((edge.due for name, edge in self._edges.items() if self.is_behind(name)), default=float("inf"))

    def _fresh(self, now: float) -> Edge:
        return Edge(due=now + self._ack_timeout, pause=self._ack_timeout)
