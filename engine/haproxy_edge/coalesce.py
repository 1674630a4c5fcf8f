"""Spacing of publishes: the first change at once, further ones when the edges are ready for them, the last one always.

Ready is who has confirmed the publish before, where that was one of the hot lane, for a short while at most: on hosts
that are slower than the changes, jobs would pile up otherwise, each making the next slower still. Pure: it is told the
time and says when to act. It holds names of what changed, never content, so what goes out is always the newest. What is
frozen waits until it is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

# seconds that the next publish waits for confirmations of the last; longer, and one slow edge would delay the others
PATIENCE = 1.0


class Coalescer:
    """Collects changed services and says which are due. Times are seconds of one monotonic clock."""

    def __init__(self, min_interval: float, *, patience: float = PATIENCE) -> None:
        self._min_interval = min_interval
        self._patience = patience
        self._pending: dict[str, None] = {}
        self._not_before = float("-inf")
        self._order = ""
        self._awaited: set[str] = set()
        self._awaited_until = float("-inf")

    def add(self, service: str) -> None:
        """Note a change."""
        self._pending[service] = None

    def due_in(self, now: float, *, frozen: Set[str] = frozenset()) -> float | None:
        """Seconds until `due` gives something; None when nothing is pending but what is frozen."""
        return max(0.0, self._ready_at() - now) if self._pending.keys() - frozen else None

    def due(self, now: float, *, frozen: Set[str] = frozenset()) -> list[str]:
        """What may go out now, in order of its first change; empty when too early. `taken` says that it did."""
        if now < self._ready_at():
            return []
        return [service for service in self._pending if service not in frozen]

    def taken(self, services: Iterable[str], now: float) -> None:
        """They are on their way; the next ones wait for the interval."""
        for service in services:
            self._pending.pop(service, None)
        self._not_before = now + self._min_interval

    def ordered(self, order: str, edges: Iterable[str], now: float) -> None:
        """What was taken went out as ``order``; ``edges`` are those that can be expected to confirm it at once."""
        self._order, self._awaited, self._awaited_until = order, set(edges), now + self._patience

    def confirmed(self, order: str, edge: str) -> bool:
        """An edge has answered an order; when it is the last of the last one, the next may go out.

        Whether this answer was waited for.
        """
        awaited = order == self._order and edge in self._awaited
        if awaited:
            self._awaited.discard(edge)
        return awaited

    def _ready_at(self) -> float:
        return max(self._not_before, self._awaited_until) if self._awaited else self._not_before
