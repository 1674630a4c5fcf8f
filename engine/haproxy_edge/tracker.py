"""Which edge is behind, and when it is rung again, by which lane.

Pure: it is told the time, the fleet, what the store holds and what edges confirmed, and says whom to ring. It forgets
nobody: an edge that does not confirm is rung for as long as it takes, with growing pauses, and never delays another.
What it knows of an edge is its `EdgeRecord`; the daemon keeps those in the store, so a new process goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from haproxy_edge.ack import Ack
from haproxy_edge.records import EdgeRecord, Lane

# seconds: the longest pause between two rings of one edge
LONGEST_PAUSE = 300.0
# seconds without a word after which an edge that is no longer matched is forgotten
REMEMBERED_FOR = 7 * 86_400.0
# milliseconds since 1970: the year 2100
FARTHEST = 4_102_444_800_000
# seconds by which an edge is rung too early when another is due
TOGETHER = 1.0


@dataclass
class Edge:
    """One edge. ``due`` is when it is rung if it is still behind (monotonic seconds); ``record`` is None until it has
    confirmed anything; ``behind_since`` is wall time."""

    due: float
    pause: float
    record: EdgeRecord | None = None
    behind_since: float | None = None
    rings: int = 0


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
        self._wanted: dict[str, tuple[int, str]] = {}
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
        key = f"{self._cluster} {service}"
        if self._wanted.get(key) != (generation, digest):
            self._wanted[key] = generation, digest
            for name in self._edges:
                self._settle(name, now)

    def introduced(self, now: float) -> None:
        """A service is there that was not before: which edges have to serve it, only their pillars know."""
        for name, edge in self._edges.items():
            if edge.record:
                edge.record = replace(edge.record, awaits_state=True)
                self._unsaved.add(name)
                self._settle(name, now)

    def expect(self, fleet: Iterable[str], now: float, *, marks: Mapping[str, str] | None = None) -> None:
        """The edges there are, and the marks of their keys as far as they are known.

        A new one is due when it has not confirmed in time; so is one whose key is another than that it signed with: it
        is a new host of an old name. One that is gone is left alone, and known again if it comes back.
        """
        before, self._edges = self._edges, {}
        self._behind.clear()
        for name in fleet:
            known = before.pop(name, None)
            edge = self._edges[name] = known or self._arrived(name, now)
            if edge.record and (marks or {}).get(name, edge.record.key) != edge.record.key:
                edge = self._edges[name] = Edge(now + self._ack_timeout, self._ack_timeout)
            self._settle(name, now)
            if known is None and edge.record:
                # a former process gave it its time already
                edge.due = now
        self._absent.update({name: edge.record for name, edge in before.items() if edge.record})

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
        self._settle(ack.edge, now)
        if ack.state_needed is not None and (before is None or before.state_needed is None):
            edge.due = now
        elif ack.lane == "edge" and not ack.problems and not ack.state_needed and not any(self.newer(ack)):
            # it spoke of itself, so it is back: what it missed need not wait for the end of a long pause
            edge.due, edge.rings, edge.pause = now, 0, self._ack_timeout
        elif before is None or before.serves != ack.serves:
            # it follows: what is newer still is on its way to it
            edge.due, edge.rings = max(edge.due, now + self._ack_timeout), 0

    def is_behind(self, name: str, *, frozen: Iterable[str] = ()) -> bool:
        """Never heard, in need of the state lane, or serving other content than the store's; ``frozen``: services that
        do not count."""
        record = self._edges[name].record
        if record is None:
            return True
        held = {f"{self._cluster} {service}" for service in frozen}
        if held and held.issuperset(record.serves):
            return False
        if record.state_needed or record.awaits_state or record.problems:
            return True
        return any(
            key in self._wanted and key not in held and self._wanted[key][1] != digest
            for key, (_, digest) in record.serves.items()
        )

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
        for key, (generation, digest) in ack.serves.items():
            wanted = self._wanted.get(key)
            # beyond that no clock has ever been: a generation that only a lie can have must not be outdone
            if wanted and wanted[0] <= generation < FARTHEST and digest != wanted[1]:
                yield key.partition(" ")[2], generation

    def take(self, now: float, *, frozen: Iterable[str] = ()) -> dict[Lane, list[str]]:
        """Who has to be rung now, by lane; each gets a longer pause for the next time.

        With one that is due go those that are `TOGETHER`: a publish for many costs what it costs for one.
        """
        late = self._late(frozen)
        if not any(self._edges[name].due <= now for name in late):
            return {}
        taken: dict[Lane, list[str]] = {}
        for name in sorted(late):
            if self._edges[name].due <= now + TOGETHER:
                taken.setdefault(self._rung(name, now), []).append(name)
        return taken

    def due_at(self, *, frozen: Iterable[str] = ()) -> float:
        """When `take` may next give a name; infinite when nobody is behind."""
        return min((self._edges[name].due for name in self._late(frozen)), default=float("inf"))

    def edge(self, name: str) -> Edge | None:
        """None when the fleet has none of that name."""
        return self._edges.get(name)

    def edges(self) -> dict[str, Edge]:
        """The fleet, by name."""
        return dict(sorted(self._edges.items()))

    def serving(self, service: str) -> list[str]:
        """The edges that confirmed to serve ``service``, whatever its content."""
        key = f"{self._cluster} {service}"
        return [name for name, edge in sorted(self._edges.items()) if edge.record and key in edge.record.serves]

    def keeping_up(self) -> list[str]:
        """The edges that have confirmed in time so far, so that they can be expected to do it again."""
        return [
            name
            for name, edge in sorted(self._edges.items())
            if edge.record and not edge.rings and not edge.record.state_needed
        ]

    def unsaved(self) -> dict[str, EdgeRecord]:
        """What the store does not know yet; `saved` takes a name off."""
        found = {name: self._edges[name] for name in self._unsaved if name in self._edges}
        return {name: edge.record.behind(edge.behind_since) for name, edge in found.items() if edge.record}

    def saved(self, name: str) -> None:
        """The store knows that edge's record."""
        self._unsaved.discard(name)

    def _late(self, frozen: Iterable[str]) -> list[str]:
        frozen = set(frozen)
        return [name for name in self._behind if not frozen or self.is_behind(name, frozen=frozen)]

    def _arrived(self, name: str, now: float) -> Edge:
        record = self._absent.pop(name, None)
        if record and self._has_not_heard_of(record):
            record = replace(record, awaits_state=True)
        return Edge(now + self._ack_timeout, self._ack_timeout, record, record.behind_since if record else None)

    def _has_not_heard_of(self, record: EdgeRecord) -> bool:
        """Whether a service it may have to serve was stored after its last word: a process killed then told nobody."""
        return any(
            key not in record.serves and generation / 1000 > record.heard_at
            for key, (generation, _) in self._wanted.items()
        )

    def _settle(self, name: str, now: float) -> None:
        edge = self._edges[name]
        if not self.is_behind(name):
            self._behind.discard(name)
            edge.behind_since, edge.rings, edge.pause = None, 0, self._ack_timeout
            return
        self._behind.add(name)
        if edge.behind_since is None:
            edge.behind_since, edge.due = self._wall(), now + self._ack_timeout

    def _rung(self, name: str, now: float) -> Lane:
        """The lane of this ring; a hot one costs an edge that only missed a publish next to nothing."""
        edge, record = self._edges[name], self._edges[name].record
        missed = record is not None and bool(record.serves)
        needs_state = record is None or record.problems or record.state_needed or record.awaits_state
        hot = self._lane == "hot" and missed and not needs_state and edge.rings == 0
        edge.rings += 1
        if not hot:
            edge.pause = min(edge.pause * 2, LONGEST_PAUSE)
        edge.due = now + self._jitter(edge.pause)
        self._unsaved.add(name)
        return "hot" if hot else "state"


def _issued(order: str) -> float:
    """Wall time of an order, out of its id; the caller knows that the engine issued it."""
    milliseconds = order.partition("-")[0]
    return int(milliseconds) / 1000 if milliseconds.isdecimal() else 0.0
