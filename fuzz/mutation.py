"""Strategies: JSON out of nothing, and real values with something wrong at a few places. Pure.

Most of what is made up is refused at the first field; a real value with one bad spot gets past all checks but one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

# what ends a line, a word, a command or a quote somewhere on the way, and what only looks harmless
_POISON = (
    "\n", "\r\n", "\n    server evil 10.9.9.9:1", "\nbackend evil\n", "; disable server a/b", "<<", "#", " ", "\t",
    "\\", '"', "'", "$HOME", "${HOME}", "\0", "\x7f", "\u2028", "\x85", "\u0660", "\ud800", "é", "%", "%eth0", "[", "]",
    "{{", "{%", "@", "/", "..", "-", ":", ",", "443",
)  # fmt: skip
_NASTY: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 65535, 65536, 2**63, 10**400, 1.0, 0.5, float("inf"), float("nan"), "", " ", "\n",
    [], {}, [None], [[]], {"": None}, {"a": {"b": []}}, "0", "443", "0.0.0.0", "::", "::1", "127.0.0.1", "224.0.0.1",
    "255.255.255.255", "fe80::1%eth0", "::ffff:10.42.0.7", "::ffff:a2a:7", "::1:5", "010.1.1.1", "10.42.0.7/32", "1e3",
    "x" * 300, "FD42::7", "ready", "draining", "unknown", "websecure", "999999999d", "500us", "\u0661",
)  # fmt: skip

_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(_NASTY[:13])
anything = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip

# a container, and the key or index of something in it
Place = tuple[Any, Any]


def mutated(seeds: Sequence[Any]) -> st.SearchStrategy[Any]:
    """One of the seeds with one to three things wrong."""
    return _mutated(tuple(seeds))


@st.composite
def _mutated(draw: st.DrawFn, seeds: tuple[Any, ...]) -> Any:
    # in a list of its own, so that the whole value has a place, too
    holder = [copy.deepcopy(draw(st.sampled_from(seeds)))]
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        places = list(_places(holder))
        container, key = places[draw(st.integers(0, len(places) - 1))]
        draw(st.sampled_from(_MUTATIONS))(draw, container, key)
        if not holder:
            return None
    return holder[0]


def _places(container: Any) -> Iterator[Place]:
    items = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in items:
        yield container, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _replace(draw: st.DrawFn, container: Any, key: Any) -> None:
    # a copy: a later mutation must not change the table
    container[key] = copy.deepcopy(draw(st.sampled_from(_NASTY) | anything))


def _poison(draw: st.DrawFn, container: Any, key: Any) -> None:
    """Something bad inside what was good."""
    text = container[key] if isinstance(container[key], str) else str(container[key])[:40]
    at = draw(st.integers(0, len(text)))
    container[key] = text[:at] + draw(st.sampled_from(_POISON)) + text[at:]


def _drop(_draw: st.DrawFn, container: Any, key: Any) -> None:
    del container[key]


def _rename(draw: st.DrawFn, container: Any, key: Any) -> None:
    if isinstance(container, dict):
        name = draw(st.sampled_from(_POISON) | st.sampled_from((1, None, True, "web", "a\nb", "x" * 64, key)))
        container[key + name if isinstance(name, str) and isinstance(key, str) else name] = container.pop(key)


def _repeat(draw: st.DrawFn, container: Any, key: Any) -> None:
    if isinstance(container, list):
        container.insert(draw(st.integers(0, len(container))), copy.deepcopy(container[key]))


def _wrap(draw: st.DrawFn, container: Any, key: Any) -> None:
    wrapped = draw(st.sampled_from(([container[key]], {"a": container[key]}, [container[key]] * 3)))
    container[key] = copy.deepcopy(wrapped)


_MUTATIONS: tuple[Callable[[st.DrawFn, Any, Any], None], ...] = (
    _replace, _replace, _poison, _poison, _poison, _drop, _rename, _repeat, _wrap,
)  # fmt: skip


@st.composite
def mangled(draw: st.DrawFn, texts: Sequence[str]) -> str:
    """A text that lost, gained or swapped some characters."""
    text = draw(st.sampled_from(tuple(texts)))
    start = draw(st.integers(0, len(text)))
    end = min(len(text), start + draw(st.integers(0, 12)))
    middle = draw(st.sampled_from(_POISON) | st.text(max_size=6) | st.just(text[start:end] * 2) | st.just(""))
    return text[:start] + middle + (text[end:] if draw(st.integers(0, 9)) else "")
