"""One engine works for a cluster at a time; a second one, started by mistake, waits until the first is gone.

The holder's row in the store is the lease. It is free when the process it names has ended, where that can be told, or
when its beat has not moved for `PATIENCE` on the waiting engine's own monotonic clock: no two clocks are ever compared,
so one set wrong takes nothing from anybody. One that finds another in its row has lost it and waits: no flapping.
It must never let two work at a time on purpose, and never decide by the time of day.
"""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from haproxy_edge.records import Leaseholder
from haproxy_edge.said import Said
from haproxy_edge.store import Store, StoreError

log = logging.getLogger(__name__)

# seconds between two beats of the holder, and two looks of who waits
BEAT = 3.0
# seconds between writing the lease and working: of two that write at once, only one finds itself there then
SETTLE = 0.5
# seconds a beat may stand still before the lease is free: an engine that was killed is restarted by Salt sooner
PATIENCE = 15.0
# states of a process in /proc: a zombie, or dead
_ENDED = ("Z", "X")


@dataclass(frozen=True)
class Identity:
    """This process; ``start`` tells it from another that had its pid."""

    token: str
    host: str
    pid: int
    start: str

    @classmethod
    def own(cls) -> Identity:
        """Of the process that asks."""
        return cls(uuid.uuid4().hex, socket.gethostname(), os.getpid(), started(os.getpid()) or "")


def started(pid: int) -> str | None:
    """Which start of ``pid`` runs now: boot, namespace of pids, and clock ticks; None when there is none.

    One that was killed and waits to be reaped, for which Salt takes up to ten seconds, runs no more.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in _ENDED else f"{boot}/{namespace} {fields[18]}"


class Lease:
    """``steady`` is monotonic, ``wall`` only for people; ``started_of`` is `started`, or a test's."""

    def __init__(
        self,
        cluster: str,
        store: Store,
        identity: Identity,
        *,
        steady: Callable[[], float],
        wall: Callable[[], float],
        started_of: Callable[[int], str | None] = started,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._me = identity
        self._steady = steady
        self._wall = wall
        self._started_of = started_of
        self._seen: Leaseholder | None = None
        self._seen_at = 0.0
        self._said = Said()
        self._unreadable_since = float("inf")
        self._beat = 0
        self.held = False
        self.look_at = float("-inf")

    def look(self) -> bool:
        """Beat, wait or take over; whether this engine works. Cheap until `look_at`. Raises `StoreError`."""
        now = self._steady()
        if now < self.look_at:
            return self.held
        self.look_at = now + BEAT
        holder = self._holder(now)
        mine = holder is not None and holder.token == self._me.token
        if holder is not None and not mine and not self._is_free(holder, now):
            self._say_waiting(holder)
            self.held = False
            return False
        self._write()
        if not mine:
            self.look_at = now + SETTLE
        elif not self.held:
            log.info("%s: this engine works for it", self._cluster)
            self._said.over(self._cluster)
        self.held = mine
        return mine

    def _holder(self, now: float) -> Leaseholder | None:
        """A row that stays unreadable is damaged, not a holder's; a store that is, takes no new one either."""
        try:
            holder = self._store.leaseholder(self._cluster)
        except StoreError:
            self._unreadable_since = min(self._unreadable_since, now)
            if now - self._unreadable_since < PATIENCE:
                raise
            return None
        self._unreadable_since = float("inf")
        return holder

    def _write(self) -> None:
        self._beat += 1
        me = Leaseholder(self._me.token, self._me.host, self._me.pid, self._me.start, self._beat, self._wall())
        self._store.save_leaseholder(self._cluster, me)

    def _is_free(self, holder: Leaseholder, now: float) -> bool:
        # a pid can be looked up only where it was given: in the same namespace, since the same boot
        place = self._me.start.partition(" ")[0]
        comparable = bool(place) and holder.start.startswith(f"{place} ")
        if comparable and self._started_of(holder.pid) != holder.start:
            return True
        beat = replace(holder, at=0.0)
        if beat != self._seen:
            self._seen, self._seen_at = beat, now
        return now - self._seen_at >= PATIENCE

    def _say_waiting(self, holder: Leaseholder) -> None:
        if self.held:
            log.error("%s: another engine has taken over while this one stood still; it waits", self._cluster)
        if self._said.is_new(self._cluster, holder.token):
            log.error(
                "%s: another engine works for it already: process %s on %s; this one waits until that is gone. "
                "Is k8s_endpoints configured twice with the same cluster, or does a second master run?",
                self._cluster,
                holder.pid,
                holder.host,
            )
