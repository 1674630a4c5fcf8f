"""Who really said it: an edge's acknowledgement, found in a job's return and checked against that edge's own key.

A return on the bus proves nothing: an accepted minion can book one to another minion. The signature does. Pure; the
edge's half is ``haproxy_edge_minion.ack``.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from haproxy_edge.model import canonical

log = logging.getLogger(__name__)

# seconds
_SAY_EVERY = 60.0
# what tells an acknowledgement from any other mapping in a return
_MARKS = ("edge", "serves", "hmac")


@dataclass(frozen=True)
class Ack:
    """What an edge serves: (generation, digest) by "cluster namespace/name", and what stood in the way.

    ``state_needed`` says why only the state lane can help; ``milliseconds`` is the edge's own part of the time.
    """

    edge: str
    order: str
    lane: str
    serves: Mapping[str, tuple[int, str]]
    done: str
    problems: tuple[str, ...]
    state_needed: str | None
    milliseconds: float


class Forged(Exception):
    """An acknowledgement that its edge has not signed; the message names the edge it claims."""


class Forgeries:
    """Counts forged acknowledgements, and logs at most one line a minute however many there are."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said_at = float("-inf")
        self._unsaid = 0
        self.total = 0

    def count(self, message: str) -> None:
        """One more."""
        self.total += 1
        self._unsaid += 1
        if self._clock() - self._said_at >= _SAY_EVERY:
            log.warning("%s forged acknowledgements ignored, the last: %s", self._unsaid, message)
            self._said_at, self._unsaid = self._clock(), 0


def found_in(returned: Any) -> dict[str, Any] | None:
    """The acknowledgement in a job's return: itself, or in one of the states of a ``state.apply``."""
    if not isinstance(returned, Mapping):
        return None
    return next(filter(_is_ack, _candidates(returned)), None)


def verified(raw: Mapping[str, Any], key_of: Callable[[str], str | None]) -> Ack:
    """The checked acknowledgement. Raises `Forged`."""
    content = {name: value for name, value in raw.items() if name != "hmac"}
    edge = str(raw.get("edge"))
    key = key_of(edge)
    if key is None:
        raise Forged(f"{edge}: no such edge")
    wanted = hmac.new(key.encode(), canonical(content).encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, str(raw.get("hmac"))):
        raise Forged(f"{edge}: not signed by it")
    try:
        return _ack(edge, content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Forged(f"{edge}: signed, but not an acknowledgement: {error!r}") from error


def _candidates(returned: Mapping[Any, Any]) -> Iterator[Any]:
    yield returned
    for state in returned.values():
        if isinstance(state, Mapping):
            yield state.get("ack")


def _is_ack(value: Any) -> bool:
    return isinstance(value, Mapping) and all(mark in value for mark in _MARKS)


def _ack(edge: str, raw: Mapping[str, Any]) -> Ack:
    serves = {str(key): (int(row["generation"]), str(row["digest"])) for key, row in raw["serves"].items()}
    needed = raw["state_needed"]
    return Ack(
        edge=edge,
        order=str(raw["order"]),
        lane=str(raw["lane"]),
        serves=serves,
        done=str(raw["done"]),
        problems=tuple(map(str, raw["problems"])),
        state_needed=None if needed is None else str(needed),
        milliseconds=float(raw["ms"]),
    )
