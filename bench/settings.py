"""What of the engine's options in a lab is not as by default, and what its edges were given, in the words of a note.

Made of what that lab was given and of the table of defaults, so that no note can tell of others. It must never leave
one out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lab.topology import Lab


def settings(lab: Lab) -> str:
    """One sentence of Markdown; asked before a bench gives the engine options by turns."""
    edges = {name: value for name, value in lab.first_pillar["haproxy"].items() if name != "frontends"}
    return (
        f"Options of the engine that are not the defaults: {_listed(lab.other_options())}. "
        f"What the edges' pillar has beside frontends: {_listed(dict(_paths(edges)))}."
    )


def _listed(found: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}: {value}`" for name, value in sorted(found.items())) or "none"


def _paths(given: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in given.items():
        if isinstance(value, Mapping):
            yield from _paths(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
