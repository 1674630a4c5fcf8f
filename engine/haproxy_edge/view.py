"""What the watches have delivered so far, read and by service: always the whole of it, or nothing at all.

What has not been listed is unknown, and unknown must never look like empty.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from haproxy_edge.reflector import ENDPOINTS, Applied, Change, Condition, Listed, Watch
from haproxy_edge.slices import Merged, Slice, endpoints_as_slices, merge, name_of, read


class _Known(NamedTuple):
    service: str
    slices: tuple[Slice, ...]


class View:
    """The objects of all watches. A service is known once its watch has listed."""

    def __init__(self) -> None:
        self._known: dict[Watch, dict[str, _Known]] = {}

    def accept(self, watch: Watch, change: Change) -> set[str]:
        """Take one change in; the services it may concern."""
        if isinstance(change, Condition):
            return set()
        if isinstance(change, Listed):
            self._known[watch] = {name_of(item): _read(watch, item) for item in change.objects}
            return set(watch.services)
        # a slice that changes hands concerns both services
        services = {watch.service_of(change.item)}
        before = self._known[watch].pop(name_of(change.item), None)
        if before is not None:
            services.add(before.service)
        if isinstance(change, Applied):
            self._known[watch][name_of(change.item)] = _read(watch, change.item)
        return services & set(watch.services)

    def merged(self, service: str) -> Merged | None:
        """All that is known of a service; None while no list has succeeded."""
        watch = next((watch for watch in self._known if service in watch.services), None)
        if watch is None:
            return None
        known = self._known[watch].values()
        return merge(one for item in known if item.service == service for one in item.slices)


def _read(watch: Watch, item: dict[str, Any]) -> _Known:
    slices = endpoints_as_slices(item) if watch.kind == ENDPOINTS else [item]
    return _Known(watch.service_of(item), tuple(map(read, slices)))
