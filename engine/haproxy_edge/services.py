"""From what the watches saw to what the store has: one snapshot per service, new only when its content is.

Here it is decided whether the cluster's word is taken at all: nothing before a list, nothing while frozen, nothing
empty before its grace is over, no endpoint from where none may be. What is not stored is never ordered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from haproxy_edge.alarms import Alarms
from haproxy_edge.capped import capped
from haproxy_edge.holding import Held, Holding
from haproxy_edge.networks import Inside, inside
from haproxy_edge.options import Options
from haproxy_edge.records import Frozen
from haproxy_edge.reflector import Change, Condition, Watch
from haproxy_edge.snapshot import Ports, Snapshot, next_generation
from haproxy_edge.store import Store, StoreError
from haproxy_edge.troubles import EMPTIED, EMPTY, OUTSIDE, SLICE
from haproxy_edge.view import View

log = logging.getLogger(__name__)

# endpoints that are named in a warning and in the report; the rest is a number
_NAMED = 10


@dataclass(frozen=True)
class Stored:
    """The store has ``snapshot`` in the place of ``previous``."""

    previous: Snapshot | None
    snapshot: Snapshot


class Services:
    """The services of one engine. ``wall`` is seconds since 1970."""

    def __init__(self, options: Options, store: Store, alarms: Alarms, wall: Callable[[], float]) -> None:
        self._options = options
        self._store = store
        self._alarms = alarms
        self._wall = wall
        self._view = View()
        self._holding = Holding(options.empty_grace)
        self._unread = set(options.services)
        self._above: dict[str, int] = {}
        self.changed: set[str] = set()
        self.stored: dict[str, Snapshot] = {}
        self.refused: dict[str, tuple[str, ...]] = {}

    def accept(self, watch: Watch, change: Change) -> None:
        """Something a watch saw; `evaluate` acts on it."""
        if isinstance(change, Condition):
            self._alarms.view_of(watch, change)
        concerned = self._view.accept(watch, change)
        self.changed |= concerned
        # not left to the evaluation: while the store is broken that never sees endpoints that came and went
        for service in concerned & self._holding.held_empty():
            merged = self._view.merged(service)
            if merged and any(merged.ports.values()):
                self._back(service)

    def freeze(self, frozen: dict[str, Frozen]) -> tuple[set[str], set[str]]:
        """What is frozen now; those that were not before, and those that are no more and are looked at again."""
        before = self.frozen()
        self._holding.freeze(frozen)
        thawed = before - self.frozen()
        self.changed |= thawed
        return self.frozen() - before, thawed

    def frozen(self) -> set[str]:
        """The services that are frozen."""
        return self._holding.frozen_of(self._options.services)

    def why_held(self, service: str) -> Held | None:
        """Why it keeps what it has whatever the cluster says; None: it does not."""
        return self._holding.why(service)

    def graces_end(self) -> list[float]:
        """When to `evaluate` again for what is empty, monotonic."""
        return self._holding.ends()

    def refused_by_edge(self, service: str, generation: int) -> None:
        """An edge has that generation with other content: ours is issued above it."""
        self._above[service] = max(generation, self._above.get(service, 0))
        self.changed.add(service)

    def read_again(self) -> None:
        """The store is to be believed anew: somebody may have lost, restored or mended it."""
        self._unread.update(self._options.services)
        self.changed.update(self._options.services)

    def read(self, service: str) -> Snapshot | None:
        """As stored; this engine is the only writer, so reading it once in a while is enough. Raises `StoreError`."""
        if service in self._unread:
            stored = self._store.snapshot(self._options.cluster, service)
            self._unread.discard(service)
            if stored is None:
                self.stored.pop(service, None)
            else:
                self.stored[service] = stored
        return self.stored.get(service)

    def evaluate(self, now: float) -> Iterator[Stored]:
        """Store what changed, one at a time. Raises the last `StoreError` when all that can be is done."""
        failure: StoreError | None = None
        for service in sorted(self.changed | self._holding.over(now)):
            try:
                snapshot = self._judged(service, now)
                if snapshot:
                    yield self._save(snapshot)
                self.changed.discard(service)
            except StoreError as error:
                failure = error  # the other services go on
        if failure:
            raise failure

    def _judged(self, service: str, now: float) -> Snapshot | None:
        """What the store has to have instead of what it has."""
        merged = self._view.merged(service)
        # thawing evaluates it again
        if merged is None or self._holding.is_frozen(service):
            return None
        self._alarms.all_of(service, SLICE, merged.warnings)
        previous = self.read(service)
        ports = self._allowed(service, merged.ports, previous)
        if ports is None:
            return None
        newest = max(previous.generation if previous else 0, self._above.get(service, 0))
        snapshot = Snapshot(self._options.cluster, service, ports, next_generation(newest, self._wall()))
        if self._is_held(snapshot, previous, now):
            return None
        same = previous is not None and previous.digest == snapshot.digest and previous.generation >= newest
        return None if same else snapshot

    def _allowed(self, service: str, ports: Ports, previous: Snapshot | None) -> Ports | None:
        """Without endpoints outside of the allowed networks; None when a port would lose all it has by that."""
        judged = inside(ports, self._options.allowed_networks.get(service))
        self.refused[service] = tuple(capped(judged.refused, _NAMED))
        held = _takes_all(judged, previous)
        self._holding.outside(service, self._wall() if held else None)
        self._alarms.all_of(service, OUTSIDE, _outside_message(judged, held))
        return None if held else judged.ports

    def _is_held(self, snapshot: Snapshot, previous: Snapshot | None, now: float) -> bool:
        service, already_empty = snapshot.service, previous is not None and previous.is_empty
        if not snapshot.is_empty or already_empty:
            self._back(service)
            return False
        verdict = self._holding.emptied(service, now, self._wall())
        if verdict == "held from now":
            message = f"no endpoint; edges keep its servers for {self._options.empty_grace:g} s"
            self._alarms.warn(service, EMPTY, message)
        return verdict != "over"

    def _save(self, snapshot: Snapshot) -> Stored:
        service, previous = snapshot.service, self.stored.get(snapshot.service)
        self._store.save(snapshot)
        self.stored[service] = snapshot
        self._above.pop(service, None)
        if self._holding.ended(service):
            self._alarms.warn(service, EMPTIED, f"no endpoint for {self._options.empty_grace:g} s: emptied")
        log.info("%s: %s ready, %s draining", service, snapshot.count("ready"), snapshot.count("draining"))
        return Stored(previous, snapshot)

    def _back(self, service: str) -> None:
        if self._holding.ended(service):
            log.info("%s: endpoints are back", service)


def _takes_all(judged: Inside, previous: Snapshot | None) -> bool:
    """Whether what was refused leaves nothing of the service, or of a port that had servers.

    A port it had not before may be left without: as long as others serve, nobody loses anything by that.
    """
    nothing_left = previous is None or not any(judged.ports.values())
    return any(nothing_left or (previous and previous.ports.get(name)) for name in judged.emptied)


def _outside_message(judged: Inside, held: bool) -> tuple[str, ...]:
    if not judged.refused:
        return ()
    ending = "; none is left of a port, so edges keep its servers" if held else ""
    return (f"outside of allowed_networks and left out: {', '.join(capped(judged.refused, _NAMED))}{ending}",)
