"""README's one line about benchmarks, with figures of the kept results and of nothing else.

A figure that is not there is left out; one that missed its goal is told all the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.result import Result
from lab.figures import Figure

# part, a piece of the figure's name, and how it reads; all pieces must name one figure each (a test sees to it)
CHOSEN: tuple[tuple[str, str, str], ...] = (
    ("side_by_side", "change to all edges, hot lane", "a change of pods reaches all edges in {} round trips of Salt"),
    ("side_by_side", "faster than Ansible, restart", "{} times as fast as a playbook that restarts HAProxy"),
    ("side_by_side", "new connections that failed", "{} new connections fail"),
    ("side_by_side", "open connections cut", "{} open ones are cut"),
    ("growth", "200 edges on one change", "200 edges follow within {} s"),
    ("growth", "engine resident at 10,000 endpoints", "the engine takes {} MB at 10,000 endpoints"),
    ("data_plane", "new connections, TLS passed through: a second", "an edge carries {} of what one by hand does"),
)
NOTHING = (
    "`make bench` measures all of it beside today's other ways and writes [docs/benchmarks.md](docs/benchmarks.md)."
)


def headline(results: Mapping[str, Result]) -> str:
    """One paragraph of Markdown."""
    told = [
        words.format(f"**{_number(found)}**") for part, piece, words in CHOSEN if (found := find(results, part, piece))
    ]
    if not told:
        return NOTHING
    return f"Measured by `make bench` ([docs/benchmarks.md](docs/benchmarks.md)): {'; '.join(told)}."


def find(results: Mapping[str, Result], part: str, piece: str) -> Figure | None:
    """The figure of that part with ``piece`` in its name. Raises ``LookupError`` when several have it."""
    found = [figure for figure in (results[part].figures if part in results else ()) if piece in figure.name]
    if len(found) > 1:
        raise LookupError(f"{part}: {piece!r} names {len(found)} figures: {', '.join(one.name for one in found)}")
    return found[0] if found else None


def _number(figure: Figure) -> str:
    return f"{figure.measured:,.10g}"
