"""Which services keep the servers they have although the cluster says otherwise, and for how long.

Pure. A service that became empty is held for a grace and emptied then: an empty list is the one good answer that looks
like a broken cluster. What somebody has frozen is held until it is thawed, and what would lose all servers of a port
because they are where they must not be, until that is mended. It must never forget a freeze, nor end one by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from haproxy_edge.records import Frozen
from haproxy_edge.store import ALL
from haproxy_edge.troubles import EMPTY, FROZEN, OUTSIDE

Verdict = Literal["goes on", "held from now", "held", "over"]


@dataclass(frozen=True)
class Held:
    """Why edges do not get what the cluster says: ``empty``, ``outside``, ``frozen`` or ``stale``; wall time."""

    reason: str
    since: float


@dataclass(frozen=True)
class _Empty:
    steady: float
    wall: float


class Holding:
    """``grace``: seconds an empty service keeps its servers."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._empty: dict[str, _Empty] = {}
        self._outside: dict[str, float] = {}
        self._frozen: Mapping[str, Frozen] = {}

    def emptied(self, service: str, now: float, wall: float) -> Verdict:
        """It has no endpoint; ask again while it has none."""
        verdict: Verdict = "held" if service in self._empty else "held from now"
        since = self._empty.setdefault(service, _Empty(now, wall)).steady
        return "over" if now >= since + self._grace else verdict

    def ended(self, service: str) -> bool:
        """It has endpoints again, or was emptied; whether it was held."""
        return self._empty.pop(service, None) is not None

    def outside(self, service: str, wall: float | None) -> None:
        """What it has left is too little, because endpoints were refused (``wall``: now), or it is not (None)."""
        if wall is None:
            self._outside.pop(service, None)
        else:
            self._outside.setdefault(service, wall)

    def why(self, service: str) -> Held | None:
        """The reason that counts."""
        frozen = self.is_frozen(service)
        if frozen:
            return Held(FROZEN, frozen.since)
        if service in self._outside:
            return Held(OUTSIDE, self._outside[service])
        return Held(EMPTY, self._empty[service].wall) if service in self._empty else None

    def over(self, now: float) -> set[str]:
        """Whose grace has ended; what is frozen is looked at when it is thawed."""
        return {service for service, end in self._ends() if now >= end}

    def ends(self) -> list[float]:
        """When `over` gives another one, monotonic."""
        return [end for _, end in self._ends()]

    def held_empty(self) -> set[str]:
        """Services within their grace."""
        return set(self._empty)

    def freeze(self, frozen: Mapping[str, Frozen]) -> None:
        """What is frozen now, as the store has it."""
        self._frozen = frozen

    def is_frozen(self, service: str) -> Frozen | None:
        """By its own name, or with all others."""
        return self._frozen.get(service) or self._frozen.get(ALL)

    def frozen_of(self, services: Iterable[str]) -> set[str]:
        """Those of ``services`` that are frozen."""
        return {service for service in services if self.is_frozen(service)}

    def _ends(self) -> Iterator[tuple[str, float]]:
        for service, since in self._empty.items():
            if not self.is_frozen(service):
                yield service, since.steady + self._grace
