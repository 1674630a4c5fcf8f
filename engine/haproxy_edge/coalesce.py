"""Spacing of publishes: the first change at once, further ones at most every interval, the last one always.

Pure: it is told the time and says when to act. It holds names of what changed, never content, so what goes out is
always the newest.
"""

from __future__ import annotations


class Coalescer:
    """Collects changed services and says which are due. Times are seconds of one monotonic clock."""

    def __init__(self, min_interval: float) -> None:
        self._min_interval = min_interval
        self._pending: dict[str, None] = {}
        self._not_before = float("-inf")

    def add(self, service: str) -> None:
        """Note a change."""
        self._pending[service] = None

    def due_in(self, now: float) -> float | None:
        """Seconds until `take` gives something; None when nothing is pending."""
        return max(0.0, self._not_before - now) if self._pending else None

    def take(self, now: float) -> list[str]:
        """What is due now, in order of its first change; empty when too early."""
        if not self._pending or now < self._not_before:
            return []
        taken = list(self._pending)
        self._pending.clear()
        self._not_before = now + self._min_interval
        return taken
