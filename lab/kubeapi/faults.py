"""What to break, for whom and how often: pure bookkeeping, the server does the breaking.

Kinds: ``status`` (answer ``code``; 429 with ``retry_after``), ``drop`` (close without a byte), ``stall`` (accept and
never send a byte: half-open), ``error_event`` (an ERROR event with ``code`` inside a watch), ``truncate`` (half the
JSON, a well-formed response otherwise), ``wrong_kind`` (a valid but empty list of another kind), ``delay``
(``seconds``, then the true answer). drop, stall and error_event also hit the watches that are open.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

KINDS = ("status", "drop", "stall", "error_event", "truncate", "wrong_kind", "delay")
ON_OPEN_WATCHES = ("drop", "stall", "error_event")


@dataclass
class Fault:
    """One switch. Empty ``path``, ``verb``, ``user`` mean any; ``path`` is a prefix, ``verb`` the API's (``list``,
    ``watch``, ``get``, ``create``, ``update``, ``patch``, ``delete``). ``times`` counts down; None lasts until cleared.
    """

    kind: str
    path: str = ""
    verb: str = ""
    user: str = ""
    code: int = 500
    message: str = ""
    retry_after: int | None = None
    seconds: float = 0.0
    times: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: {self.kind!r} is none of {', '.join(KINDS)}")

    @classmethod
    def of(cls, given: dict[str, Any]) -> Fault:
        """From JSON. Raises ValueError naming what is wrong."""
        unknown = set(given) - {field.name for field in fields(cls)}
        if unknown or "kind" not in given:
            raise ValueError(f"unknown keys: {sorted(unknown)}" if unknown else "kind is missing")
        return cls(**given)

    def hits(self, verb: str, path: str, user: str) -> bool:
        """Whether it is meant for that request."""
        return path.startswith(self.path) and self.verb in ("", verb) and self.user in ("", user) and self.times != 0


class Faults:
    """The switches that are on, oldest first."""

    def __init__(self) -> None:
        self.active: list[Fault] = []

    def take(self, verb: str, path: str, user: str) -> Fault | None:
        """The first that hits the request, one of its times used up."""
        for fault in self.active:
            if fault.hits(verb, path, user):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None
