"""Who really said it: an edge's acknowledgement, found in a job's return and checked against that edge's own key.

A return on the bus proves nothing: an accepted minion can book one to another minion. The signature does, so nothing
in one may be used before it is checked. Pure; the edge's half is ``haproxy_edge_minion.ack``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from haproxy_edge.options import LANES
from haproxy_edge.snapshot import canonical

# what tells an acknowledgement from any other mapping in a return
_MARKS = ("edge", "serves", "hmac")
# of an order, or of the edge's own accord
_LANES = (*LANES, "edge")
# services, problems, characters of a text, and a number: more than any edge has to say
_MOST, _PROBLEMS, _LONGEST, _GREATEST = 1000, 50, 1000, 2**53


@dataclass(frozen=True)
class Ack:
    """What an edge serves: (generation, digest) by "cluster namespace/name", and what stood in the way.

    ``state_needed`` says why only the state lane can help; ``ms`` is the edge's own part of the time.
    ``sequence`` only grows on an edge, ``key`` is a mark of the key it signed with; ``reload`` is the reason of one.
    """

    edge: str
    order: str
    lane: str
    serves: Mapping[str, tuple[int, str]]
    done: str
    problems: tuple[str, ...]
    state_needed: str | None
    ms: float
    sequence: int | None = None
    reload: str | None = None
    haproxy: str = ""
    key: str = ""


class Forged(Exception):
    """An acknowledgement that does not count; ``kind`` is what is wrong, the message names the edge it claims."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def found_in(returned: Any) -> dict[str, Any] | None:
    """The acknowledgement in a job's return: itself, or in one of the states of a ``state.apply``."""
    if not isinstance(returned, Mapping):
        return None
    return next(filter(_is_ack, _candidates(returned)), None)


def verified(raw: Mapping[str, Any], key_of: Callable[[str], str | None]) -> Ack:
    """The checked acknowledgement. Raises `Forged`."""
    content = {name: value for name, value in raw.items() if name != "hmac"}
    edge = str(raw.get("edge"))[:_LONGEST]
    key = key_of(edge)
    if key is None:
        raise Forged("stranger", f"{edge}: no such edge")
    try:
        text = canonical(content).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Forged("shape", f"{edge}: nothing that could be signed: {error!r}"[:_LONGEST]) from error
    if not same(hmac.new(key.encode(), text, hashlib.sha256).hexdigest(), raw.get("hmac")):
        raise Forged("signature", f"{edge}: not signed by it")
    try:
        return _ack(edge, content, mark_of(key))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Forged("shape", f"{edge}: signed, but not an acknowledgement: {error!r}") from error


def _candidates(returned: Mapping[Any, Any]) -> Iterator[Any]:
    yield returned
    for state in returned.values():
        if isinstance(state, Mapping):
            yield state.get("ack")


def _is_ack(value: Any) -> bool:
    return isinstance(value, Mapping) and all(mark in value for mark in _MARKS)


def same(secret: str, given: Any) -> bool:
    """Whether ``given``, which may be anything, is the secret; takes as long for every answer."""
    return hmac.compare_digest(secret.encode(), str(given).encode(errors="backslashreplace"))


def mark_of(key: str) -> str:
    """Tells keys apart without telling the key."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _ack(edge: str, raw: Mapping[str, Any], key: str) -> Ack:
    """A key may be stolen: what its thief signs must neither break the store nor fill it."""
    needed, sequence, reload = raw["state_needed"], raw.get("sequence"), raw.get("reload")
    if raw["lane"] not in _LANES or len(raw["serves"]) > _MOST:
        raise ValueError(f"lane {str(raw['lane'])[:20]!r}, {len(raw['serves'])} services")
    return Ack(
        edge=edge,
        order=_text(raw["order"]),
        lane=raw["lane"],
        serves={
            _text(name): (int(_number(row["generation"])), _text(row["digest"])) for name, row in raw["serves"].items()
        },
        done=_text(raw["done"]),
        problems=tuple(map(_text, raw["problems"][:_PROBLEMS])),
        state_needed=None if needed is None else _text(needed),
        ms=float(_number(raw["ms"])),
        sequence=None if sequence is None else int(_number(sequence)),
        reload=_text(reload) if reload else None,
        haproxy=_text(raw.get("haproxy") or ""),
        key=key,
    )


def _text(value: Any) -> str:
    return str(value)[:_LONGEST]


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _GREATEST:
        raise ValueError(f"{str(value)[:40]} is no number from 0 to {_GREATEST}")
    return value
