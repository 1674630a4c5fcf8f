"""Which edge is behind, and when it is rung again, by which lane.

Pure: it is told the time, the fleet, what the store holds and what edges confirmed, and says whom to ring. It forgets
nobody: an edge that does not confirm is rung for as long as it takes, with growing pauses, and never delays another;
nor does an edge that follows in one service put off what it lacks in another.
What it knows of an edge is its `EdgeRecord`; the daemon keeps those in the store, so a new process goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from haproxy_edge.ack import Ack
from haproxy_edge.options import Lane
from haproxy_edge.records import EdgeRecord, of_cluster, serves_key

# seconds: the longest pause between two rings of one edge
LONGEST_PAUSE = 300.0
# seconds without a word after which an edge that is no longer matched is forgotten
REMEMBERED_FOR = 7 * 86_400.0
# milliseconds since 1970: the year 2100
FARTHEST = 4_102_444_800_000
# seconds by which an edge is rung too early when another is due
TOGETHER = 1.0
# what an edge lacks beside services: the state lane, which alone can help
STATE = ""


class Moment(NamedTuple):
    """On both clocks: monotonic seconds, and seconds since 1970."""

    steady: float
    wall: float


class Lack(NamedTuple):
    """What an edge has (a digest) instead of what it should have, and since when."""

    has: str
    since: Moment


class _Wanted(NamedTuple):
    generation: int
    digest: str
    since: Moment


@dataclass
class Edge:
    """One edge. ``due`` is when it is rung if it is still behind (monotonic seconds); ``record`` is None until it has
    confirmed anything; ``lacks`` is by "cluster namespace/name", or `STATE`; ``silent``: rung, and not heard since."""

    due: float
    pause: float
    record: EdgeRecord | None = None
    lacks: dict[str, Lack] = field(default_factory=dict)
    rings: int = 0
    silent: bool = False

    @property
    def oldest(self) -> tuple[str, Lack] | None:
        """What it has lacked longest."""
        return min(self.lacks.items(), key=lambda lack: lack[1].since.steady, default=None)

    def lacks_of(self, cluster: str) -> list[str]:
        """The services whose content it has not confirmed."""
        return sorted(of_cluster(self.lacks, cluster))

    @property
    def behind_since(self) -> float | None:
        """Wall time; None: it lacks nothing."""
        oldest = self.oldest
        return oldest[1].since.wall if oldest else None


class Tracker:
    """``ack_timeout`` seconds are what an edge may take. ``jitter`` spreads a number of seconds.

    ``wall`` is the time of day, for people; ``lane`` is the engine's option.
    """

    def __init__(
        self,
        cluster: str,
        ack_timeout: float,
        *,
        jitter: Callable[[float], float],
        wall: Callable[[], float],
        lane: str = "hot",
    ) -> None:
        self._cluster = cluster
        self._ack_timeout = ack_timeout
        self._jitter = jitter
        self._wall = wall
        self._lane = lane
        self._wanted: dict[str, _Wanted] = {}
        self._edges: dict[str, Edge] = {}
        self._absent: dict[str, EdgeRecord] = {}
        self._unsaved: set[str] = set()
        # kept by `_settle`: asked at every acknowledgement, so looking at every edge would cost the square of them
        self._behind: set[str] = set()

    def restore(self, records: Mapping[str, EdgeRecord]) -> None:
        """What a former process knew; call before `expect`."""
        self._absent = dict(records)

    def stored(self, service: str, generation: int, digest: str, now: float) -> None:
        """What every edge that serves ``service`` shall confirm from now on."""
        key = serves_key(self._cluster, service)
        wanted = self._wanted.get(key)
        if wanted is None or (wanted.generation, wanted.digest) != (generation, digest):
            began = Moment(now, self._wall())
            self._wanted[key] = _Wanted(generation, digest, began)
            for name in self._edges:
                self._settle(name, began)

    def introduced(self, now: float) -> None:
        """A service is there that was not before: which edges have to serve it, only their pillars know."""
        began = Moment(now, self._wall())
        for name, edge in self._edges.items():
            if edge.record:
                edge.record = replace(edge.record, awaits_state=True)
                self._unsaved.add(name)
                self._settle(name, began)

    def expect(self, fleet: Iterable[str], now: float, *, marks: Mapping[str, str] | None = None) -> None:
        """The edges there are, and the marks of their keys as far as they are known.

        A new one is due when it has not confirmed in time; so is one whose key is another than that it signed with: it
        is a new host of an old name. One that is gone is left alone, and known again if it comes back.
        """
        wall, before, self._edges = self._wall(), self._edges, {}
        self._behind.clear()
        for name in fleet:
            known = before.pop(name, None)
            edge = self._edges[name] = known or self._arrived(name, now)
            if edge.record and (marks or {}).get(name, edge.record.key) != edge.record.key:
                edge = self._edges[name] = Edge(now + self._ack_timeout, self._ack_timeout)
            since = edge.record.behind_since if edge.record and known is None else None
            self._settle(name, Moment(now, wall if since is None else since))
            if known is None and edge.record:
                # a former process gave it its time already
                edge.due = now
        gone = {name: edge.record.behind(edge.behind_since) for name, edge in before.items() if edge.record}
        self._absent.update(gone)

    def forget(self) -> list[str]:
        """Those that have been away for `REMEMBERED_FOR`: their records may go; if they return, they are new."""
        oldest = self._wall() - REMEMBERED_FOR
        gone = [name for name, record in self._absent.items() if record.heard_at < oldest]
        for name in gone:
            del self._absent[name]
        return gone

    def confirmed(self, ack: Ack, now: float) -> None:
        """A verified acknowledgement. One that asks for the state lane is due at once, the first time."""
        edge = self._edges.get(ack.edge)
        if edge is None:
            return
        before = edge.record
        edge.record = EdgeRecord.heard(ack, self._wall(), before)
        self._unsaved.add(ack.edge)
        edge.silent = False
        self._settle(ack.edge, Moment(now, self._wall()))
        if ack.state_needed is not None and (before is None or before.state_needed is None):
            edge.due = now
        elif ack.lane == "edge" and not ack.problems and not ack.state_needed and not any(self.newer(ack)):
            # it spoke of itself, so it is back: what it missed need not wait for the end of a long pause
            edge.due, edge.rings, edge.pause = now, 0, self._ack_timeout

    def is_behind(self, name: str, *, frozen: Iterable[str] = ()) -> bool:
        """Never heard, in need of the state lane, or serving other content than the store's; ``frozen``: services that
        do not count."""
        edge = self._edges[name]
        held = {serves_key(self._cluster, service) for service in frozen}
        if held and edge.record and held.issuperset(edge.record.serves):
            return False
        return not held.issuperset(edge.lacks)

    def is_replayed(self, ack: Ack) -> bool:
        """Whether that edge has said this or something later before, under the same key.

        An edge that lost its number is believed by answering an order younger than all it has said: nothing old can.
        """
        edge = self._edges.get(ack.edge)
        record = edge.record if edge else None
        if record is None or record.sequence is None or record.key != ack.key:
            return False
        if ack.lane == "hot" and ack.sequence is not None and _issued(ack.order) > record.heard_at:
            return False
        return ack.sequence is None or ack.sequence <= record.sequence

    def newer(self, ack: Ack) -> Iterator[tuple[str, int]]:
        """(service, generation) of what that edge has newer than the store, with other content: it refuses ours."""
        for service, (generation, digest) in of_cluster(ack.serves, self._cluster).items():
            wanted = self._wanted.get(serves_key(self._cluster, service))
            # beyond that no clock has ever been: a generation that only a lie can have must not be outdone
            if wanted and wanted.generation <= generation < FARTHEST and digest != wanted.digest:
                yield service, generation

    def late(self, now: float, *, frozen: Iterable[str] = ()) -> dict[Lane, list[str]]:
        """Who has to be rung now, by lane; `rung` says that it was done.

        With one that is due go those that are `TOGETHER`: a publish for many costs what it costs for one.
        """
        behind = self._without(frozen)
        if not any(self._edges[name].due <= now for name in behind):
            return {}
        late: dict[Lane, list[str]] = {}
        for name in sorted(behind):
            if self._edges[name].due <= now + TOGETHER:
                late.setdefault(self._lane_of(self._edges[name]), []).append(name)
        return late

    def rung(self, names: Iterable[str], now: float) -> None:
        """They were, by the lane that `late` gave: each gets its time to confirm, by the state lane a longer one."""
        for name in names:
            edge = self._edges[name]
            if self._lane_of(edge) == "state":
                edge.pause = min(edge.pause * 2, LONGEST_PAUSE)
            edge.due = now + self._jitter(edge.pause)
            edge.rings, edge.silent = edge.rings + 1, True
            self._unsaved.add(name)

    def due_at(self, *, frozen: Iterable[str] = ()) -> float:
        """When `late` may next give a name; infinite when nobody is behind."""
        return min((self._edges[name].due for name in self._without(frozen)), default=float("inf"))

    def edge(self, name: str) -> Edge | None:
        """None when the fleet has none of that name."""
        return self._edges.get(name)

    def edges(self) -> dict[str, Edge]:
        """The fleet, by name."""
        return dict(sorted(self._edges.items()))

    def serving(self, service: str) -> list[str]:
        """The edges that confirmed to serve ``service``, whatever its content."""
        key = serves_key(self._cluster, service)
        return [name for name, edge in sorted(self._edges.items()) if edge.record and key in edge.record.serves]

    def keeping_up(self) -> list[str]:
        """The edges that have confirmed in time so far, so that they can be expected to do it again."""
        return [
            name
            for name, edge in sorted(self._edges.items())
            if edge.record and not edge.silent and not edge.record.state_needed
        ]

    def unsaved(self) -> dict[str, EdgeRecord]:
        """What the store does not know yet; `saved` takes a name off."""
        found = {name: self._edges[name] for name in self._unsaved if name in self._edges}
        return {name: edge.record.behind(edge.behind_since) for name, edge in found.items() if edge.record}

    def saved(self, name: str) -> None:
        """The store knows that edge's record."""
        self._unsaved.discard(name)

    def _without(self, frozen: Iterable[str]) -> list[str]:
        """Those that are behind in anything but that."""
        frozen = set(frozen)
        return [name for name in self._behind if not frozen or self.is_behind(name, frozen=frozen)]

    def _arrived(self, name: str, now: float) -> Edge:
        record = self._absent.pop(name, None)
        if record and self._has_not_heard_of(record):
            record = replace(record, awaits_state=True)
        return Edge(now + self._ack_timeout, self._ack_timeout, record)

    def _has_not_heard_of(self, record: EdgeRecord) -> bool:
        """Whether a service it may have to serve was stored after its last word: a process killed then told nobody."""
        return any(
            key not in record.serves and wanted.generation / 1000 > record.heard_at
            for key, wanted in self._wanted.items()
        )

    def _settle(self, name: str, began: Moment) -> None:
        """See what it lacks; what is found new is lacked since ``began``."""
        edge = self._edges[name]
        before, edge.lacks = edge.oldest, dict(self._lacks(edge, began))
        oldest = edge.oldest
        if oldest is None:
            self._behind.discard(name)
            edge.rings, edge.pause, edge.silent = 0, self._ack_timeout, False
            return
        self._behind.add(name)
        if before is None or before not in edge.lacks.items():
            # in what it lacked longest it follows; only by that may anything be put off, or one service hides another
            edge.due = oldest[1].since.steady + self._ack_timeout
            edge.rings, edge.pause = 0, self._ack_timeout

    def _lacks(self, edge: Edge, began: Moment) -> Iterator[tuple[str, Lack]]:
        record = edge.record
        if record is None or record.state_needed or record.awaits_state or record.problems:
            yield STATE, edge.lacks.get(STATE) or Lack("", began)
        for key, (_, digest) in (record.serves if record else {}).items():
            wanted = self._wanted.get(key)
            if wanted and wanted.digest != digest:
                known = edge.lacks.get(key)
                # it has come nearer: what is newest now is on its way to it since it is wanted
                since = wanted.since if known else began
                yield key, known if known and known.has == digest else Lack(digest, since)

    def _lane_of(self, edge: Edge) -> Lane:
        """The lane of its next ring; a hot one costs an edge that only missed a publish next to nothing."""
        missed = edge.record is not None and edge.record.serves and STATE not in edge.lacks
        return "hot" if self._lane == "hot" and missed and edge.rings == 0 else "state"


def _issued(order: str) -> float:
    """Wall time of an order, out of its id; the caller knows that the engine issued it."""
    milliseconds = order.partition("-")[0]
    return int(milliseconds) / 1000 if milliseconds.isdecimal() else 0.0
