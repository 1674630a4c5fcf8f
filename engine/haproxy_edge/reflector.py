"""List, watch and relist for ever: a faithful copy of what the API holds, and the age of that knowledge.

Three generators, each doing one thing: `watch_once` follows one HTTP call, `list_then_watch` goes on from a list, and
`forever` begins anew after any failure. An error is never an empty list: until a list succeeds nothing is said at all.

Source: "Efficient detection of changes", kubernetes.io/docs/reference/using-api/api-concepts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from haproxy_edge.backoff import Backoff
from haproxy_edge.kube import ApiError, Gone
from haproxy_edge.slices import SERVICE_LABEL, metadata_of

ENDPOINTS = "EndpointsList"
_PAGE = 500
# seconds: a watch that lives less has proven nothing
_SHORT = 1.0
_SHORT_WATCH = "short-watch"


class ListWatch(Protocol):
    """What the reflector needs of an API."""

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]: ...
    def watch(self, path: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]: ...


@dataclass(frozen=True)
class Watch:
    """What is followed as one; ``services`` are the keys it answers for."""

    path: str
    kind: str
    services: tuple[str, ...]
    selector: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Tells it from every other: the path it watches, and of the Endpoints of a namespace which."""
        return f"{self.path}/{self.services[0].split('/')[1]}" if self.kind == ENDPOINTS else self.path

    def service_of(self, item: Mapping[str, Any]) -> str:
        """The key that an object of this watch belongs to; one that nobody asked for is a key, too."""
        if self.kind == ENDPOINTS:
            return self.services[0]
        labels = metadata_of(item).get("labels")
        name = labels.get(SERVICE_LABEL) if isinstance(labels, dict) else None
        return f"{self.services[0].split('/')[0]}/{name or ''}"


@dataclass(frozen=True)
class Listed:
    """Everything there is now; replaces what was known."""

    objects: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Applied:
    """An object added or changed."""

    item: dict[str, Any]


@dataclass(frozen=True)
class Deleted:
    """An object gone."""

    item: dict[str, Any]


@dataclass(frozen=True)
class Condition:
    """The view is good (``name`` is "ok") or why it is not. Said once per change, not per retry."""

    name: str
    message: str


Change: TypeAlias = Listed | Applied | Deleted | Condition


@dataclass
class Freshness:
    """When the API last answered this watch, on the injected monotonic clock; None before the first time."""

    clock: Callable[[], float]
    last_contact: float | None = None
    relists: dict[str, int] = field(default_factory=dict)

    def touch(self) -> None:
        """The API has just been heard."""
        self.last_contact = self.clock()

    def age(self) -> float:
        """Seconds since the last contact; infinite before the first."""
        return float("inf") if self.last_contact is None else self.clock() - self.last_contact

    def relisted(self, reason: str) -> None:
        """Count one relist by its reason."""
        self.relists[reason] = self.relists.get(reason, 0) + 1


def watches_for(services: tuple[str, ...], *, slices: bool) -> list[Watch]:
    """One watch per namespace with a label selector for EndpointSlices; for Endpoints, which carry no service label,
    one per service by field selector."""
    if not slices:
        return [_endpoints_watch(service) for service in services]
    by_namespace: dict[str, list[str]] = {}
    for service in services:
        by_namespace.setdefault(service.split("/")[0], []).append(service)
    return [_slices_watch(namespace, tuple(keys)) for namespace, keys in by_namespace.items()]


def _slices_watch(namespace: str, services: tuple[str, ...]) -> Watch:
    names = ",".join(key.split("/")[1] for key in services)
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    return Watch(path, "EndpointSliceList", services, (("labelSelector", f"{SERVICE_LABEL} in ({names})"),))


def _endpoints_watch(service: str) -> Watch:
    namespace, name = service.split("/")
    selector = (("fieldSelector", f"metadata.name={name}"),)
    return Watch(f"/api/v1/namespaces/{namespace}/endpoints", ENDPOINTS, (service,), selector)


def watch_once(
    api: ListWatch, watch: Watch, version: str, timeout: float, freshness: Freshness
) -> Iterator[tuple[str, Change | None]]:
    """One call: (resourceVersion to go on from, change or None for a bookmark). Raises `ApiError`."""
    query = {
        **dict(watch.selector),
        "resourceVersion": version,
        "allowWatchBookmarks": "true",
        "timeoutSeconds": max(1, int(timeout)),
    }
    for event in api.watch(watch.path, query):
        freshness.touch()
        kind, item = event.get("type"), event.get("object")
        if kind == "ERROR" or not isinstance(item, dict):
            raise _error_event(watch, item)
        version = str(metadata_of(item).get("resourceVersion") or version)
        yield version, _change(watch, kind, item)


def list_all(api: ListWatch, watch: Watch, freshness: Freshness) -> tuple[str, Listed]:
    """Every object, page by page, and the resourceVersion of the list. Raises `ApiError`."""
    objects: list[dict[str, Any]] = []
    query: dict[str, Any] = {**dict(watch.selector), "limit": _PAGE}
    while True:
        page = api.get(watch.path, query)
        freshness.touch()
        objects += _items(watch, page)
        metadata = metadata_of(page)
        if not metadata.get("continue"):
            return str(metadata["resourceVersion"]), Listed(tuple(objects))
        query["continue"] = metadata["continue"]


def list_then_watch(
    api: ListWatch, watch: Watch, timeout: float, freshness: Freshness
) -> Iterator[tuple[Change | None, bool]]:
    """A list, then its changes, over as many watches as the server's timeout cuts it into. Raises `ApiError`.

    Beside each whether it proves that watches work: it came from one that has lived for `_SHORT`.
    """
    version, listed = list_all(api, watch, freshness)
    yield listed, False
    short_ones = 0
    while True:
        began = freshness.clock()
        for seen, change in watch_once(api, watch, version, timeout, freshness):
            version = seen
            yield change, freshness.clock() - began >= _SHORT
        if freshness.clock() - began >= _SHORT:
            short_ones = 0
            # the server ended the watch in good order: that is contact, too
            freshness.touch()
            yield None, True
            continue
        # one is nothing: a server that restarts ends them all
        short_ones += 1
        if short_ones > 1:
            raise ApiError(_SHORT_WATCH, f"{watch.path}: the API ends every watch within {_SHORT:g} s")


def forever(
    connect: Callable[[], ListWatch],
    watch: Watch,
    *,
    timeout: float,
    backoff: Backoff,
    freshness: Freshness,
    sleep: Callable[[float], None],
) -> Iterator[Change]:
    """Changes without end. Any failure leads to a new list after a delay that resets on success.

    A list is success enough, except after a watch that failed at once: where lists are granted and watches refused or
    cut, only a watch that lives is. Otherwise each of its lists would be called a recovery, at full pace.
    """
    condition, list_is_success = "", True
    while True:
        listed_at = None
        try:
            for change, proven in list_then_watch(connect(), watch, timeout, freshness):
                if list_is_success or proven:
                    backoff.reset()
                    if condition != "ok":
                        condition = "ok"
                        yield Condition("ok", f"{watch.path}: following {', '.join(watch.services)}")
                if change is not None:
                    yield change
                if listed_at is None:
                    listed_at = freshness.clock()
        except ApiError as error:
            if listed_at is not None:
                lived = freshness.clock() - listed_at >= _SHORT
                list_is_success = lived and error.condition != _SHORT_WATCH
            freshness.relisted(error.condition)
            # 410 is the API's ordinary way to ask for a new list: nothing is wrong with the view
            if error.condition != condition and not isinstance(error, Gone):
                condition = error.condition
                yield Condition(condition, f"{error}; edges stay as they are")
            sleep(backoff.next(error.retry_after))


def _change(watch: Watch, kind: Any, item: dict[str, Any]) -> Change | None:
    if kind == "BOOKMARK":
        return None
    if kind in ("ADDED", "MODIFIED"):
        return Applied(_without_ballast(item))
    if kind == "DELETED":
        return Deleted(_without_ballast(item))
    raise ApiError("wrong-kind", f"{watch.path}: unknown watch event {kind!r}")


def _error_event(watch: Watch, status: Any) -> ApiError:
    status = status if isinstance(status, dict) else {}
    code, message = status.get("code"), f"{watch.path}: ERROR event: {status.get('message') or status!r}"
    return Gone("http-410", message) if code == 410 else ApiError("error-event", message)


def _items(watch: Watch, page: Mapping[str, Any]) -> list[dict[str, Any]]:
    if page.get("kind") != watch.kind:
        raise ApiError("wrong-kind", f"{watch.path}: {page.get('kind')!r} where {watch.kind} was expected")
    if not metadata_of(page).get("resourceVersion"):
        raise ApiError("wrong-kind", f"{watch.path}: a list without resourceVersion is no answer of a Kubernetes API")
    items = page.get("items")
    if items is not None and not isinstance(items, list):
        raise ApiError("wrong-kind", f"{watch.path}: items is {type(items).__name__}")
    return [_without_ballast(item) for item in items or [] if isinstance(item, dict)]


def _without_ballast(item: dict[str, Any]) -> dict[str, Any]:
    if isinstance(item.get("metadata"), dict):
        item["metadata"].pop("managedFields", None)
    return item
