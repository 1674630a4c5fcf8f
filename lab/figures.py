"""A measured value beside its goal, and how every bench prints its own: a table, then one line of JSON.

Pure but for the printing. It must never round: a value is rounded before it is compared, so that both tell the same.
"""

from __future__ import annotations

import json
import math
import operator
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TextIO

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
}
_TITLES = ("figure", "goal", "measured", "unit", "met")


@dataclass(frozen=True)
class Figure:
    """``goal`` is a comparison and a number, such as "<= 130", in the same ``unit`` as ``measured``."""

    name: str
    goal: str
    measured: float
    unit: str
    met: bool


def figure(name: str, goal: str, measured: float, unit: str) -> Figure:
    """A figure that knows whether its goal is met. Raises ``ValueError`` on a goal that cannot be read."""
    return Figure(name, goal, measured, unit, meets(goal, measured))


def meets(goal: str, measured: float) -> bool:
    """Whether a value reaches a goal. Raises ``ValueError`` on a goal that cannot be read."""
    sign, _, limit = goal.partition(" ")
    if sign not in _COMPARISONS:
        signs = " ".join(_COMPARISONS)
        raise ValueError(f"goal {goal!r}: write one of {signs}, a space and a number, for example '<= 130'")
    try:
        return bool(_COMPARISONS[sign](measured, float(limit)))
    except ValueError as error:
        raise ValueError(f"goal {goal!r}: {limit!r} is not a number; write for example '<= 130'") from error


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def table(figures: Sequence[Figure]) -> str:
    """The figures for people, one a line."""
    rows = [(f.name, f.goal, str(f.measured), f.unit, "yes" if f.met else "NO") for f in figures]
    return aligned([_TITLES, *rows])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A line for each row, one column below the other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def show(figures: Sequence[Figure], out: TextIO | None = None, *, notes: Sequence[str] = ()) -> None:
    """Print the table, the notes and, last, the line of JSON; to stdout unless told otherwise."""
    told = {"notes": list(notes)} if notes else {}
    line = json.dumps({"figures": [asdict(each) for each in figures], **told}, allow_nan=False)
    print(table(figures), *notes, line, sep="\n", file=out or sys.stdout, flush=True)
