"""What the watches have delivered so far, read and by service: always the whole of it, or nothing at all.

What has not been listed is unknown, and unknown must never look like empty.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from haproxy_edge.reflector import Applied, Change, Condition, Listed, Target
from haproxy_edge.slices import SERVICE_LABEL, Merged, Slice, endpoints_as_slices, merge, metadata_of, read


class _Known(NamedTuple):
    service: str
    slices: tuple[Slice, ...]


class View:
    """The objects of all watches. A service is known once its watch has listed."""

    def __init__(self) -> None:
        self._known: dict[Target, dict[str, _Known]] = {}

    def accept(self, target: Target, change: Change) -> set[str]:
        """Take one change in; the services it may concern."""
        if isinstance(change, Condition):
            return set()
        if isinstance(change, Listed):
            self._known[target] = {_name(item): _read(target, item) for item in change.objects}
            return set(target.services)
        # a slice that changes hands concerns both services
        services = {_service_of(target, change.item)}
        before = self._known[target].pop(_name(change.item), None)
        if before is not None:
            services.add(before.service)
        if isinstance(change, Applied):
            self._known[target][_name(change.item)] = _read(target, change.item)
        return services & set(target.services)

    def merged(self, service: str) -> Merged | None:
        """All that is known of a service; None while no list has succeeded."""
        target = next((target for target in self._known if service in target.services), None)
        if target is None:
            return None
        known = self._known[target].values()
        return merge(one for item in known if item.service == service for one in item.slices)


def _read(target: Target, item: dict[str, Any]) -> _Known:
    slices = endpoints_as_slices(item) if target.kind == "EndpointsList" else [item]
    return _Known(_service_of(target, item), tuple(map(read, slices)))


def _name(item: dict[str, Any]) -> str:
    return str(metadata_of(item).get("name") or "")


def _service_of(target: Target, item: dict[str, Any]) -> str:
    if target.kind == "EndpointsList":
        return target.services[0]
    labels = metadata_of(item).get("labels")
    name = labels.get(SERVICE_LABEL) if isinstance(labels, dict) else None
    return f"{target.services[0].split('/')[0]}/{name or ''}"
