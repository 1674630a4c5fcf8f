"""Switches that make the API fail as real ones do, for everybody but the administrator.

Kinds: ``drop`` closes every connection, ``stall`` accepts and never answers, ``status`` answers with ``code`` (and
``retry_after`` seconds), ``error-event`` sends an ERROR event on watches, ``truncated`` cuts lists in the middle,
``wrong-kind`` answers lists with another kind. Watches that are open when a fault begins are ended in the way of that
fault: cut, stalled, or with an ERROR event.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

KINDS = ("drop", "stall", "status", "error-event", "truncated", "wrong-kind")


@dataclass(frozen=True)
class Fault:
    """The fault in force."""

    kind: str
    code: int = 500
    retry_after: int = 0


class Faults:
    """At most one fault at a time."""

    def __init__(self) -> None:
        self._fault: Fault | None = None
        self.cleared = threading.Event()
        self.cleared.set()
        self.begun = 0

    @property
    def now(self) -> Fault | None:
        return self._fault

    def set(self, raw: dict[str, Any]) -> None:
        """Raises ``ValueError`` on an unknown kind."""
        fault = Fault(**raw)
        if fault.kind not in KINDS:
            raise ValueError(f"{fault.kind!r} is not one of {', '.join(KINDS)}")
        self._fault = fault
        self.begun += 1
        self.cleared.clear()

    def clear(self) -> None:
        self._fault = None
        self.cleared.set()

    def is_kind(self, *kinds: str) -> bool:
        return self._fault is not None and self._fault.kind in kinds
