"""Changes faster than any edge can follow, and how long the last of them takes, beside quiet ones of the same lab.

What is promised is about the last state and the number of publishes alone: what came in between may never be seen.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from haproxy_edge.options import check

from chaos.stage import Stage
from lab.topology import SERVICE

CHANGES, SECONDS, QUIET = 1000, 10.0, 100
MIN_INTERVAL = check({"services": [SERVICE]}).min_interval
# seconds between two quiet changes: each has to be one of its own
APART = MIN_INTERVAL
_SYNC = "haproxy_edge.sync"


@dataclass(frozen=True)
class Storm:
    """``seconds`` it took to make the changes, ``after`` until every edge had the last state; ``jobs`` published."""

    changes: int
    seconds: float
    after: float
    jobs: frozenset[str]

    @property
    def allowed(self) -> int:
        """Publishes from the first change until the last state is everywhere, at one per ``min_interval``."""
        return math.floor((self.seconds + self.after) / MIN_INTERVAL) + 1


def quiet(stage: Stage, changes: int) -> list[float]:
    """Seconds until every edge was right, of changes that come one at a time."""
    return [_quiet_change(stage) for _ in range(changes)]


def _quiet_change(stage: Stage) -> float:
    changed = time.monotonic()
    stage.follow()
    took = time.monotonic() - changed
    time.sleep(APART)
    return took


def storm(stage: Stage, changes: int = CHANGES, seconds: float = SECONDS) -> Storm:
    """Changes as fast as said; the last one is the wanted, and waited for."""
    jobs, began = stage.published(_SYNC), time.monotonic()
    for number in range(changes - 1):
        time.sleep(max(0.0, began + number * seconds / changes - time.monotonic()))
        stage.flutter(number)
    changed = time.monotonic()
    stage.follow()
    after = time.monotonic() - changed
    return Storm(changes, changed - began, after, frozenset(stage.published(_SYNC) - jobs))
