"""What survives a restart: snapshots, what edges said, the last changes, the engine's report, freezes, keys.

The storage itself is Salt's cache, given to it by the adapter. An unreadable store is an error, never an empty one. All
of it is written by the engine, but for keys (the ext_pillar), freezes (the runner) and orders (both; see `outbox`).
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Protocol

from haproxy_edge.ack import mark_of
from haproxy_edge.records import ChangeRecord, EdgeRecord, Frozen, Leaseholder
from haproxy_edge.said import Said
from haproxy_edge.snapshot import Snapshot

log = logging.getLogger(__name__)

ROOT = "haproxy_edge"
# the name that freezes every service of a cluster
ALL = "all"
# what may become part of a path in the store: whoever forges an event chooses the name
_MINION_ID = re.compile(r"(?!\.)[^/\\\x00-\x1f]{1,200}")
_KEYS, _DOORBELL = f"{ROOT}/keys", f"{ROOT}/doorbell"


class StoreError(Exception):
    """The store could not be read or written."""


class Cache(Protocol):
    """The four calls of ``salt.cache`` that are used; each raises `StoreError`."""

    def fetch(self, bank: str, key: str) -> Any: ...
    def store(self, bank: str, key: str, data: Any) -> None: ...
    def flush(self, bank: str, key: str) -> bool: ...
    def list(self, bank: str) -> list[str]: ...


class Store:
    """Every bank but the outbox, by cluster. Each call raises `StoreError` when the storage fails."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._said = Said()

    def snapshot_text(self, cluster: str, service: str) -> str | None:
        """The canonical JSON, unparsed; None when this service was never seen."""
        row = self._cache.fetch(_services(cluster), _key(service))
        text = row.get("snapshot") if isinstance(row, dict) else None
        if text is not None and not isinstance(text, str):
            raise StoreError(f"{cluster}: {service}: the snapshot is {type(text).__name__}, not a text")
        return text

    def readable_text(self, cluster: str, service: str) -> str | None:
        """The same for one of many services, where a damaged row must not take the others with it: None, and said."""
        try:
            return self.snapshot_text(cluster, service)
        except StoreError as error:
            log.error("%s: %s cannot be read, its edges keep what they have: %s", cluster, service, error)
            return None

    def snapshot(self, cluster: str, service: str) -> Snapshot | None:
        """Raises `StoreError` when what is there cannot be read."""
        text = self.snapshot_text(cluster, service)
        try:
            return Snapshot.from_json(text) if text is not None else None
        except ValueError as error:
            raise StoreError(f"{cluster}: {service}: {error}") from error

    def save(self, snapshot: Snapshot) -> None:
        """Replaces the last snapshot of that service."""
        self._cache.store(_services(snapshot.cluster), _key(snapshot.service), {"snapshot": snapshot.to_json()})

    def ack_key(self, minion_id: str, owner: str = "") -> str:
        """That edge's own key, 64 hex digits, made on first use, and anew for another ``owner``.

        ``owner`` marks the minion's own key, as far as it is known: a host that was installed anew is another edge.
        """
        row = self._cache.fetch(_KEYS, minion_id)
        known = row if isinstance(row, dict) and isinstance(row.get("key"), str) else {}
        of_another = owner and known.get("owner") and known["owner"] != owner
        if not known or of_another:
            self._cache.store(_KEYS, minion_id, {"key": secrets.token_hex(32), "owner": owner})
        elif owner and not known.get("owner"):
            self._cache.store(_KEYS, minion_id, {"key": known["key"], "owner": owner})
        else:
            return str(known["key"])
        # read back: of two that made one at once, the one that is stored counts
        return str(self._cache.fetch(_KEYS, minion_id)["key"])

    def doorbell_token(self) -> str:
        """What our own doorbells carry, so that others' can be counted; it opens nothing."""
        row = self._cache.fetch(_DOORBELL, "token")
        if not isinstance(row, dict) or not isinstance(row.get("token"), str):
            self._cache.store(_DOORBELL, "token", {"token": secrets.token_hex(16)})
            row = self._cache.fetch(_DOORBELL, "token")
        return str(row["token"])

    def known_ack_key(self, minion_id: str) -> str | None:
        """That edge's key if it was ever given one; whatever ``minion_id`` holds, only keys are read."""
        if not _MINION_ID.fullmatch(minion_id):
            return None
        row = self._cache.fetch(_KEYS, minion_id)
        return str(row["key"]) if isinstance(row, dict) and isinstance(row.get("key"), str) else None

    def key_marks(self, minion_ids: Iterable[str]) -> dict[str, str]:
        """Marks of the keys those edges have; without those that have none, or whose row is damaged."""
        marks = {}
        for minion_id in minion_ids:
            try:
                key = self.known_ack_key(minion_id)
            except StoreError as error:
                # that edge's affair: its acknowledgements cannot be checked, the others' can
                if self._said.is_new((_KEYS, minion_id), str(error)):
                    log.warning("%s: its key cannot be read: %s", minion_id, error)
                continue
            self._said.over((_KEYS, minion_id))
            if key:
                marks[minion_id] = mark_of(key)
        return marks

    def keyed_edges(self) -> list[str]:
        """Every minion that was ever given a key: its pillar had frontends."""
        return sorted(self._cache.list(_KEYS))

    def edges(self, cluster: str) -> dict[str, EdgeRecord]:
        """What each edge last said, by minion id. A damaged row is left out, so that edge counts as new."""
        found = {}
        for minion_id in self._cache.list(_edges(cluster)):
            try:
                found[minion_id] = EdgeRecord.from_row(self._cache.fetch(_edges(cluster), minion_id))
            except (StoreError, ValueError) as error:
                log.warning("%s: what it confirmed cannot be read, so it counts as new: %s", minion_id, error)
        return found

    def save_edge(self, cluster: str, minion_id: str, record: EdgeRecord) -> None:
        """Replaces the record of that edge."""
        self._cache.store(_edges(cluster), minion_id, record.as_row())

    def forget_edge(self, cluster: str, minion_id: str) -> None:
        """That edge is no more."""
        self._cache.flush(_edges(cluster), minion_id)

    def history(self, cluster: str) -> list[ChangeRecord]:
        """The last changes, oldest first. What cannot be read is no history: it decides nothing."""
        row = self._cache.fetch(_history(cluster), "changes")
        try:
            return [ChangeRecord.from_row(one) for one in row["rows"]] if row else []
        except (KeyError, TypeError, ValueError) as error:
            log.warning("%s: the history cannot be read and begins anew: %s", cluster, error)
            return []

    def save_history(self, cluster: str, changes: Iterable[ChangeRecord]) -> None:
        """Replaces it."""
        # not asdict: it copies a number for each edge of each change, which takes longer than writing them
        self._cache.store(_history(cluster), "changes", {"rows": [vars(one) for one in changes]})

    def report(self, cluster: str) -> dict[str, Any] | None:
        """The engine's last word about itself (see `report`); None when no engine ever ran."""
        row = self._cache.fetch(_engine(cluster), "report")
        return row if isinstance(row, dict) else None

    def save_report(self, cluster: str, report: dict[str, Any]) -> None:
        """Replaces it."""
        self._cache.store(_engine(cluster), "report", report)

    def leaseholder(self, cluster: str) -> Leaseholder | None:
        """The engine that works for the cluster; None when there is none, or its row makes no sense."""
        row = self._cache.fetch(_engine(cluster), "lease")
        try:
            return Leaseholder(**row) if row else None
        except TypeError as error:
            log.warning("%s: the engine's lease cannot be read and is taken as free: %s", cluster, error)
            return None

    def save_leaseholder(self, cluster: str, holder: Leaseholder) -> None:
        """Replaces it."""
        self._cache.store(_engine(cluster), "lease", asdict(holder))

    def issued(self, cluster: str) -> list[str]:
        """Ids of the last orders of the hot lane, oldest first."""
        row = self._cache.fetch(_engine(cluster), "issued")
        ids = row.get("ids") if isinstance(row, dict) else None
        return [str(one) for one in ids] if isinstance(ids, list) else []

    def save_issued(self, cluster: str, ids: Iterable[str]) -> None:
        """Replaces them."""
        self._cache.store(_engine(cluster), "issued", {"ids": list(ids)})

    def frozen(self, cluster: str) -> dict[str, Frozen]:
        """What somebody holds as it is: by service (``namespace/name``), or `ALL`."""
        bank = _freezes(cluster)
        found = {}
        for key in self._cache.list(bank):
            try:
                row = self._cache.fetch(bank, key)
                self._said.over((bank, key))
            except StoreError as error:
                # somebody wanted it held: what cannot be read is not thawed by that
                if self._said.is_new((bank, key), str(error)):
                    log.warning("%s: the freeze cannot be read, and holds: %s", _service(key), error)
                row = {"by": "unreadable"}
            if row:
                found[_service(key)] = _frozen(row)
        return found

    def freeze(self, cluster: str, service: str, frozen: Frozen) -> None:
        """Hold ``service``, or `ALL`; the engine sees it within two seconds."""
        self._cache.store(_freezes(cluster), _key(service), asdict(frozen))

    def thaw(self, cluster: str, service: str) -> bool:
        """Let it go; False when it was not held under that name."""
        return self._cache.flush(_freezes(cluster), _key(service))


def _services(cluster: str) -> str:
    return f"{ROOT}/{cluster}/services"


def _edges(cluster: str) -> str:
    return f"{ROOT}/{cluster}/edges"


def _history(cluster: str) -> str:
    return f"{ROOT}/{cluster}/history"


def _freezes(cluster: str) -> str:
    return f"{ROOT}/{cluster}/frozen"


def _engine(cluster: str) -> str:
    return f"{ROOT}/{cluster}/engine"


def _key(service: str) -> str:
    # neither a namespace nor a service name can hold a dot
    return service.replace("/", ".")


def _service(key: str) -> str:
    return key.replace(".", "/")


def _frozen(row: Any) -> Frozen:
    # that it is there is what counts: one who writes it by hand may leave out the rest
    known = row if isinstance(row, dict) else {}
    return Frozen(float(known.get("since") or 0.0), str(known.get("by") or ""))
