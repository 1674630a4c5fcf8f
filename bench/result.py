"""What one part of ``make bench`` found, whole: figures, tables, plots and notes, to JSON and back.

The page is made of this alone, today or from kept files, so it must never hold less than the page shows, nor accept a
file that says something else. Pure but for `Result.save` and `Result.load`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lab.figures import Figure, aligned, meets

KINDS = ("bars", "lines", "loglog", "waterfall", "cdf")
Cell = str | int | float | bool | None


class Malformed(ValueError):
    """A kept result that is not one; says where."""


@dataclass(frozen=True)
class Table:
    """Rows below named columns; ``note`` is one line about all of it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def text(self) -> str:
        """For people at a terminal."""
        rows = [["" if cell is None else str(cell) for cell in row] for row in self.rows]
        return "\n".join([self.title, aligned([list(self.columns), *rows])])


@dataclass(frozen=True)
class Series:
    """One line, or one bar per point; x is a name where the axis has names. ``fit``: y = a · x^k."""

    label: str
    points: Sequence[tuple[float | str, float]]
    fit: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Plot:
    """``name`` is the file's, among all parts; ``kind`` is one of `KINDS`; labels of axes carry the unit.

    Bars have names for x, and their values the label of y. A waterfall's series are groups of steps ("ours", "Salt's");
    a point is (name of the step, milliseconds), and the steps follow each other in the order of ``order``.
    """

    name: str
    title: str
    kind: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    order: Sequence[str] = ()


@dataclass(frozen=True)
class Result:
    """``measured_at`` is an ISO date; ``machine`` says on what: see `bench.machine`."""

    part: str
    title: str
    figures: Sequence[Figure]
    notes: Sequence[str] = ()
    tables: Sequence[Table] = ()
    plots: Sequence[Plot] = ()
    measured_at: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))
    machine: Mapping[str, str] = field(default_factory=dict)
    quick: bool = False

    def to_json(self) -> str:
        """One text, the same for the same result. Raises ``ValueError`` on a value that JSON does not know."""
        _check(self)
        return json.dumps(asdict(self), indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Raises `Malformed` saying what is wrong."""
        try:
            given = json.loads(text)
            result = cls(
                **{
                    **given,
                    "figures": [Figure(**each) for each in given["figures"]],
                    "tables": [Table(**each) for each in given.get("tables", [])],
                    "plots": [_plot(each) for each in given.get("plots", [])],
                }
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Malformed(f"not a result of a benchmark: {error!r}") from error
        _check(result)
        return result

    def save(self, path: Path) -> None:
        """As a whole or not at all."""
        text = self.to_json()
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(path)

    @classmethod
    def load(cls, path: Path) -> Result:
        """Raises `Malformed` naming the file."""
        try:
            return cls.from_json(path.read_text())
        except Malformed as error:
            raise Malformed(f"{path}: {error}; measure it again: make bench ARGS='--only {path.stem}'") from error


def _plot(given: dict[str, Any]) -> Plot:
    series = [Series(**{**each, "points": [(x, y) for x, y in each["points"]]}) for each in given["series"]]
    return Plot(**{**given, "series": series})


def _check(result: Result) -> None:
    for figure in result.figures:
        if figure.met != meets(figure.goal, figure.measured):
            raise Malformed(f"{figure.name}: {figure.measured} {figure.goal} is not met={figure.met}")
    for table in result.tables:
        for row in table.rows:
            if len(row) != len(table.columns):
                raise Malformed(f"table {table.title!r}: {len(row)} cells below {len(table.columns)} columns: {row!r}")
    for plot in result.plots:
        if plot.kind not in KINDS:
            raise Malformed(f"plot {plot.name!r}: kind {plot.kind!r} is none of {', '.join(KINDS)}")
        if not plot.series or not all(series.points for series in plot.series):
            raise Malformed(f"plot {plot.name!r} has no points")
