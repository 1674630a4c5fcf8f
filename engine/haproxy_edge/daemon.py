"""The engine's cycle: what the watches saw goes in, snapshots and orders come out.

One thread per watch puts changes into the inbox; one thread, this one, decides. Order matters and is always the same:
the snapshot is in the store before an order stands in the outbox, and the order before the doorbell rings. It must
never order anything from a view it does not have: no list, no word.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from haproxy_edge.acks import Ack
from haproxy_edge.backoff import Backoff
from haproxy_edge.coalesce import Coalescer
from haproxy_edge.model import Snapshot, next_generation
from haproxy_edge.options import Options
from haproxy_edge.outbox import Lane, Outbox
from haproxy_edge.reflector import (
    Change,
    Condition,
    Freshness,
    ListWatch,
    Target,
    forever,
    targets_for,
)
from haproxy_edge.store import Store, StoreError
from haproxy_edge.tracker import Tracker
from haproxy_edge.view import View

log = logging.getLogger(__name__)

# seconds: how long a failed write of store or outbox waits for its next try, and an idle cycle for news
_RETRY = 1.0
_IDLE = 60.0
# seconds between two looks at which edges there are: matching a target reads every minion's cached grains
_FLEET_EVERY = 10.0


class Bus(Protocol):
    """Where doorbells and warnings go; False when it did not take one."""

    def ring(self, lane: str) -> bool: ...
    def warn(self, data: dict[str, Any]) -> bool: ...


@dataclass(frozen=True)
class Clocks:
    """``wall``: seconds since 1970, for generations. ``steady``: monotonic seconds, for every wait."""

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
    ) -> None:
        self._options = options
        self._store = store
        self._outbox = outbox
        self._bus = bus
        self._clocks = clocks
        self._fleet = fleet
        self._fleet_at = clocks.steady()
        self._tracker = Tracker(options.cluster, options.ack_timeout, jitter=_spread)
        self._view = View()
        self._changed: set[str] = set()
        self._stored: dict[str, Snapshot] = {}
        self._coalescer = Coalescer(options.min_interval)
        self._emptied_at: dict[str, float] = {}
        self._warned: dict[str, tuple[str, ...]] = {}
        self._unordered: set[str] = set(options.services)
        self._resync_at = clocks.steady() + options.resync if options.resync else float("inf")
        self._retry_at = float("-inf")
        self._unrung: set[Lane] = set()
        self.inbox: queue.SimpleQueue[tuple[Target, Change] | Ack] = queue.SimpleQueue()
        self.freshness: dict[Target, Freshness] = {}

    def run_cycle(self) -> None:
        """Wait for news or for something to fall due, then act on all of it."""
        for news in self._received(self._until_due()):
            if isinstance(news, Ack):
                self._confirm(news)
            else:
                self._accept(*news)
        self._act()

    def _accept(self, target: Target, change: Change) -> None:
        if isinstance(change, Condition):
            self._report(target, change)
        concerned = self._view.accept(target, change)
        self._changed |= concerned
        # not left to the evaluation: while the store is broken that never sees endpoints that came and went
        for service in concerned & self._emptied_at.keys():
            merged = self._view.merged(service)
            if merged and any(merged.ports.values()):
                self._back(service)

    def _back(self, service: str) -> None:
        if self._emptied_at.pop(service, None) is not None:
            log.info("%s: endpoints are back", service)

    def _confirm(self, ack: Ack) -> None:
        for problem in ack.problems:
            log.warning("%s: %s", ack.edge, problem)
        if ack.state_needed:
            log.info("%s needs the state lane: %s", ack.edge, ack.state_needed)
        self._tracker.confirmed(ack, self._clocks.steady())

    def _act(self) -> None:
        now = self._clocks.steady()
        if now < self._retry_at:
            return
        steps = (self._evaluate_changed, self._look_at_fleet, self._order_due, self._order_behind, self._ring)
        for step in steps:
            try:
                step(now)
            except StoreError as error:
                # frozen: what is not stored is not ordered; all of it stays due
                log.error("%s; edges stay as they are, next try in %s s", error, _RETRY)
                self._retry_at = now + _RETRY

    def _received(self, timeout: float) -> Iterator[tuple[Target, Change] | Ack]:
        try:
            yield self.inbox.get(timeout=timeout)
            while True:
                yield self.inbox.get_nowait()
        except queue.Empty:
            return

    def _until_due(self) -> float:
        now = self._clocks.steady()
        grace = self._options.empty_grace
        moments = [
            self._resync_at,
            self._fleet_at,
            self._tracker.due_at(),
            *(since + grace for since in self._emptied_at.values()),
        ]
        pending = self._coalescer.due_in(now)
        if pending is not None:
            moments.append(now + pending)
        if self._changed or self._unrung:
            moments.append(self._retry_at)
        return min(_IDLE, max(0.0, max(self._retry_at, min(moments)) - now))

    def _report(self, target: Target, condition: Condition) -> None:
        if condition.name == "ok":
            log.info("%s", condition.message)
            return
        log.warning("%s", condition.message)
        for service in target.services:
            self._warn(service, condition.name, condition.message)

    def _warn(self, service: str, condition: str, message: str) -> None:
        self._bus.warn(
            {"cluster": self._options.cluster, "service": service, "condition": condition, "message": message}
        )

    def _evaluate_changed(self, now: float) -> None:
        due = {service for service, since in self._emptied_at.items() if now >= since + self._options.empty_grace}
        failure: StoreError | None = None
        for service in sorted(self._changed | due):
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
        if merged is None:
            return False
        self._say_warnings(service, merged.warnings)
        previous = self._previous(service)
        generation = next_generation(previous.generation if previous else 0, self._clocks.wall())
        snapshot = Snapshot(self._options.cluster, service, merged.ports, generation)
        if self._held(service, previous, snapshot, now):
            if previous:
                self._tracker.stored(service, previous.digest)
            return False
        first = service in self._unordered
        if previous is None or previous.digest != snapshot.digest:
            self._store.save(snapshot)
            self._stored[service] = snapshot
            if self._emptied_at.pop(service, None) is not None:
                self._warn(service, "emptied", f"{service}: no endpoint for {self._options.empty_grace:g} s: emptied")
            self._tracker.stored(service, snapshot.digest)
            log.info("%s: %s ready, %s draining", service, snapshot.count("ready"), snapshot.count("draining"))
            return True
        self._tracker.stored(service, snapshot.digest)
        return first

    def _previous(self, service: str) -> Snapshot | None:
        """As stored; this engine is the only writer, so reading it back once per resync is enough."""
        if service not in self._stored:
            stored = self._store.snapshot(self._options.cluster, service)
            if stored is None:
                return None
            self._stored[service] = stored
        return self._stored[service]

    def _held(self, service: str, previous: Snapshot | None, snapshot: Snapshot, now: float) -> bool:
        already_empty = previous is not None and previous.is_empty
        if not snapshot.is_empty or already_empty:
            self._back(service)
            return False
        since = self._emptied_at.setdefault(service, now)
        if now >= since + self._options.empty_grace:
            return False
        if since == now:
            message = f"{service}: no endpoint; edges keep its servers for {self._options.empty_grace:g} s"
            log.warning("%s", message)
            self._warn(service, "empty", message)
        return True

    def _say_warnings(self, service: str, warnings: tuple[str, ...]) -> None:
        new = [warning for warning in warnings if warning not in self._warned.get(service, ())]
        self._warned[service] = warnings
        for warning in new:
            log.warning("%s: %s", service, warning)
            self._warn(service, "slice", f"{service}: {warning}")

    def _look_at_fleet(self, now: float) -> None:
        if now < self._fleet_at:
            return
        self._fleet_at = now + _FLEET_EVERY
        fleet = self._fleet()
        if fleet is not None:
            self._tracker.expect(fleet, now)

    def _order_due(self, now: float) -> None:
        services = self._coalescer.take(now)
        # what this engine has not ordered yet may meet edges that have nothing: they need the whole state
        lane: Lane = "hot" if self._options.lane == "hot" and self._unordered.isdisjoint(services) else "state"
        if now >= self._resync_at:
            services, lane = list(self._options.services), "state"
            self._resync_at = now + self._options.resync
            self._stored.clear()
            self._changed.update(services)
        if not services:
            return
        try:
            self._put_order(lane, self._options.target, self._options.target_type, services)
        except StoreError:
            # a failing outbox must not lose what is due
            for service in services:
                self._coalescer.add(service)
            raise
        self._unordered.difference_update(services)
        self._tracker.ordered(now)

    def _order_behind(self, now: float) -> None:
        """The state lane for edges that did not confirm; lost in a crash or a failing store, it falls due again."""
        names = self._tracker.take(now)
        if names:
            log.warning("not confirmed in time, so they get state.apply: %s", ", ".join(names))
            self._put_order("state", ",".join(names), "list", self._options.services)

    def _put_order(self, lane: Lane, target: str, target_type: str, services: Iterable[str]) -> None:
        self._outbox.put(
            lane,
            tgt=target,
            tgt_type=target_type,
            services=services,
            cluster=self._options.cluster,
            now=self._clocks.wall(),
        )
        self._unrung.add(lane)

    def _ring(self, now: float) -> None:
        self._unrung = {lane for lane in sorted(self._unrung) if not self._bus.ring(lane)}
        if self._unrung:
            self._retry_at = now + _RETRY


def start_watches(
    daemon: Daemon,
    options: Options,
    connect: Callable[[], ListWatch],
    *,
    slices: bool,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> list[threading.Thread]:
    """One daemon thread per watch, each filling the inbox for as long as the process lives."""
    threads = []
    for target in targets_for(options.services, slices=slices):
        freshness = daemon.freshness[target] = Freshness(clock)
        changes = forever(
            connect,
            target,
            timeout=options.watch_timeout,
            backoff=Backoff(options.backoff_min, options.backoff_max),
            freshness=freshness,
            sleep=sleep,
        )
        thread = threading.Thread(target=_pump, args=(daemon, target, changes), name=target.path, daemon=True)
        thread.start()
        threads.append(thread)
    return threads


def _pump(daemon: Daemon, target: Target, changes: Iterator[Change]) -> None:
    try:
        for change in changes:
            daemon.inbox.put((target, change))
    except BaseException:
        # a mistake of ours: without this line the watch would end in silence
        log.critical("the watch of %s ended by a defect; the engine must be restarted", target.path, exc_info=True)
        raise


def _spread(seconds: float) -> float:
    return seconds * random.uniform(0.75, 1.25)
