"""What of the master's bus the engine believes: what an edge signed, and nothing else.

Any accepted minion can put any tag with any data there, can have a return booked to another one, and can do so any
number of times. Here it is decided what counts; what does not is counted by kind. Pure but for the keys it is given.
A minion's start is not listened to at all: a true one looks like a forged one, so it may trigger nothing.
It must never raise for what stands in an event: the next one has to be read.

Two forms reach the bus from a minion: the whole message, with the minion's own id, which the master has proven
(``cmd: _minion_event``); and the bare data out of a list of events, of which nobody knows who sent it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from haproxy_edge.ack import Ack, Forged, found_in, same, verified
from haproxy_edge.forgeries import Forgeries

# beginnings of tags; a warning's is the whole of it
JOBS = "salt/job/"
OURS = "haproxy_edge/"
DOORBELL, ACK, WARNING = f"{OURS}doorbell/", f"{OURS}ack/", f"{OURS}warning"
# whose returns carry an acknowledgement
_ACKNOWLEDGED_BY = frozenset({"haproxy_edge.sync", "haproxy_edge.ack", "state.apply", "state.sls", "state.highstate"})


class EventFilter:
    """``key_of`` gives an edge's key, ``token_of`` what our own doorbells carry; both may raise `StoreError`."""

    def __init__(
        self, key_of: Callable[[str], str | None], token_of: Callable[[], str | None], forgeries: Forgeries
    ) -> None:
        self._key_of = key_of
        self._token_of = token_of
        self._forgeries = forgeries

    def ack_in(self, tag: str, data: Any) -> Ack | None:
        """One event; the acknowledgement in it, if its edge really signed one."""
        if not isinstance(data, Mapping):
            return None
        try:
            if tag.startswith(JOBS):
                return self._returned(data)
            return self._of_ours(tag, data) if tag.startswith(OURS) else None
        except Forged as error:
            self._forgeries.count(error.kind, str(error), _sender(data))
            return None

    def _returned(self, data: Mapping[str, Any]) -> Ack | None:
        inner = data.get("data")
        if _sender(data) and isinstance(inner, Mapping) and _acknowledges(inner):
            raise Forged("return", f"an event of a minion that poses as the return of {inner['fun']}")
        raw = found_in(data.get("return")) if _acknowledges(data) else None
        return verified(raw, self._key_of) if raw else None

    def _of_ours(self, tag: str, data: Mapping[str, Any]) -> Ack | None:
        if tag.startswith(DOORBELL):
            self._rung(tag, data)
            return None
        if tag.startswith(ACK):
            raw = _told_in(data)
            if raw is None:
                raise Forged("shape", f"{tag}: no acknowledgement in it")
            return verified(raw, self._key_of)
        if tag == WARNING and not _sender(data):
            # ours, or of the form that cannot be told from ours
            return None
        raise Forged("warning" if tag == WARNING else "other", f"a minion fired {tag[:100]}")

    def _rung(self, tag: str, data: Mapping[str, Any]) -> None:
        token = self._token_of()
        if token is None or not same(token, data.get("token")):
            raise Forged("doorbell", f"{tag[:100]} was not rung by the master")


def _acknowledges(data: Mapping[str, Any]) -> bool:
    # compared one by one: what stands there may be anything, a list, too
    return any(data.get("fun") == one for one in _ACKNOWLEDGED_BY)


def _sender(data: Mapping[str, Any]) -> str:
    """The minion's id, where the master has proven it."""
    return str(data.get("id") or "") if data.get("cmd") == "_minion_event" else ""


def _told_in(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The signed acknowledgement of an edge's own event, in either form it can arrive."""
    inner = data.get("data")
    for place in (data, inner if isinstance(inner, Mapping) else {}):
        told = place.get("ack")
        if isinstance(told, Mapping):
            return told
    return None
