"""Which watches have not been heard for too long. Pure.

A watch that fails says so itself; this finds the ones that only believe that they work, and says how old the view is.
"""

from __future__ import annotations

from collections.abc import Iterable

from haproxy_edge.reflector import Freshness, Target


class Staleness:
    """``stale_after``: seconds since the last contact, or since ``began`` where there was none yet (monotonic)."""

    def __init__(self, stale_after: float, began: float) -> None:
        self._stale_after = stale_after
        self._began = began
        self._since: dict[Target, float] = {}

    def look(
        self, watches: Iterable[tuple[Target, Freshness]], *, now: float, wall: float
    ) -> tuple[list[tuple[Target, float]], list[Target]]:
        """Those that have become stale, with the age of their view in seconds, and those that are fresh again."""
        ages = {target: min(freshness.age(), now - self._began) for target, freshness in watches}
        stale = {target: age for target, age in ages.items() if age > self._stale_after}
        became = [(target, age) for target, age in stale.items() if target not in self._since]
        fresh = [target for target in self._since if target not in stale]
        self._since.update({target: wall - age for target, age in became})
        for target in fresh:
            del self._since[target]
        return became, fresh

    def since(self, service: str) -> float | None:
        """Wall time of the last contact of the service's watch, when that is too long ago."""
        return next((since for target, since in self._since.items() if service in target.services), None)
