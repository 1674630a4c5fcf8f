"""The objects, one global resourceVersion, and the history a watch may start from.

Objects are never changed in place: a write replaces them, so a chunked list and a replayed watch see what was true at
their version. Not thread safe by design: it belongs to the server's event loop.
"""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import cached_property
from typing import Any

from lab.kubeapi.resources import RESOURCES, Resource
from lab.kubeapi.status import expired, too_old

FIRST_VERSION = 100
HISTORY = 20_000
_PAGED_LISTS = 64

Key = tuple[str, str]


def encode(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Stored:
    """One version of one object, with its JSON made at most once."""

    def __init__(self, item: dict[str, Any]) -> None:
        self.item = item

    @cached_property
    def body(self) -> bytes:
        return encode(self.item)

    @cached_property
    def list_item(self) -> bytes:
        """As an element of a list, where the API leaves kind and apiVersion out."""
        return encode({key: value for key, value in self.item.items() if key not in ("kind", "apiVersion")})

    @property
    def key(self) -> Key:
        metadata = self.item["metadata"]
        return metadata.get("namespace", ""), metadata["name"]

    @property
    def version(self) -> str:
        return str(self.item["metadata"]["resourceVersion"])

    def at(self, version: int) -> Stored:
        """The same object under another resourceVersion."""
        return Stored({**self.item, "metadata": {**self.item["metadata"], "resourceVersion": str(version)}})


class Event:
    """One committed write. ``previous`` is None for an addition; for a deletion ``current`` is the last state."""

    def __init__(self, version: int, kind: str, current: Stored, previous: Stored | None) -> None:
        self.version, self.kind, self.current, self.previous = version, kind, current, previous


Listener = Callable[[Event], None]


class Store:
    """Everything the API knows."""

    def __init__(self, *, history: int = HISTORY) -> None:
        self.version = FIRST_VERSION
        self.compacted = FIRST_VERSION
        self._limit = history
        self._objects: dict[Resource, dict[Key, Stored]] = {resource: {} for resource in RESOURCES}
        self._history: deque[tuple[Resource, Event]] = deque()
        self._listeners: dict[Resource, set[Listener]] = {resource: set() for resource in RESOURCES}
        self._pages: OrderedDict[tuple[Resource, int], tuple[Stored, ...]] = OrderedDict()

    def get(self, resource: Resource, namespace: str, name: str) -> Stored | None:
        return self._objects[resource].get((namespace, name))

    def all(self, resource: Resource, namespace: str = "") -> tuple[Stored, ...]:
        """The objects of one namespace, or of all, in the API's order."""
        found = self._objects[resource]
        keys = sorted(key for key in found if not namespace or key[0] == namespace)
        return tuple(found[key] for key in keys)

    def put(self, resource: Resource, item: dict[str, Any]) -> Stored:
        """Add or replace; the new resourceVersion is set here."""
        self.version += 1
        stored = Stored(item).at(self.version)
        previous = self._objects[resource].get(stored.key)
        self._objects[resource][stored.key] = stored
        self._commit(resource, Event(self.version, "MODIFIED" if previous else "ADDED", stored, previous))
        return stored

    def remove(self, resource: Resource, stored: Stored) -> Stored:
        """Delete; the returned last state carries the version of the deletion, as in the API."""
        self.version += 1
        del self._objects[resource][stored.key]
        last = stored.at(self.version)
        self._commit(resource, Event(self.version, "DELETED", last, stored))
        return last

    def _commit(self, resource: Resource, event: Event) -> None:
        self._history.append((resource, event))
        while len(self._history) > self._limit:
            self.compacted = self._history.popleft()[1].version
        for listener in tuple(self._listeners[resource]):
            listener(event)

    def since(self, resource: Resource, version: int) -> list[Event]:
        """The events after ``version``. Raises a 410 `Failure` when they are no longer all there."""
        if version < self.compacted:
            raise too_old(version, self.compacted)
        return [event for owner, event in self._history if owner is resource and event.version > version]

    def compact(self) -> int:
        """Forget the history up to now, and every half-read chunked list."""
        self._history.clear()
        self._pages.clear()
        self.compacted = self.version
        return self.version

    def listen(self, resource: Resource, listener: Listener) -> Callable[[], None]:
        """Hear every later write; the returned function ends it."""
        self._listeners[resource].add(listener)
        return lambda: self._listeners[resource].discard(listener)

    def keep_page(self, resource: Resource) -> tuple[Stored, ...]:
        """Remember the whole collection at the current version, for the chunks to come."""
        objects = self.all(resource)
        self._pages[(resource, self.version)] = objects
        while len(self._pages) > _PAGED_LISTS:
            self._pages.popitem(last=False)
        return objects

    def page(self, resource: Resource, version: int) -> tuple[Stored, ...]:
        """What `keep_page` remembered. Raises a 410 `Failure` after compaction."""
        try:
            return self._pages[(resource, version)]
        except KeyError:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new "
                "list without the continue parameter."
            ) from None

    def dump(self) -> dict[str, Any]:
        """All objects and the version, for the next start."""
        items = [stored.item for found in self._objects.values() for stored in found.values()]
        return {"version": self.version, "items": items}

    def load(self, dumped: dict[str, Any]) -> None:
        """What `dump` gave; like a restarted API server it knows the objects but no history."""
        by_kind = {(resource.api_version, resource.kind): resource for resource in RESOURCES}
        for item in dumped["items"]:
            stored = Stored(item)
            self._objects[by_kind[(item["apiVersion"], item["kind"])]][stored.key] = stored
        self.version = self.compacted = int(dumped["version"])
