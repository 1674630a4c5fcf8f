"""Which watches have not been heard for too long. Pure.

A watch that fails says so itself; this finds the ones that only believe that they work, and says how old the view is.
"""

from __future__ import annotations

from collections.abc import Iterable

from haproxy_edge.reflector import Freshness, Watch


class Staleness:
    """``stale_after``: seconds since the last contact, or since ``began`` where there was none yet (monotonic)."""

    def __init__(self, stale_after: float, began: float) -> None:
        self._stale_after = stale_after
        self._began = began
        self._since: dict[Watch, float] = {}

    def look(
        self, watches: Iterable[tuple[Watch, Freshness]], *, now: float, wall: float
    ) -> tuple[list[tuple[Watch, float]], list[Watch]]:
        """Those that have become stale, with the age of their view in seconds, and those that are fresh again."""
        ages = {watch: min(freshness.age(), now - self._began) for watch, freshness in watches}
        stale = {watch: age for watch, age in ages.items() if age > self._stale_after}
        became = [(watch, age) for watch, age in stale.items() if watch not in self._since]
        fresh = [watch for watch in self._since if watch not in stale]
        self._since.update({watch: wall - age for watch, age in became})
        for watch in fresh:
            del self._since[watch]
        return became, fresh

    def since(self, service: str) -> float | None:
        """Wall time of the last contact of the service's watch, when that is too long ago."""
        return next((since for watch, since in self._since.items() if service in watch.services), None)
