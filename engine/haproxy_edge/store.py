"""What survives a restart: the last snapshot of every service, and each edge's acknowledgement key.

The storage itself is Salt's cache, given to it by the adapter. An unreadable store is an error, never an empty one.
"""

from __future__ import annotations

import secrets
from typing import Any, Protocol

from haproxy_edge.model import Snapshot

ROOT = "haproxy_edge"
_KEYS = f"{ROOT}/keys"


class StoreError(Exception):
    """The store could not be read or written."""


class Cache(Protocol):
    """The four calls of ``salt.cache`` that are used; each raises `StoreError`."""

    def fetch(self, bank: str, key: str) -> Any: ...
    def store(self, bank: str, key: str, data: Any) -> None: ...
    def flush(self, bank: str, key: str) -> bool: ...
    def list(self, bank: str) -> list[str]: ...


class Store:
    """Snapshots by cluster and service, keys by minion id."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def snapshot_text(self, cluster: str, service: str) -> str | None:
        """The canonical JSON, unparsed; None when this service was never seen."""
        row = self._cache.fetch(_services(cluster), _key(service))
        return row.get("snapshot") if isinstance(row, dict) else None

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

    def ack_key(self, minion_id: str) -> str:
        """That edge's own key, 64 hex digits, made on first use."""
        known = self.known_ack_key(minion_id)
        if known:
            return known
        self._cache.store(_KEYS, minion_id, {"key": secrets.token_hex(32)})
        # read back: of two that made one at once, the one that is stored counts
        return str(self._cache.fetch(_KEYS, minion_id)["key"])

    def known_ack_key(self, minion_id: str) -> str | None:
        """That edge's key if it was ever given one; whatever ``minion_id`` holds, only keys are read."""
        if "/" in minion_id or minion_id.startswith("."):
            return None
        row = self._cache.fetch(_KEYS, minion_id)
        return str(row["key"]) if isinstance(row, dict) and isinstance(row.get("key"), str) else None


def _services(cluster: str) -> str:
    return f"{ROOT}/{cluster}/services"


def _key(service: str) -> str:
    # neither a namespace nor a service name can hold a dot
    return service.replace("/", ".")
