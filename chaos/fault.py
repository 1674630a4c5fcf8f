"""A fault, declared: what is promised, how it begins and ends, what must hold; and what a run of it has shown.

It holds no measure of its own: `runner` applies the same ones to every fault, so that none can be let off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chaos.stage import Stage

# what it gives back does not count
Act = Callable[[Stage], object]
# the longest a fault lasts in a short run; seconds
SHORT = 2.0
# how long an API that fails has to fail; seconds
MINUTE = 60.0


def nothing(_stage: Stage) -> None:
    """The act of a fault that has none."""


@dataclass(frozen=True)
class Fault:
    """``begin``, ``change`` (the cluster changes while it lasts), ``lasts`` seconds, ``end``; then it is timed.

    ``instant``: there is nothing to end, so recovery counts from the change. ``kills``: edges whose HAProxy the fault
    itself ends, so connections there may fail. ``switched``: by a switch that only the lab's own API has. ``bound`` is
    the longest recovery in seconds, None for the suite's: ack_timeout and one state run.
    """

    name: str
    promise: str
    begin: Act
    end: Act = nothing
    change: Act = Stage.roll
    holds: Act = nothing
    lasts: float = 1.0
    instant: bool = False
    kills: tuple[str, ...] = ()
    bound: float | None = None
    switched: bool = False
    short: bool = False


@dataclass
class Outcome:
    """What one run of a fault cost. ``recovery`` is None when some edge never came right: a change was lost."""

    fault: Fault
    recovery: float | None = None
    connections: int = 0
    failed: int = 0
    failed_elsewhere: int = 0
    cut: int = 0
    cut_elsewhere: int = 0
    wrong: int = 0
    emptied: int = 0
    problems: list[str] = field(default_factory=list)
