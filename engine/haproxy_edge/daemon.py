"""The engine's cycle: what the watches saw goes in, snapshots and orders come out.

One thread per watch puts changes into the inbox; one thread, this one, decides. Order matters and is always the same:
the snapshot is in the store before an order stands in the outbox, and the order before the doorbell rings. It must
never order anything from a view it does not have: no list, no word. Nothing it needs is in memory alone: what edges
confirmed, the last changes, orders and freezes are in the store, and a new process begins with them.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from haproxy_edge import report
from haproxy_edge.ack import Ack
from haproxy_edge.alarms import Alarms
from haproxy_edge.coalesce import Coalescer
from haproxy_edge.forgeries import Forgeries
from haproxy_edge.history import History
from haproxy_edge.holding import Held
from haproxy_edge.lease import Lease
from haproxy_edge.options import Lane, Options
from haproxy_edge.ordering import Bus, Orders
from haproxy_edge.outbox import Outbox
from haproxy_edge.reflector import Change, Freshness, Watch
from haproxy_edge.report import Counters
from haproxy_edge.services import Services
from haproxy_edge.staleness import Staleness
from haproxy_edge.store import Store, StoreError
from haproxy_edge.tracker import Tracker
from haproxy_edge.troubles import STALE

log = logging.getLogger(__name__)

# seconds: how long a failed write of store or outbox waits for its next try, and an idle cycle for news
_RETRY = 1.0
_IDLE = 60.0
# seconds between two looks at which edges there are: matching a target reads every minion's cached grains
_FLEET_EVERY = 10.0
# seconds between two looks at what is frozen and how old the views are, and between two reports that differ
_LOOK_EVERY = 2.0
# seconds after which a step that failed and did not fail again is well: longer than between two looks of any
_OVER_AFTER = 30.0
# seconds after which a report is written although nothing changed: its age is the engine's pulse
_REPORT_EVERY = 30.0
# seconds a look from another thread waits for a cycle that may hang in the store; then it gets what was known last
_LOOK_WAITS = 1.0


@dataclass(frozen=True)
class Clocks:
    """``wall``: seconds since 1970, for generations and for people. ``steady``: monotonic seconds, for every wait."""

    wall: Callable[[], float]
    steady: Callable[[], float]


class Daemon:
    """One cluster's engine. `run_cycle` is called for ever; everything it needs is injected.

    ``fleet`` gives the edges there should be, or None. Without ``lease`` it takes itself for the only engine.
    """

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
        lease: Lease | None = None,
    ) -> None:
        self._options = options
        self._store = store
        self._clocks = clocks
        self._fleet = fleet
        self._lease = lease
        self._forgeries = forgeries or Forgeries(clocks.steady)
        self._counters = Counters(forged=self._forgeries.kinds)
        self._alarms = Alarms(options.cluster, bus)
        self._services = Services(options, store, self._alarms, clocks.wall)
        self._orders = Orders(options.cluster, store, outbox, bus, clocks.wall, self._counters)
        self._coalescer = Coalescer(options.min_interval)
        self._first: set[str] = set()
        now = clocks.steady()
        self._staleness = Staleness(options.stale_after, now, self._alarms)
        self._fleet_at = self._look_at = now
        self._resync_at = now + options.resync if options.resync else float("inf")
        self._retry_at = float("-inf")
        self._failed_at: dict[str, float] = {}
        self._reported: dict[str, Any] | None = None
        self._cycled_at = clocks.wall()
        self._lock = threading.Lock()
        self._forget()
        self.inbox: queue.SimpleQueue[tuple[Watch, Change] | Ack] = queue.SimpleQueue()
        self.freshness: dict[Watch, Freshness] = {}
        self._shown, self._shown_history = self._report(), list[dict[str, Any]]()

    def run_cycle(self) -> None:
        """Wait for news or for something to fall due, then act on all of it."""
        news = list(self._received(self._until_due()))
        with self._lock:
            for one in news:
                if isinstance(one, Ack):
                    self._confirm(one)
                else:
                    self._services.accept(*one)
            self._act()

    def report(self) -> dict[str, Any]:
        """What is known now, in the shape of `report`, or was when the cycle last stood still; from any thread."""
        with self._still() as still:
            if still:
                self._shown = self._report()
        return self._shown

    def history(self, most: int) -> list[dict[str, Any]]:
        """The last changes, oldest first, as they stand in the store; else as `report`."""
        with self._still() as still:
            if still:
                self._shown_history = [asdict(row) for row in self._history.rows[-most:]]
        return self._shown_history[-most:]

    @contextmanager
    def _still(self) -> Iterator[bool]:
        """No cycle runs meanwhile; False when one does not come to its end."""
        still = self._lock.acquire(timeout=_LOOK_WAITS)
        try:
            yield still
        finally:
            if still:
                self._lock.release()

    def _forget(self) -> None:
        """What another engine may have written since is read anew when it is this one's turn."""
        options, wall = self._options, self._clocks.wall
        self._tracker = Tracker(options.cluster, options.ack_timeout, jitter=_spread, wall=wall, lane=options.lane)
        self._history = History()
        self._history_at = self._keep_at = self._reported_at = float("-inf")
        self._begun = False

    def _confirm(self, ack: Ack) -> None:
        edge = self._tracker.edge(ack.edge)
        if edge is None:
            log.debug("%s has confirmed, but is no edge of the target", ack.edge)
        elif ack.lane == "hot" and not self._orders.issued(ack.order):
            # an edge of several clusters answers each of their orders, and every engine hears all of it
            if not self._orders.is_anothers(ack.order):
                self._forgeries.count("order", f"{ack.edge} answers the order {ack.order!r}, which was never issued")
        elif self._tracker.is_replayed(ack):
            # an edge's own word takes another way and may overtake its answer, which says nothing new then
            if not self._coalescer.confirmed(ack.order, ack.edge):
                self._forgeries.count("replay", f"{ack.edge}: number {ack.sequence} or a later one was here before")
        else:
            self._believe(ack, known_problems=edge.record.problems if edge.record else ())

    def _believe(self, ack: Ack, *, known_problems: tuple[str, ...]) -> None:
        if ack.problems != known_problems:
            for problem in ack.problems:
                log.warning("%s: %s", ack.edge, problem)
        if ack.state_needed:
            log.info("%s needs the state lane: %s", ack.edge, ack.state_needed)
        if ack.reload:
            self._counters.reloaded(ack.reload)
        for service, generation in self._tracker.newer(ack):
            log.warning("%s has %s newer than the store, generation %s", ack.edge, service, generation)
            self._services.refused_by_edge(service, generation)
        now = self._clocks.steady()
        self._tracker.confirmed(ack, now)
        self._coalescer.confirmed(ack.order, ack.edge)
        self._history.confirmed(ack.edge, self._options.cluster, ack.serves, now)

    def _act(self) -> None:
        now = self._clocks.steady()
        if now < self._retry_at:
            return
        try:
            if not self._is_my_turn():
                return
            if not self._begun:
                self._begin(now)
        except StoreError as error:
            self._failed("begin", error, now)
            return
        steps = (
            self._look,
            # before what is new is stored: who was right until now is not late
            self._look_at_fleet,
            self._evaluate,
            self._order_due,
            self._order_all,
            self._order_behind,
            self._ring,
            self._keep,
        )
        for step in steps:
            try:
                step(now)
            except StoreError as error:
                self._failed(step.__name__, error, now)
        if self._retry_at <= now:
            self._cycled_at = self._clocks.wall()

    def _failed(self, step: str, error: StoreError, now: float) -> None:
        # frozen: what is not stored is not ordered; all of it stays due
        self._retry_at = now + _RETRY
        # not by its text, in which the name of a row or file may be new at each try
        if now - self._failed_at.get(step, float("-inf")) > _OVER_AFTER:
            log.error("%s; edges stay as they are, tried again every %s s", error, _RETRY)
        self._failed_at[step] = now

    def _is_my_turn(self) -> bool:
        if self._lease is None or self._lease.look():
            self._alarms.begin()
            return True
        self._alarms.end()
        if self._begun:
            self._forget()
            self._services.read_again()
        return False

    def _begin(self, now: float) -> None:
        """Go on from where a former process ended, killed or not. One damaged row must not stop the rest."""
        cluster = self._options.cluster
        self._services.freeze(self._store.frozen(cluster))
        self._tracker.restore(self._store.edges(cluster))
        for part in (self._orders.restore, self._restore_history):
            try:
                part()
            except StoreError as error:
                log.warning("%s; it begins anew", error)
        for service in self._options.services:
            try:
                snapshot = self._services.read(service)
                if snapshot:
                    self._tracker.stored(service, snapshot.generation, snapshot.digest, now)
            except StoreError as error:
                log.error("%s; that service stays as it is", error)
        self._begun = True

    def _restore_history(self) -> None:
        rows = self._store.history(self._options.cluster)
        self._history = History(rows, wall=self._clocks.wall(), now=self._clocks.steady())

    def _received(self, timeout: float) -> Iterator[tuple[Watch, Change] | Ack]:
        try:
            yield self.inbox.get(timeout=timeout)
            while True:
                yield self.inbox.get_nowait()
        except queue.Empty:
            return

    def _until_due(self) -> float:
        now = self._clocks.steady()
        due = min(self._moments(now)) if self._begun else self._lease.look_at if self._lease else now
        return min(_IDLE, max(0.0, max(self._retry_at, due) - now))

    def _moments(self, now: float) -> Iterator[float]:
        yield from (self._resync_at, self._fleet_at, self._look_at, *self._services.graces_end())
        frozen = self._services.frozen()
        yield self._tracker.due_at(frozen=frozen)
        pending = self._coalescer.due_in(now, frozen=frozen)
        if pending is not None:
            yield now + pending
        if self._services.changed or self._orders.unrung:
            yield self._retry_at
        if self._lease:
            yield self._lease.look_at

    def _look(self, now: float) -> None:
        """At what is frozen, and at how old the views are."""
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY
        self._staleness.look(self.freshness, now=now, wall=self._clocks.wall())
        frozen, thawed = self._services.freeze(self._store.frozen(self._options.cluster))
        for service in sorted(frozen):
            log.warning("%s: frozen by hand; edges stay as they are until it is thawed", service)
        for service in sorted(thawed):
            log.warning("%s: thawed", service)

    def _evaluate(self, now: float) -> None:
        for stored in self._services.evaluate(now):
            snapshot, service = stored.snapshot, stored.snapshot.service
            self._counters.changes[service] += 1
            waiting = self._tracker.serving(service)
            self._history.changed(stored.previous, snapshot, wall=self._clocks.wall(), now=now, waiting=waiting)
            self._tracker.stored(service, snapshot.generation, snapshot.digest, now)
            if stored.previous is None:
                self._first.add(service)
                self._tracker.introduced(now)
            self._coalescer.add(service)

    def _look_at_fleet(self, now: float) -> None:
        if now < self._fleet_at:
            return
        self._fleet_at = now + _FLEET_EVERY
        fleet = self._fleet()
        if fleet is not None:
            names = list(fleet)
            self._tracker.expect(names, now, marks=self._store.key_marks(names))
            for name in self._tracker.forget():
                self._store.forget_edge(self._options.cluster, name)

    def _order_due(self, now: float) -> None:
        services = self._coalescer.due(now, frozen=self._services.frozen())
        if not services:
            return
        # what was never stored before meets edges that have nothing of it: they need the whole state
        lane: Lane = "hot" if self._options.lane == "hot" and self._first.isdisjoint(services) else "state"
        order = self._orders.put(lane, self._options.target, self._options.target_type, services)
        self._coalescer.taken(services, now)
        if lane == "hot":
            self._coalescer.ordered(order, self._tracker.keeping_up(), now)
        self._first.difference_update(services)

    def _order_all(self, now: float) -> None:
        if now < self._resync_at:
            return
        frozen = self._services.frozen()
        services = [service for service in self._options.services if service not in frozen]
        if services:
            self._orders.put("state", self._options.target, self._options.target_type, services)
        self._resync_at = now + self._options.resync
        self._services.read_again()

    def _order_behind(self, now: float) -> None:
        """Ring those that did not confirm; an order lost in a crash or a failing store falls due again."""
        frozen = self._services.frozen()
        for lane, names in sorted(self._tracker.late(now, frozen=frozen).items()):
            services = [service for service in self._options.services if lane == "state" or service not in frozen]
            self._orders.put(lane, ",".join(names), "list", services)
            self._tracker.rung(names, now)
            log.warning("not confirmed in time, rung again by the %s lane: %s", lane, ", ".join(names))

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
        if now >= self._keep_at:
            self._keep_at = now + _LOOK_EVERY
            self._orders.count_taken()
            latest = self._shown = self._report()
            late = now >= self._reported_at + _REPORT_EVERY
            if late or self._reported is None or not report.unchanged(self._reported, latest):
                self._store.save_report(cluster, latest)
                self._reported, self._reported_at = latest, now

    def _report(self) -> dict[str, Any]:
        services = self._services
        return report.build(
            self._options,
            wall=self._clocks.wall(),
            cycled_at=self._cycled_at,
            watches=[(watch, one, self._alarms.conditions.get(watch)) for watch, one in self.freshness.items()],
            services={
                one: (services.stored.get(one), self._why_held(one), services.refused.get(one, ()))
                for one in self._options.services
            },
            edges=self._tracker.edges(),
            counters=self._counters,
            convergence=self._history.convergence,
        )

    def _why_held(self, service: str) -> Held | None:
        stale = self._staleness.since(service)
        return self._services.why_held(service) or (None if stale is None else Held(STALE, stale))


def _spread(seconds: float) -> float:
    return seconds * random.uniform(0.75, 1.25)
