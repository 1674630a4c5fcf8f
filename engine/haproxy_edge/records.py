"""What the engine keeps in the store beside snapshots: a record per edge, the last changes, who holds back what.

Pure: the shapes, and how rows are read back. Wall times are seconds since 1970. A row that does not make sense raises
``ValueError``; what that means is for the reader to decide, never "nothing is there".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from haproxy_edge.ack import Ack

T = TypeVar("T")
Serves = Mapping[str, tuple[int, str]]


def serves_key(cluster: str, service: str) -> str:
    """What `Serves` calls a service of a cluster."""
    return f"{cluster} {service}"


def of_cluster(by_key: Mapping[str, T], cluster: str) -> dict[str, T]:
    """What belongs to services of one cluster, by ``namespace/name``, of a mapping by such keys."""
    whose = serves_key(cluster, "")
    return {key.removeprefix(whose): value for key, value in by_key.items() if key.startswith(whose)}


@dataclass(frozen=True)
class Reload:
    """The last reload of an edge."""

    at: float
    reason: str


@dataclass(frozen=True)
class EdgeRecord:
    """What an edge last said, and since when it is behind (None: it is not).

    ``serves``: (generation, digest) by "cluster namespace/name". ``sequence`` and ``key`` (a mark of the key it signed
    with) tell a replayed acknowledgement from a new one. ``awaits_state``: a service came that it may have to serve,
    and only the state lane can tell.
    """

    serves: Serves
    heard_at: float
    order: str = ""
    lane: str = ""
    done: str = ""
    problems: tuple[str, ...] = ()
    state_needed: str | None = None
    ms: float = 0.0
    reload: Reload | None = None
    haproxy: str = ""
    behind_since: float | None = None
    sequence: int | None = None
    key: str = ""
    awaits_state: bool = False

    @classmethod
    def heard(cls, ack: Ack, now: float, before: EdgeRecord | None) -> EdgeRecord:
        """``ack`` arrived ``now``; what it does not say is taken from the record before it."""
        reload = Reload(now, ack.reload) if ack.reload else before.reload if before else None
        return cls(
            serves=ack.serves,
            heard_at=now,
            order=ack.order,
            lane=ack.lane,
            done=ack.done,
            problems=ack.problems,
            state_needed=ack.state_needed,
            ms=ack.ms,
            reload=reload,
            haproxy=ack.haproxy or (before.haproxy if before else ""),
            behind_since=before.behind_since if before else None,
            sequence=ack.sequence,
            key=ack.key,
            awaits_state=before is not None and before.awaits_state and ack.lane != "state",
        )

    def behind(self, since: float | None) -> EdgeRecord:
        """The same, behind since then."""
        return self if self.behind_since == since else replace(self, behind_since=since)

    def as_row(self) -> dict[str, Any]:
        """As it stands in the store."""
        # not asdict of all: it copies every service an edge serves, at each of its acknowledgements
        row: dict[str, Any] = {**vars(self), "reload": asdict(self.reload) if self.reload else None}
        row["serves"] = {key: {"generation": one, "digest": two} for key, (one, two) in self.serves.items()}
        row["problems"] = list(self.problems)
        return row

    @classmethod
    def from_row(cls, row: Any) -> EdgeRecord:
        """Raises ``ValueError`` on what makes no record; a field that came with a later release may be missing."""
        try:
            known = {name: row[name] for name in cls.__dataclass_fields__ if name in row}
            known["serves"] = {key: (int(one["generation"]), str(one["digest"])) for key, one in row["serves"].items()}
            known["problems"] = tuple(map(str, row["problems"]))
            known["ms"] = float(row["ms"])
            known["heard_at"] = float(row["heard_at"])
            known["reload"] = (
                Reload(float(row["reload"]["at"]), str(row["reload"]["reason"])) if row["reload"] else None
            )
            return cls(**known)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"not the record of an edge: {error!r}") from error


@dataclass
class ChangeRecord:
    """One change of a service: when it was seen, what it was, and how long each edge took to confirm it.

    ``added``, ``drained`` and ``removed`` are server names (``pod:address:port``). ``edges``: seconds by minion id.
    ``waiting``: the edges that have still to confirm.
    """

    service: str
    generation: int
    digest: str
    at: float
    ready: int
    draining: int
    added: list[str] = field(default_factory=list)
    drained: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    edges: dict[str, float] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)

    @classmethod
    def from_row(cls, row: Any) -> ChangeRecord:
        """Raises ``ValueError`` on what makes no record; a field that came with a later release may be missing."""
        try:
            return cls(**{name: row[name] for name in cls.__dataclass_fields__ if name in row})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the record of a change: {error!r}") from error


@dataclass(frozen=True)
class Frozen:
    """Somebody holds a service (or all) as it is."""

    since: float
    by: str


@dataclass(frozen=True)
class Leaseholder:
    """The engine that works for a cluster. ``start`` tells processes of one ``pid`` apart; ``beat`` only grows."""

    token: str
    host: str
    pid: int
    start: str
    beat: int
    at: float
