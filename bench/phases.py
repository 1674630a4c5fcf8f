"""What a stretch of the lab's life costs: processor by part, the engine's memory, publishes and reloads.

All of it is read from outside: /proc, the master's log, HAProxy's own master process. The engine must never be asked,
for an answer would be work of its own.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.master_costs import MasterCosts
from bench.process import spent
from chaos.stage import Stage
from lab.hosts import EdgeHost
from lab.processes import LabError

ENGINE, MASTER, MINIONS, HAPROXY, REST = PARTS = (
    "engine",
    "the rest of the master",
    "minions of all edges",
    "HAProxy of all edges",
    "the rest of all edges",
)
FUNCTIONS = ("haproxy_edge.sync", "state.apply")
# seconds between two looks at the engine's memory
EVERY = 2.0
_MASTER_SOCKET = "/run/haproxy-master.sock"
_MASTER_ROW = re.compile(r"^(\d+)\s+master\s+(\d+)", re.M)


@dataclass(frozen=True)
class Reading:
    """Everything so far. ``reloads``: per edge (process id of HAProxy's master, its reloads)."""

    at: float
    processor: Mapping[str, float]
    publishes: Mapping[str, int]
    reloads: Mapping[str, tuple[int, int]]


@dataclass
class Phase:
    """From ``before`` to ``after``. ``memory``: (seconds since its beginning, MB of the engine)."""

    name: str
    before: Reading
    after: Reading | None = None
    memory: list[tuple[float, float]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self._end.at - self.before.at

    @property
    def processor(self) -> dict[str, float]:
        """Seconds by part."""
        return {part: used - self.before.processor[part] for part, used in self._end.processor.items()}

    @property
    def publishes(self) -> dict[str, int]:
        """By function."""
        return {function: count - self.before.publishes[function] for function, count in self._end.publishes.items()}

    @property
    def reloads(self) -> int:
        """On all edges; a HAProxy that was started anew counts as one."""
        return sum(_reloads(self.before.reloads[edge], last) for edge, last in self._end.reloads.items())

    @property
    def _end(self) -> Reading:
        if self.after is None:
            raise LabError(f"{self.name}: not over yet")
        return self.after


def _reloads(first: tuple[int, int], last: tuple[int, int]) -> int:
    return last[1] - first[1] if first[0] == last[0] else last[1] + 1


class Meter:
    """Reads one lab. The engine has to be the same process all the time, or there is no figure of its memory."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._master = MasterCosts.of_lab()

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Measured from entering to leaving."""
        phase, over = Phase(name, self.read()), threading.Event()

        def look() -> None:
            with contextlib.suppress(LabError):
                while not over.wait(EVERY):
                    phase.memory.append((time.monotonic() - phase.before.at, self._master.engine.resident_mb()))

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield phase
        finally:
            over.set()
            thread.join()
        phase.after = self.read()

    def read(self) -> Reading:
        """Raises `LabError` when the engine or a HAProxy is gone."""
        edges, master = self._stage.lab.edges, self._master.now()
        return Reading(
            master.at,
            {ENGINE: master.engine, MASTER: master.master, **_edges(edges)},
            {function: len(self._stage.published(function)) for function in FUNCTIONS},
            {edge.name: self._haproxy(edge) for edge in edges},
        )

    @staticmethod
    def _haproxy(edge: EdgeHost) -> tuple[int, int]:
        return of_master(edge.name, edge.command("show proc", _MASTER_SOCKET) or "")


def of_master(edge: str, shown: str) -> tuple[int, int]:
    """(process id, reloads) of HAProxy's master process, as ``show proc`` has them. Raises `LabError`."""
    row = _MASTER_ROW.search(shown)
    if row is None:
        raise LabError(f"{edge}: HAProxy's master process does not say how often it was reloaded: {shown!r}")
    return int(row[1]), int(row[2])


def _edges(edges: Sequence[EdgeHost]) -> dict[str, float]:
    minions = sum(spent(edge.pids("salt-minion")) for edge in edges)
    haproxy = sum(spent(edge.pids("/usr/sbin/haproxy")) for edge in edges)
    return {MINIONS: minions, HAPROXY: haproxy, REST: sum(spent(edge.pids("")) for edge in edges) - minions - haproxy}
