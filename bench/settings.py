"""What of the engine's options and the edges' pillar is not as by default in a lab, in the words of a note.

Made of what that lab was given and of the tables of defaults, so that no note can tell of others. It must never leave
one out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from haproxy_edge_minion import spec

from lab.topology import Lab


def settings(lab: Lab) -> str:
    """One sentence of Markdown; asked before a bench gives the engine options by turns."""
    engine = _listed(lab.other_options())
    edges = _listed(dict(_others("haproxy", lab.first_pillar["haproxy"])))
    return f"Not as by default are, of the engine's options, {engine}; of the edges' pillar, beside frontends, {edges}."


def _listed(found: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}: {value}`" for name, value in sorted(found.items())) or "none"


def _others(section: str, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    defaults = {key.name: key.default for key in spec.TABLES[section]}
    for name, value in given.items():
        path = f"{section}.{name}"
        if path in spec.TABLES:
            yield from _others(path, value)
        elif name != "frontends" and value != defaults[name]:
            yield path.removeprefix("haproxy."), value
