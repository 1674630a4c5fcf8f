"""One watch: from a version or from the present, its selectors, its bookmarks, until its timeout.

An object that stops matching leaves the watch as DELETED, one that starts to match enters it as ADDED: clients count
on it. The clock is the event loop's, so an idle watch costs one timer.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from lab.kubeapi import resources as kinds
from lab.kubeapi import status
from lab.kubeapi.resources import Target
from lab.kubeapi.selectors import fields, labels
from lab.kubeapi.status import Cause, Failure
from lab.kubeapi.store import Event, Store, Stored, encode

BOOKMARK_SECONDS = 60.0
_BEFORE_DEADLINE = 2.0
_DEFAULT_TIMEOUT = (1800.0, 3600.0)
_SLOW_CLIENT = 20_000
_INITIAL_END = {"k8s.io/initial-events-end": "true"}

Send = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True)
class Options:
    """The query of a watch, checked."""

    version: int
    from_now: bool
    initial_events: bool
    bookmarks: bool
    timeout: float


def options(query: dict[str, str]) -> Options:
    """Raises a 400 or 422 `Failure`."""
    text = query.get("resourceVersion", "")
    if text and not text.isdigit():
        raise status.bad_request(f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: invalid syntax')
    initial, bookmarks = _flag(query, "sendInitialEvents"), _flag(query, "allowWatchBookmarks")
    if causes := _initial_events_causes(query, initial=initial):
        raise status.invalid(kinds.Resource("meta.k8s.io", "listoptions", "ListOptions"), "", causes)
    asked = query.get("timeoutSeconds", "")
    timeout = float(asked) if asked.isdigit() and int(asked) else random.uniform(*_DEFAULT_TIMEOUT)
    version = int(text or 0)
    # without a version, or with 0, the present comes first as ADDED events
    return Options(version, not version or initial, initial, bookmarks, timeout)


def _initial_events_causes(query: dict[str, str], *, initial: bool) -> list[Cause]:
    match = query.get("resourceVersionMatch", "")
    if initial and match != "NotOlderThan":
        message = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        return [{"reason": "FieldValueForbidden", "field": "resourceVersionMatch", "message": message}]
    if match and "sendInitialEvents" not in query:
        message = "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        return [{"reason": "FieldValueForbidden", "field": "resourceVersionMatch", "message": message}]
    return []


def _flag(query: dict[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("1", "true")


class Watch:
    """One client watching. ``mute`` and ``finish`` are the fault switches' handles."""

    def __init__(self, *, store: Store, target: Target, query: dict[str, str], bookmark_seconds: float) -> None:
        self._store, self._target, self._options = store, target, options(query)
        self._bookmark_seconds = bookmark_seconds
        name = f"metadata.name={target.name}" if target.name else query.get("fieldSelector", "")
        self._labels, self._fields = labels(query.get("labelSelector", "")), fields(name)
        self._lines: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._finished = False
        self.muted = False

    def start(self) -> Callable[[], None]:
        """Queue what has already happened and hear what will; the returned function ends the hearing."""
        try:
            self._lines.extend(self._beginning())
        except Failure as failure:
            self.fail(failure)
            return lambda: None
        return self._store.listen(self._target.resource, self._heard)

    def _beginning(self) -> list[bytes]:
        if not self._options.from_now:
            events = self._store.since(self._target.resource, self._options.version)
            return [line for line in map(self._line, events) if line]
        present = self._store.all(self._target.resource, self._target.namespace)
        lines = [_line("ADDED", one.body) for one in present if self._matches(one)]
        if self._options.initial_events and self._options.bookmarks:
            lines.append(self._bookmark(_INITIAL_END))
        return lines

    def _heard(self, event: Event) -> None:
        if line := self._line(event):
            self._lines.append(line)
            self._wake.set()
        if len(self._lines) > _SLOW_CLIENT:
            self.finish()

    def _matches(self, stored: Stored) -> bool:
        inside = not self._target.namespace or stored.key[0] == self._target.namespace
        return inside and self._labels(stored.item) and self._fields(stored.item)

    def _line(self, event: Event) -> bytes | None:
        before = event.previous is not None and self._matches(event.previous)
        after = event.kind != "DELETED" and self._matches(event.current)
        if before and after:
            return _line("MODIFIED", event.current.body)
        if after:
            return _line("ADDED", event.current.body)
        if not before or event.previous is None:
            return None
        gone = event.current if event.kind == "DELETED" else event.previous.at(event.version)
        return _line("DELETED", gone.body)

    def _bookmark(self, annotations: dict[str, str] | None = None) -> bytes:
        resource = self._target.resource
        metadata: dict[str, Any] = {"resourceVersion": str(self._store.version), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        item: dict[str, Any] = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
        if resource is kinds.ENDPOINT_SLICES:
            item |= {"addressType": "", "endpoints": None, "ports": None}  # as the typed original writes an empty one
        return _line("BOOKMARK", encode(item))

    def mute(self) -> None:
        """Never send another byte, as behind a router that forgot the connection."""
        self.muted = True
        self._wake.set()

    def finish(self) -> None:
        """End as at the timeout."""
        self._finished = True
        self._wake.set()

    def fail(self, failure: Failure) -> None:
        """An ERROR event, and the end."""
        self._lines.append(_line("ERROR", encode(failure.status())))
        self.finish()

    async def run(self, send: Send, gone: asyncio.Future[Any]) -> None:
        """Send until the timeout or until ``gone`` is done."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._options.timeout
        bookmark = self._next_bookmark(clock(), deadline)
        while not gone.done():
            await self._flush(send)
            if self._finished and not self.muted:
                return
            await self._pause(gone, min(deadline, bookmark) - clock())
            if clock() >= deadline:
                self.finish()
            elif clock() >= bookmark:
                self._lines.append(self._bookmark())
                bookmark = self._next_bookmark(clock(), deadline)

    def _next_bookmark(self, now: float, deadline: float) -> float:
        """Every minute, and once shortly before the deadline, so that a client goes on from a fresh version."""
        if not self._options.bookmarks:
            return deadline
        last = deadline - _BEFORE_DEADLINE
        return min(now + self._bookmark_seconds, last if last > now else deadline)

    async def _flush(self, send: Send) -> None:
        if self._lines and not self.muted:
            lines = b"".join(self._lines)
            self._lines.clear()
            await send(lines)

    async def _pause(self, gone: asyncio.Future[Any], seconds: float) -> None:
        if self.muted:
            await asyncio.wait([gone])
            return
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait([gone, woken], timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            self._wake.clear()


def _line(kind: str, body: bytes) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + body + b"}\n"
