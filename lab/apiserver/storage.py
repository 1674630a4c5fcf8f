"""Objects with true resourceVersions, and the history from which watches are served.

Source: "Resource versions" and "Efficient detection of changes" in the Kubernetes API concepts.
"""

from __future__ import annotations

import copy
import datetime
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.apiserver.resources import Resource

Object = dict[str, Any]
Key = tuple[str, str, str]


class ApiFailure(Exception):
    """An answer other than success; becomes a ``Status`` object."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason

    def status(self) -> Object:
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "code": self.code,
        }


def expired(version: int) -> ApiFailure:
    return ApiFailure(410, "Expired", f"too old resource version: {version}")


@dataclass(frozen=True)
class Event:
    """One change; ``before`` is the object as it was, for selectors that stop to match."""

    version: int
    kind: str
    plural: str
    item: Object
    before: Object | None


class Storage:
    """All objects of all kinds under one counter. Every method is safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._objects: dict[Key, Object] = {}
        self._history: list[Event] = []
        self._version = 100
        self._compacted = 0

    @property
    def version(self) -> int:
        return self._version

    @property
    def compacted(self) -> int:
        """The resourceVersion before which the history is forgotten."""
        return self._compacted

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        with self._lock:
            return copy.deepcopy(self._found((resource.plural, namespace, name), resource))

    def list(self, resource: Resource, namespace: str, fits: Callable[[Object], bool]) -> tuple[int, list[Object]]:
        """(resourceVersion of the list, objects by name); an empty ``namespace`` means all."""
        with self._lock:
            keys = [key for key in sorted(self._objects) if key[0] == resource.plural and namespace in ("", key[1])]
            return self._version, [item for key in keys if fits(item := self._objects[key])]

    def create(self, resource: Resource, namespace: str, item: Object) -> Object:
        with self._lock:
            self._check_namespace(resource, namespace)
            metadata = item.setdefault("metadata", {})
            if not metadata.get("name") and metadata.get("generateName"):
                metadata["name"] = f"{metadata['generateName']}{uuid.uuid4().hex[:5]}"
            key = (resource.plural, namespace, metadata.get("name") or "")
            if key in self._objects:
                raise ApiFailure(409, "AlreadyExists", f'{resource.plural} "{key[2]}" already exists')
            if not key[2]:
                raise ApiFailure(422, "Invalid", f"{resource.kind}: metadata.name: Required value")
            metadata.update(uid=str(uuid.uuid4()), creationTimestamp=_now(), generation=1)
            return self._put(resource, key, item, "ADDED")

    def replace(self, resource: Resource, namespace: str, name: str, item: Object) -> Object:
        with self._lock:
            key = (resource.plural, namespace, name)
            before = self._found(key, resource)
            asked = (item.get("metadata") or {}).get("resourceVersion")
            if asked and asked != before["metadata"]["resourceVersion"]:
                raise ApiFailure(
                    409,
                    "Conflict",
                    f'Operation cannot be fulfilled on {resource.plural} "{name}": the object has '
                    "been modified; please apply your changes to the latest version and try again",
                )
            kept = {field: before["metadata"][field] for field in ("uid", "creationTimestamp", "generation")}
            item["metadata"] = {**(item.get("metadata") or {}), **kept, "name": name}
            if _content(item) == _content(before):
                return copy.deepcopy(before)
            item["metadata"]["generation"] = before["metadata"]["generation"] + 1
            return self._put(resource, key, item, "MODIFIED")

    def patch(self, resource: Resource, namespace: str, name: str, changes: Object) -> Object:
        """RFC 7386, JSON Merge Patch."""
        with self._lock:
            before = self._found((resource.plural, namespace, name), resource)
            return self.replace(resource, namespace, name, merge_patch(copy.deepcopy(before), changes))

    def delete(self, resource: Resource, namespace: str, name: str) -> Object:
        with self._lock:
            key = (resource.plural, namespace, name)
            before = self._found(key, resource)
            del self._objects[key]
            gone = copy.deepcopy(before)
            self._record("DELETED", resource, gone, before)
            return gone

    def compact(self) -> None:
        """Forget the history: a watch from before now is told 410."""
        with self._lock:
            self._compacted = self._version
            self._history.clear()
            self._lock.notify_all()

    def after(self, version: int, plural: str, timeout: float) -> list[Event]:
        """Events newer than ``version``; waits up to ``timeout`` seconds for one. Raises 410 when compacted away."""
        with self._lock:
            if version < self._compacted:
                raise expired(version)
            if not self._since(version):
                self._lock.wait(timeout)
            if version < self._compacted:
                raise expired(version)
            return [event for event in self._since(version) if event.plural == plural]

    def wake(self) -> None:
        """Make every waiting watch look again."""
        with self._lock:
            self._lock.notify_all()

    def _since(self, version: int) -> list[Event]:
        newer = []
        for event in reversed(self._history):
            if event.version <= version:
                break
            newer.append(event)
        return newer[::-1]

    def _found(self, key: Key, resource: Resource) -> Object:
        if key not in self._objects:
            raise ApiFailure(404, "NotFound", f'{resource.plural} "{key[2]}" not found')
        return self._objects[key]

    def _check_namespace(self, resource: Resource, namespace: str) -> None:
        if resource.namespaced and ("namespaces", "", namespace) not in self._objects:
            raise ApiFailure(404, "NotFound", f'namespaces "{namespace}" not found')

    def _put(self, resource: Resource, key: Key, item: Object, kind: str) -> Object:
        item.update(kind=resource.kind, apiVersion=resource.api_version)
        if resource.namespaced:
            item["metadata"]["namespace"] = key[1]
        before = self._objects.get(key)
        self._objects[key] = item
        self._record(kind, resource, item, before)
        return copy.deepcopy(item)

    def _record(self, kind: str, resource: Resource, item: Object, before: Object | None) -> None:
        self._version += 1
        item["metadata"]["resourceVersion"] = str(self._version)
        self._history.append(Event(self._version, kind, resource.plural, copy.deepcopy(item), before))
        self._lock.notify_all()


def merge_patch(target: Any, changes: Any) -> Any:
    """RFC 7386."""
    if not isinstance(changes, dict):
        return changes
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def _content(item: Mapping[str, Any]) -> Object:
    metadata = {
        name: value for name, value in item["metadata"].items() if name not in ("resourceVersion", "generation")
    }
    return {**item, "metadata": {**metadata, "namespace": None}, "kind": None, "apiVersion": None}


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
