"""The last changes, and how long they took to reach every edge that has to have them.

Pure and bounded. Seconds are counted on the monotonic clock from the moment a change was seen until the engine has
heard the acknowledgement; for changes a former process saw, by the time of day.
It is for people: nothing may ever be decided by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from haproxy_edge.capped import capped
from haproxy_edge.records import ChangeRecord, Serves, serves_key
from haproxy_edge.snapshot import Snapshot

LONGEST = 200
# of one change, so that a service of thousands does not make the history a burden
NAMES = 20
# seconds; what convergence is counted by
BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


@dataclass
class Convergence:
    """A histogram of seconds: ``counts[i]`` are those up to ``bounds[i]``, one more for all above (not cumulative)."""

    bounds: tuple[float, ...] = BOUNDS
    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    sum: float = 0.0
    count: int = 0

    def observe(self, seconds: float) -> None:
        """One more."""
        self.counts[sum(seconds > bound for bound in self.bounds)] += 1
        self.sum += seconds
        self.count += 1


class History:
    """``rows`` oldest first. ``unsaved`` is True when the store does not know all of it."""

    def __init__(self, rows: Iterable[ChangeRecord] = (), *, wall: float = 0.0, now: float = 0.0) -> None:
        self.rows = list(rows)[-LONGEST:]
        self.convergence = Convergence()
        self.unsaved = False
        self._began = {id(row): now - max(0.0, wall - row.at) for row in self.rows}

    def changed(
        self, before: Snapshot | None, after: Snapshot, *, wall: float, now: float, waiting: Iterable[str]
    ) -> None:
        """The store has ``after``; ``waiting`` are the edges that serve it."""
        changes = differences(before, after)
        row = ChangeRecord(
            service=after.service,
            generation=after.generation,
            digest=after.digest,
            at=wall,
            ready=after.count("ready"),
            draining=after.count("draining"),
            added=changes["added"],
            drained=changes["drained"],
            removed=changes["removed"],
            waiting=sorted(waiting),
        )
        self.rows.append(row)
        self._began[id(row)] = now
        for old in self.rows[:-LONGEST]:
            del self._began[id(old)]
        del self.rows[:-LONGEST]
        self.unsaved = True

    def confirmed(self, edge: str, cluster: str, serves: Serves, now: float) -> None:
        """``edge`` serves that now; a newer generation confirms the older ones, too."""
        newest: set[str] = set()
        for row in reversed(self.rows):
            generation, _ = serves.get(serves_key(cluster, row.service), (0, ""))
            is_newest = row.service not in newest
            newest.add(row.service)
            late = edge in row.waiting
            if generation >= row.generation and (late or (is_newest and edge not in row.edges)):
                self._note(row, edge, now)

    def _note(self, row: ChangeRecord, edge: str, now: float) -> None:
        row.edges[edge] = round(max(0.0, now - self._began[id(row)]), 3)
        self.unsaved = True
        if edge in row.waiting:
            row.waiting.remove(edge)
            if not row.waiting:
                self.convergence.observe(row.edges[edge])


def differences(before: Snapshot | None, after: Snapshot) -> dict[str, list[str]]:
    """Server names that were added, began to drain, and are gone."""
    old, new = _by_name(before), _by_name(after)
    drained = [name for name, state in new.items() if state == "draining" and old.get(name) == "ready"]
    return {
        "added": capped(sorted(new.keys() - old.keys()), NAMES),
        "drained": capped(sorted(drained), NAMES),
        "removed": capped(sorted(old.keys() - new.keys()), NAMES),
    }


def _by_name(snapshot: Snapshot | None) -> Mapping[str, str]:
    if snapshot is None:
        return {}
    return {server.name: server.state for servers in snapshot.ports.values() for server in servers}
