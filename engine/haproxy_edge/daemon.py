"""The engine's cycle: what the watches saw goes in, snapshots and orders come out.

One thread per watch puts changes into the inbox; one thread, this one, decides. Order matters and is always the same:
the snapshot is in the store before an order stands in the outbox, and the order before the doorbell rings. It must
never order anything from a view it does not have: no list, no word. Nothing it needs is in memory alone.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from haproxy_edge import report
from haproxy_edge.acks import Ack, Forgeries
from haproxy_edge.alarms import Alarms
from haproxy_edge.coalesce import Coalescer
from haproxy_edge.history import History
from haproxy_edge.holding import Holding
from haproxy_edge.model import Snapshot, next_generation
from haproxy_edge.options import Options
from haproxy_edge.ordering import Bus, Orders
from haproxy_edge.outbox import Outbox
from haproxy_edge.records import Lane
from haproxy_edge.reflector import Change, Condition, Freshness, Target
from haproxy_edge.report import Counters, Held
from haproxy_edge.store import Store, StoreError
from haproxy_edge.tracker import Tracker
from haproxy_edge.view import View

log = logging.getLogger(__name__)

# seconds: how long a failed write of store or outbox waits for its next try, and an idle cycle for news
_RETRY = 1.0
_IDLE = 60.0
# seconds between two looks at which edges there are: matching a target reads every minion's cached grains
_FLEET_EVERY = 10.0
# seconds between two looks at what is frozen, and between two reports of which the second says something new
_LOOK_EVERY = 2.0
# seconds after which a report is written although nothing changed: its age is the engine's pulse
_REPORT_EVERY = 30.0


@dataclass(frozen=True)
class Clocks:
    """``wall``: seconds since 1970, for generations and for people. ``steady``: monotonic seconds, for every wait."""

    wall: Callable[[], float]
    steady: Callable[[], float]


class Daemon:
    """One cluster's engine. `run_cycle` is called for ever; everything it needs is injected."""

    def __init__(
        self,
        options: Options,
        store: Store,
        outbox: Outbox,
        bus: Bus,
        clocks: Clocks,
        *,
        fleet: Callable[[], Iterable[str] | None] = tuple,
        forgeries: Forgeries | None = None,
    ) -> None:
        self._options = options
        self._store = store
        self._clocks = clocks
        self._fleet = fleet
        self._forgeries = forgeries or Forgeries(clocks.steady)
        self._counters = Counters(forged=self._forgeries.kinds)
        self._orders = Orders(options.cluster, store, outbox, bus, clocks.wall, self._counters)
        self._tracker = Tracker(
            options.cluster, options.ack_timeout, jitter=_spread, wall=clocks.wall, lane=options.lane
        )
        self._history = History()
        self._holding = Holding(options.empty_grace)
        self._alarms = Alarms(options.cluster, bus)
        self._view = View()
        self._coalescer = Coalescer(options.min_interval)
        self._changed: set[str] = set()
        self._parked: set[str] = set()
        self._stored: dict[str, Snapshot] = {}
        self._above: dict[str, int] = {}
        self._first: set[str] = set()
        self._unread: set[str] = set(options.services)
        self._begun = False
        now = clocks.steady()
        self._fleet_at = self._look_at = now
        self._resync_at = now + options.resync if options.resync else float("inf")
        self._retry_at = float("-inf")
        self._history_at = self._reported_at = float("-inf")
        self._reported: dict[str, Any] | None = None
        self._cycled_at = clocks.wall()
        self._lock = threading.Lock()
        self.inbox: queue.SimpleQueue[tuple[Target, Change] | Ack] = queue.SimpleQueue()
        self.freshness: dict[Target, Freshness] = {}

    def run_cycle(self) -> None:
        """Wait for news or for something to fall due, then act on all of it."""
        news = list(self._received(self._until_due()))
        with self._lock:
            for one in news:
                if isinstance(one, Ack):
                    self._confirm(one)
                else:
                    self._accept(*one)
            self._act()

    def report(self) -> dict[str, Any]:
        """What is known now, in the shape of `report`; from any thread."""
        with self._lock:
            return self._report()

    def history(self, most: int) -> list[dict[str, Any]]:
        """The last changes, oldest first, as they stand in the store; from any thread."""
        with self._lock:
            return [asdict(row) for row in self._history.rows[-most:]]

    def _accept(self, target: Target, change: Change) -> None:
        if isinstance(change, Condition):
            self._alarms.watch(target, change)
        concerned = self._view.accept(target, change)
        self._changed |= concerned
        # not left to the evaluation: while the store is broken that never sees endpoints that came and went
        for service in concerned & self._holding.held_empty():
            merged = self._view.merged(service)
            if merged and any(merged.ports.values()):
                self._back(service)

    def _back(self, service: str) -> None:
        if self._holding.ended(service):
            log.info("%s: endpoints are back", service)

    def _confirm(self, ack: Ack) -> None:
        known = self._tracker.edges().get(ack.edge)
        if known is None:
            log.debug("%s has confirmed, but is no edge of the target", ack.edge)
            return
        if ack.lane == "hot" and not self._orders.issued(ack.order):
            self._forgeries.count("order", f"{ack.edge} answers the order {ack.order!r}, which was never issued")
            return
        if self._tracker.is_replayed(ack):
            self._forgeries.count("replay", f"{ack.edge}: number {ack.sequence} was here before", ack.edge)
            return
        if known.record is None or known.record.problems != ack.problems:
            for problem in ack.problems:
                log.warning("%s: %s", ack.edge, problem)
        if ack.state_needed:
            log.info("%s needs the state lane: %s", ack.edge, ack.state_needed)
        if ack.reload:
            self._counters.reloaded(ack.reload)
        now = self._clocks.steady()
        for service, generation in self._tracker.newer(ack):
            log.warning("%s has %s newer than the store, generation %s", ack.edge, service, generation)
            self._above[service] = max(generation, self._above.get(service, 0))
            self._changed.add(service)
        self._tracker.confirmed(ack, now)
        self._coalescer.confirmed(ack.order, ack.edge)
        self._history.confirmed(ack.edge, self._options.cluster, ack.serves, now)

    def _act(self) -> None:
        now = self._clocks.steady()
        if now < self._retry_at:
            return
        steps = (
            self._look_at_freezes,
            self._evaluate_changed,
            self._look_at_fleet,
            self._order_due,
            self._order_behind,
            self._ring,
            self._keep,
        )
        for step in steps if self._begun else (self._begin, *steps):
            try:
                step(now)
            except StoreError as error:
                # frozen: what is not stored is not ordered; all of it stays due
                log.error("%s; edges stay as they are, next try in %s s", error, _RETRY)
                self._retry_at = now + _RETRY
            if not self._begun:
                return
        if self._retry_at <= now:
            self._cycled_at = self._clocks.wall()

    def _begin(self, now: float) -> None:
        """Go on from where a former process ended, killed or not. One damaged row must not stop the rest."""
        cluster, services = self._options.cluster, self._options.services
        self._holding.freeze(self._store.frozen(cluster))
        self._tracker.restore(self._store.edges(cluster))
        for part in (self._orders.restore, self._restore_history):
            try:
                part()
            except StoreError as error:
                log.warning("%s; it begins anew", error)
        for service in services:
            try:
                self._track(service, self._previous(service), now)
            except StoreError as error:
                log.error("%s; that service stays as it is", error)
        self._begun = True

    def _restore_history(self) -> None:
        rows = self._store.history(self._options.cluster)
        self._history = History(rows, wall=self._clocks.wall(), now=self._clocks.steady())

    def _received(self, timeout: float) -> Iterator[tuple[Target, Change] | Ack]:
        try:
            yield self.inbox.get(timeout=timeout)
            while True:
                yield self.inbox.get_nowait()
        except queue.Empty:
            return

    def _until_due(self) -> float:
        now = self._clocks.steady()
        moments = [
            self._resync_at,
            self._fleet_at,
            self._look_at,
            self._tracker.due_at(frozen=self._frozen_services()),
            *self._holding.ends(),
        ]
        pending = self._coalescer.due_in(now)
        if pending is not None:
            moments.append(now + pending)
        if self._changed or self._orders.unrung:
            moments.append(self._retry_at)
        return min(_IDLE, max(0.0, max(self._retry_at, min(moments)) - now))

    def _look_at_freezes(self, now: float) -> None:
        if now < self._look_at:
            return
        before = self._frozen_services()
        self._holding.freeze(self._store.frozen(self._options.cluster))
        frozen = self._frozen_services()
        self._look_at = now + _LOOK_EVERY
        for service in sorted(frozen - before):
            log.warning("%s: frozen by hand; edges stay as they are until it is thawed", service)
        for service in sorted(before - frozen):
            log.warning("%s: thawed", service)
            self._changed.add(service)
        for service in self._parked - frozen:
            self._coalescer.add(service)
        self._parked &= frozen

    def _frozen_services(self) -> set[str]:
        return self._holding.frozen_of(self._options.services)

    def _evaluate_changed(self, now: float) -> None:
        failure: StoreError | None = None
        for service in sorted(self._changed | self._holding.over(now)):
            try:
                if self._evaluate(service, now):
                    self._coalescer.add(service)
                self._changed.discard(service)
            except StoreError as error:
                failure = error  # the other services go on
        if failure:
            raise failure

    def _evaluate(self, service: str, now: float) -> bool:
        """Store the service's present content; whether edges have to hear of it."""
        merged = self._view.merged(service)
        # thawing evaluates it again
        if merged is None or self._holding.is_frozen(service):
            return False
        self._alarms.all_of(service, "slice", merged.warnings)
        previous = self._previous(service)
        newest = max(previous.generation if previous else 0, self._above.get(service, 0))
        generation = next_generation(newest, self._clocks.wall())
        snapshot = Snapshot(self._options.cluster, service, merged.ports, generation)
        if self._held(service, previous, snapshot, now):
            return False
        if previous and previous.digest == snapshot.digest and previous.generation >= newest:
            self._track(service, previous, now)
            return False
        self._save(previous, snapshot, now)
        return True

    def _save(self, previous: Snapshot | None, snapshot: Snapshot, now: float) -> None:
        service = snapshot.service
        self._store.save(snapshot)
        self._stored[service] = snapshot
        self._above.pop(service, None)
        if previous is None:
            self._first.add(service)
            self._tracker.introduced(now)
        if self._holding.ended(service):
            self._alarms.warn(service, "emptied", f"no endpoint for {self._options.empty_grace:g} s: emptied")
        log.info("%s: %s ready, %s draining", service, snapshot.count("ready"), snapshot.count("draining"))
        self._counters.changes[service] += 1
        waiting = self._tracker.serving(service)
        self._history.changed(previous, snapshot, wall=self._clocks.wall(), now=now, waiting=waiting)
        self._track(service, snapshot, now)

    def _track(self, service: str, snapshot: Snapshot | None, now: float) -> None:
        if snapshot:
            self._tracker.stored(service, snapshot.generation, snapshot.digest, now)

    def _previous(self, service: str) -> Snapshot | None:
        """As stored; this engine is the only writer, so reading it back once per resync is enough."""
        if service in self._unread:
            stored = self._store.snapshot(self._options.cluster, service)
            self._unread.discard(service)
            if stored is None:
                self._stored.pop(service, None)
            else:
                self._stored[service] = stored
        return self._stored.get(service)

    def _held(self, service: str, previous: Snapshot | None, snapshot: Snapshot, now: float) -> bool:
        already_empty = previous is not None and previous.is_empty
        if not snapshot.is_empty or already_empty:
            self._back(service)
            return False
        verdict = self._holding.emptied(service, now, self._clocks.wall())
        if verdict == "held from now":
            message = f"no endpoint; edges keep its servers for {self._options.empty_grace:g} s"
            self._alarms.warn(service, "empty", message)
        return verdict != "over"

    def _look_at_fleet(self, now: float) -> None:
        if now < self._fleet_at:
            return
        self._fleet_at = now + _FLEET_EVERY
        fleet = self._fleet()
        if fleet is not None:
            self._tracker.expect(fleet, now)

    def _order_due(self, now: float) -> None:
        services = self._coalescer.take(now)
        # what was never stored before meets edges that have nothing of it: they need the whole state
        lane: Lane = "hot" if self._options.lane == "hot" and self._first.isdisjoint(services) else "state"
        if now >= self._resync_at:
            services, lane = list(self._options.services), "state"
            self._resync_at = now + self._options.resync
            self._unread.update(services)
            self._changed.update(services)
        frozen = self._frozen_services()
        self._parked.update(frozen.intersection(services))
        services = [service for service in services if service not in frozen]
        if not services:
            return
        try:
            order = self._orders.put(lane, self._options.target, self._options.target_type, services)
        except StoreError:
            # a failing outbox must not lose what is due
            for service in services:
                self._coalescer.add(service)
            raise
        if lane == "hot":
            self._coalescer.ordered(order, self._tracker.keeping_up(), now)
        self._first.difference_update(services)

    def _order_behind(self, now: float) -> None:
        """Ring those that did not confirm; an order lost in a crash or a failing store falls due again."""
        frozen = self._frozen_services()
        for lane, names in sorted(self._tracker.take(now, frozen=frozen).items()):
            log.warning("not confirmed in time, rung again by the %s lane: %s", lane, ", ".join(names))
            services = [service for service in self._options.services if lane == "state" or service not in frozen]
            self._orders.put(lane, ",".join(names), "list", services)

    def _ring(self, now: float) -> None:
        if not self._orders.ring():
            self._retry_at = now + _RETRY

    def _keep(self, now: float) -> None:
        """What the next process, the runner and the metrics have to know; written only when it is new."""
        cluster = self._options.cluster
        for name, record in self._tracker.unsaved().items():
            self._store.save_edge(cluster, name, record)
            self._tracker.saved(name)
        if self._history.unsaved and now >= self._history_at:
            self._store.save_history(cluster, self._history.rows)
            self._history.unsaved, self._history_at = False, now + _LOOK_EVERY
        if now >= self._reported_at + _LOOK_EVERY:
            self._orders.count_taken()
            latest = self._report()
            late = now >= self._reported_at + _REPORT_EVERY
            if late or self._reported is None or not report.unchanged(self._reported, latest):
                self._store.save_report(cluster, latest)
                self._reported, self._reported_at = latest, now

    def _report(self) -> dict[str, Any]:
        return report.build(
            self._options,
            wall=self._clocks.wall(),
            cycled_at=self._cycled_at,
            watches=[(target, one, self._alarms.conditions.get(target)) for target, one in self.freshness.items()],
            services={one: (self._stored.get(one), self._why_held(one)) for one in self._options.services},
            edges=self._tracker.edges(),
            counters=self._counters,
            convergence=self._history.convergence,
        )

    def _why_held(self, service: str) -> Held | None:
        frozen = self._holding.is_frozen(service)
        if frozen:
            return Held("frozen", frozen.since)
        since = self._holding.empty_since(service)
        return None if since is None else Held("empty", since)


def _spread(seconds: float) -> float:
    return seconds * random.uniform(0.75, 1.25)
