"""Which watches have not been heard for too long, said once when it begins and once when it ends.

A watch that fails says so itself; this finds the ones that only believe that they work, and says how old the view is.
It must never change what is known: an old view still counts.
"""

from __future__ import annotations

from collections.abc import Mapping

from haproxy_edge.alarms import Alarms
from haproxy_edge.reflector import Freshness, Watch
from haproxy_edge.troubles import FRESH, STALE


class Staleness:
    """``stale_after``: seconds since the last contact, or since ``began`` where there was none yet (monotonic)."""

    def __init__(self, stale_after: float, began: float, alarms: Alarms) -> None:
        self._stale_after = stale_after
        self._began = began
        self._alarms = alarms
        self._since: dict[Watch, float] = {}

    def look(self, watches: Mapping[Watch, Freshness], *, now: float, wall: float) -> None:
        """Warn of those that have become stale, and of those that are fresh again.

        One that is no more counts as heard: what it was to see is another's affair since the API said so.
        """
        for watch in self._since.keys() - watches.keys():
            self._heard(watch)
        for watch, freshness in watches.items():
            age = min(freshness.age(), now - self._began)
            stale, known = age > self._stale_after, watch in self._since
            if stale and not known:
                self._since[watch] = wall - age
                self._warn(watch, STALE, f"the API was last heard {age:.0f} s ago; edges stay as they are")
            elif known and not stale:
                self._heard(watch)

    def since(self, service: str) -> float | None:
        """Wall time of the last contact of the service's watch, when that is too long ago."""
        return next((since for watch, since in self._since.items() if service in watch.services), None)

    def _heard(self, watch: Watch) -> None:
        del self._since[watch]
        self._warn(watch, FRESH, "the API is heard again")

    def _warn(self, watch: Watch, condition: str, message: str) -> None:
        for service in watch.services:
            self._alarms.warn(service, condition, message)
