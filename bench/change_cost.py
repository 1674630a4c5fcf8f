"""What changes of one kind cost at one size: time, processor, bytes; and how a change and an edge come out of it.

Pure. It must never hide that something was too small to be measured as if it had cost nothing.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any

from bench.master_costs import MasterSpent
from bench.process import TICK


@dataclass
class Cost:
    """Of changes of one kind at one size; seconds are those until the last edge had confirmed, each change apart.

    ``spent`` is without what idling costs; per change and, for the master, per edge it is told by the properties.
    """

    edges: int
    spent: MasterSpent
    seconds: list[float] = field(default_factory=list)
    acks: list[dict[str, Any]] = field(default_factory=list)
    published_bytes: float = 0.0
    returned_bytes: float = 0.0
    engine_mb: float = 0.0

    @property
    def median(self) -> float:
        """Seconds of the change in the middle."""
        return statistics.median(self.seconds)

    @property
    def engine_ms(self) -> float:
        """Processor time of the engine for one change; the clock of processes knows nothing shorter than its tick."""
        return 1000 * max(TICK, self.spent.engine) / len(self.seconds)

    @property
    def master_ms(self) -> float:
        """Processor time of the master's other processes for one change, all edges."""
        return 1000 * max(TICK, self.spent.master) / len(self.seconds)

    @property
    def master_ms_per_edge(self) -> float:
        """The same for one edge."""
        return self.master_ms / self.edges

    @property
    def edge_ms(self) -> float:
        """What a real edge says its own part took, the median."""
        return statistics.median(ack["ms"] for ack in self.acks if not ack["edge"].startswith("stand-in"))
