"""What one run on an edge does, kept along the way, so that a run that fails half-way tells it, too.

It decides nothing. An acknowledgement is made from it; see `ack`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from haproxy_edge_minion.planner import Counts


class Stopwatch:
    """Milliseconds per step. ``clock`` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._last = clock()
        self._steps: dict[str, float] = {}

    def lap(self, step: str) -> None:
        """What happened since the last lap was ``step``."""
        now = self._clock()
        self._steps[step] = self._steps.get(step, 0.0) + now - self._last
        self._last = now

    def steps_ms(self) -> dict[str, float]:
        """In the order in which they were first taken."""
        return {step: round(seconds * 1000, 1) for step, seconds in self._steps.items()}

    def total_ms(self) -> float:
        """Since the beginning."""
        return round((self._clock() - self._began) * 1000, 1)


@dataclass
class RunStats:
    """``reload`` is why HAProxy was reloaded, if it was."""

    watch: Stopwatch
    servers: Counts = field(default_factory=Counts)
    reload: str | None = None
