"""Orders for the reactor: what to run on which edges, each taken once.

A doorbell event carries no data, because any minion can ring it; what is due stands here, where only the master
writes. An order lost in a crash is not found again: the next resync or missing acknowledgement issues a new one.
It must never give one order to two takers.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from haproxy_edge.options import Lane
from haproxy_edge.store import ROOT, Cache, StoreError

log = logging.getLogger(__name__)

BANK = f"{ROOT}/outbox"
# an order nobody took in this time was meant for a world that is gone; seconds
MAX_AGE = 3600.0


@dataclass(frozen=True)
class Order:
    """One publish for the reactor; ``issued`` is seconds since 1970."""

    id: str
    lane: Lane
    tgt: str
    tgt_type: str
    services: tuple[str, ...]
    cluster: str
    issued: float


class Outbox:
    """Orders not yet taken."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def put(self, lane: Lane, *, tgt: str, tgt_type: str, services: Iterable[str], cluster: str, now: float) -> Order:
        """Make an order and have it due."""
        order = self.new(lane, tgt=tgt, tgt_type=tgt_type, services=services, cluster=cluster, now=now)
        self.place(order)
        return order

    @staticmethod
    def new(lane: Lane, *, tgt: str, tgt_type: str, services: Iterable[str], cluster: str, now: float) -> Order:
        """An order that stands nowhere yet; its id sorts by time and names the cluster."""
        order_id = f"{int(now * 1000):015d}-{cluster}-{uuid.uuid4().hex[:12]}"
        return Order(order_id, lane, tgt, tgt_type, tuple(services), cluster, now)

    def place(self, order: Order) -> None:
        """It is due from now on."""
        self._cache.store(BANK, order.id, {**asdict(order), "services": list(order.services)})

    def waiting(self) -> list[str]:
        """Ids of the orders nobody took yet."""
        return self._cache.list(BANK)

    def take(self, lane: str, *, now: float) -> list[dict[str, Any]]:
        """Every due order of that lane, oldest first; of two takers only one gets an order.

        Several for the same edges become the last of them: an order has no content, so one publish serves them all.
        """
        taken = [self._own(key, lane) for key in sorted(self._cache.list(BANK))]
        # a clock set back makes an order look as if it came from the future: it still counts
        due = [order for order in taken if order and now - order["issued"] < MAX_AGE]
        merged: dict[tuple[Any, ...], dict[str, Any]] = {}
        for order in due:
            earlier = merged.pop(_whom(order), None)
            services = dict.fromkeys([*(earlier["services"] if earlier else []), *order["services"]])
            merged[_whom(order)] = {**order, "services": list(services)}
        return list(merged.values())

    def _own(self, key: str, lane: str) -> dict[str, Any] | None:
        try:
            row = self._cache.fetch(BANK, key)
            mine = isinstance(row, dict) and row.get("lane") == lane and self._cache.flush(BANK, key)
        except StoreError as error:
            # damaged, taken by another at this moment, or not to be removed: those beside it must not be lost with it
            log.warning("order %s is passed over: %s", key, error)
            return None
        return row if mine and row.keys() >= Order.__dataclass_fields__.keys() else None


def cluster_of(order_id: str) -> str:
    """The cluster whose engine issued it, as the id says; empty when it says nothing."""
    return order_id.partition("-")[2].rpartition("-")[0]


def _whom(order: dict[str, Any]) -> tuple[Any, ...]:
    return order["cluster"], order["tgt_type"], order["tgt"]
