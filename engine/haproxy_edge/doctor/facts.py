"""What the doctor knows when it judges; gathered once, by `gathering`, and never asked for again.

So that all checks judge the same moment, and each can be tried on facts that no fleet has to be brought into.
Nothing here asks or judges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from haproxy_edge.installed import Installed
from haproxy_edge.records import Frozen


@dataclass(frozen=True)
class Path:
    """One path of the API the engine needs: whether listing and watching it worked, in the API's words if not.

    ``ports``: by service the port names with a server, None when nothing of that service is there at all.
    """

    path: str
    list_error: str | None
    watch_error: str | None
    ports: Mapping[str, tuple[str, ...] | None]


@dataclass(frozen=True)
class Api:
    """``error`` is why it cannot be reached, as (condition, message); ``paths`` is empty then."""

    host: str
    error: tuple[str, str] | None
    paths: Sequence[Path] = ()


@dataclass(frozen=True)
class Engine:
    """One configured engine and what belongs to it. ``alive``: whether the process that reported is still there.

    ``fleet``: whom its target matches, None when that cannot be told.
    """

    installed: Installed
    report: Mapping[str, Any] | None
    alive: bool | None
    api: Api | None
    fleet: Sequence[str] | None
    frozen: Mapping[str, Frozen] = field(default_factory=dict)
    # by service: port names with the number of their servers; None when the store has no snapshot of it
    stored: Mapping[str, Mapping[str, int] | None] = field(default_factory=dict)
    problem: str | None = None

    @property
    def name(self) -> str:
        """As findings call it."""
        return f"cluster {self.installed.cluster}"


@dataclass(frozen=True)
class Edge:
    """One minion that should be an edge. ``examination`` is what it found out about itself; ``failure`` why not."""

    name: str
    answers: bool
    examination: Mapping[str, Any] | None
    failure: str | None = None


@dataclass(frozen=True)
class Facts:
    """``texts``: what the master serves or has at a path, None where there is nothing. ``now`` is wall time."""

    now: float
    version: str
    configuration: Mapping[str, Any]
    texts: Mapping[str, str | None]
    keys: Mapping[str, Sequence[str]]
    engines: Sequence[Engine]
    edges: Sequence[Edge]
    # minions the ext_pillar has ever given a key: they had frontends in their pillar
    known_edges: Sequence[str] = ()
    unpublished: str | None = None

    def examined(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """(name, examination) of the edges that examined themselves."""
        for edge in self.edges:
            if edge.examination is not None:
                yield edge.name, edge.examination
