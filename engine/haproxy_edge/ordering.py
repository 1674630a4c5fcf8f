"""Orders on their way to the reactor: put into the outbox, rung for, and known again when an edge answers them.

The order stands in the outbox before the doorbell rings, and its id is remembered in the store before it can be
answered, so that an acknowledgement for an order nobody issued is told from a true one after a restart, too.
It must never say what edges shall serve: an order has no content; that is read when the order is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from haproxy_edge.options import Lane
from haproxy_edge.outbox import Order, Outbox, cluster_of
from haproxy_edge.report import Counters
from haproxy_edge.store import Store

# ids that are remembered; an edge that answers an older order than this is told by its next ring
REMEMBERED = 256
# orders of one kind that may wait untaken
PILE = 8


class Bus(Protocol):
    """Where doorbells and warnings go; False when it did not take one."""

    def ring(self, lane: str) -> bool: ...
    def warn(self, data: dict[str, Any]) -> bool: ...


class Orders:
    """One cluster's orders. ``wall`` is seconds since 1970."""

    def __init__(
        self, cluster: str, store: Store, outbox: Outbox, bus: Bus, wall: Callable[[], float], counters: Counters
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._outbox = outbox
        self._bus = bus
        self._wall = wall
        self._counters = counters
        self._issued: list[str] = []
        self._waiting: dict[str, Order] = {}
        self.unrung: set[Lane] = set()

    def restore(self) -> None:
        """What a former process issued. Raises `StoreError`."""
        self._issued = self._store.issued(self._cluster)

    def put(self, lane: Lane, tgt: str, tgt_type: str, services: Iterable[str]) -> str:
        """The id of the order that carries it. Raises `StoreError` with nothing ordered."""
        order = self._outbox.new(
            lane, tgt=tgt, tgt_type=tgt_type, services=services, cluster=self._cluster, now=self._wall()
        )
        standing = self._standing(order)
        if standing:
            self.unrung.add(lane)
            return standing
        if lane == "hot":
            issued = [*self._issued, order.id][-REMEMBERED:]
            self._store.save_issued(self._cluster, issued)
            self._issued = issued
        self._outbox.place(order)
        self._waiting[order.id] = order
        self._counters.orders[lane] += 1
        self.unrung.add(lane)
        return order.id

    def ring(self) -> bool:
        """The doorbell of every lane that has something new; False when one was not heard."""
        for lane in sorted(self.unrung):
            if self._bus.ring(lane):
                self._counters.doorbells[lane] += 1
                self.unrung.discard(lane)
        return not self.unrung

    def issued(self, order_id: str) -> bool:
        """Whether the engine issued it, as far as it remembers."""
        return order_id in self._issued

    def is_anothers(self, order_id: str) -> bool:
        """Whether it is of another cluster's engine, which is told what this one is told."""
        return cluster_of(order_id) not in ("", self._cluster)

    def count_taken(self) -> None:
        """What left the outbox since the last look was published: only the reactor takes. Raises `StoreError`.

        For what still stands there the doorbell rings again: the last one may have found no reactor, or one whose
        queue was full. One ring too many costs a look into the outbox; no clock is asked how old an order is.
        """
        if self._waiting:
            there = set(self._outbox.waiting())
            for order_id in [one for one in self._waiting if one not in there]:
                self._counters.published[self._waiting.pop(order_id).lane] += 1
        self.unrung |= {order.lane for order in self._waiting.values()}

    def _standing(self, order: Order) -> str | None:
        """The like of it that waits untaken: content is read when it is taken, so a further one would add nothing.

        While the reactor is away a busy cluster would otherwise fill the outbox with thousands.
        """
        like = [one for one in self._waiting.values() if _covers(one, order)]
        if len(like) < PILE:
            return None
        self.count_taken()
        like = [one for one in like if one.id in self._waiting]
        return max(one.id for one in like) if len(like) >= PILE else None


def _covers(one: Order, other: Order) -> bool:
    same = (one.lane, one.tgt, one.tgt_type) == (other.lane, other.tgt, other.tgt_type)
    return same and set(other.services) <= set(one.services)
