"""A plot of a kept result as SVG: readable on light and on dark ground, the same bytes for the same result.

matplotlib draws; it is loaded here alone, and only when a plot is asked for. The mark of what it was drawn from stands
in the file, so that a test without matplotlib sees a plot that is older than its figures. It must never show a number
that is not in the result.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from bench.result import Plot, Series

# middle tones: nearly the same contrast on white and on the site's dark ground, whichever the reader has chosen
TEXT, GRID = "#777d87", "#8a919c55"
COLOURS = ("#3b82c4", "#d9772b", "#3a9d5d", "#9b6bc4", "#c9504f", "#2a9a9a", "#a1872f")
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "salt-haproxy-edge",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11.5,
    "axes.titlepad": 12,
    "axes.axisbelow": True,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
}
# inches
_WIDTH, _HEIGHT, _PER_BAR, _AROUND_BARS = 8.6, 4.6, 0.26, 1.3
# the largest over the smallest from which only a logarithmic axis shows both
_WIDE = 30.0


def mark(plot: Plot) -> str:
    """What a plot was drawn from: stands in its file."""
    return "sha256:" + hashlib.sha256(json.dumps(asdict(plot), sort_keys=True).encode()).hexdigest()


def draw(plot: Plot) -> str:
    """The SVG. Raises ``ImportError`` without matplotlib."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, _height(plot)), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(plot.title)
        _DRAWN[plot.kind](axes, plot)
        # bars lie, because names are long: their values run along x, and the names need no label
        axes.set_xlabel(plot.y_label if plot.kind == "bars" else plot.x_label)
        axes.set_ylabel("" if plot.kind == "bars" else plot.y_label)
        written = io.StringIO()
        about = {"Date": None, "Title": plot.title, "Description": mark(plot)}
        figure.savefig(written, format="svg", transparent=True, metadata=about)
    # matplotlib ends some lines in a space
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"


def _height(plot: Plot) -> float:
    if plot.kind == "waterfall":
        return _AROUND_BARS + _PER_BAR * len(plot.order)
    if plot.kind == "bars":
        names = _names(plot.series)
        return _AROUND_BARS + _PER_BAR * (len(names) * len(plot.series) + (len(names) if len(plot.series) > 1 else 0))
    return _HEIGHT


def _names(series: Sequence[Series]) -> list[str]:
    return list(dict.fromkeys(str(name) for one in series for name, _ in one.points))


def number(value: float) -> str:
    """For a label: three digits that count."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_wide(values: Sequence[float]) -> bool:
    """Whether a linear axis would hide the small ones; never with a zero among them."""
    return min(values) > 0 and max(values) / min(values) > _WIDE


def apart(wanted: Sequence[float], distance: float) -> list[float]:
    """Places near the wanted ones, in their order, no two nearer than ``distance``: labels that do not overlap."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    placed: list[float] = []
    for index in order:
        placed.append(max(wanted[index], placed[-1] + distance) if placed else wanted[index])
    # pushed up only, a crowd leans: half of what it was pushed is taken back
    lean = sum(place - wanted[index] for place, index in zip(placed, order, strict=True)) / max(1, len(placed))
    found = dict(zip(order, (place - lean for place in placed), strict=True))
    return [found[index] for index in range(len(wanted))]


def _plain_ticks(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axis.set_minor_formatter(NullFormatter())


def _bars(axes: Any, plot: Plot) -> None:
    """Grouped by name when there are several series."""
    names, several = _names(plot.series), len(plot.series) > 1
    values = [value for one in plot.series for _, value in one.points]
    _reach(axes, values)
    thick = 0.8 / len(plot.series)
    for row, one in enumerate(plot.series):
        places = [names.index(str(name)) + (row - (len(plot.series) - 1) / 2) * thick for name, _ in one.points]
        colours = COLOURS[row % len(COLOURS)] if several else [COLOURS[names.index(str(x)) % 7] for x, _ in one.points]
        drawn = axes.barh(places, [value for _, value in one.points], thick * 0.9, color=colours, label=one.label)
        axes.bar_label(drawn, [number(value) for _, value in one.points], padding=4, color=TEXT, fontsize=9)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    _plain_ticks(axes.xaxis)
    if several:
        axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _reach(axes: Any, values: Sequence[float]) -> None:
    """The axis of the values, with room for their labels."""
    positive = [value for value in values if value > 0]
    if not positive or not is_wide(positive):
        axes.set_xlim(0, max(values, default=1.0) * 1.15 or 1.0)
    elif len(positive) == len(values):
        axes.set_xscale("log")
        axes.set_xlim(min(values) / 3, max(values) * 4)
    else:
        # zero has its place, and what is above the smallest is logarithmic
        axes.set_xscale("symlog", linthresh=min(positive))
        axes.set_xlim(0, max(values) * 6)


def _lines(axes: Any, plot: Plot) -> None:
    for row, one in enumerate(plot.series):
        axes.plot(*zip(*one.points, strict=True), color=COLOURS[row % len(COLOURS)], linewidth=1.8)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    _plain_ticks(axes.xaxis)
    _plain_ticks(axes.yaxis)
    _name_at_the_end(axes, plot.series, [one.label for one in plot.series])


def _loglog(axes: Any, plot: Plot) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for row, one in enumerate(plot.series):
        points = sorted((float(x), y) for x, y in one.points if float(x) > 0 and y > 0)
        colour = COLOURS[row % len(COLOURS)]
        axes.plot(*zip(*points, strict=True), "o", color=colour, markersize=5)
        if one.fit:
            ends = (points[0][0], points[-1][0])
            fitted = [one.fit["a"] * x ** one.fit["k"] for x in ends]
            axes.plot(ends, fitted, color=colour, linewidth=1.3, linestyle=(0, (5, 3)))
        else:
            axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.0, alpha=0.5)
    axes.set_xticks(sorted({float(x) for one in plot.series for x, y in one.points if float(x) > 0}))
    axes.grid(axis="both")
    _plain_ticks(axes.xaxis)
    _plain_ticks(axes.yaxis)
    labels = [f"{one.label}: n^{one.fit['k']:.2f}" if one.fit else one.label for one in plot.series]
    _name_at_the_end(axes, plot.series, labels)


def _cdf(axes: Any, plot: Plot) -> None:
    """Points are (value, share of all up to it), the share from 0 to 1."""
    from matplotlib.ticker import PercentFormatter

    if is_wide([float(x) for one in plot.series for x, _ in one.points]):
        axes.set_xscale("log")
    for row, one in enumerate(plot.series):
        points = [(one.points[0][0], 0.0), *one.points]
        axes.step(*zip(*points, strict=True), where="post", color=COLOURS[row % 7], linewidth=1.8, label=one.label)
    axes.set_ylim(0, 1.02)
    axes.grid(axis="both")
    _plain_ticks(axes.xaxis)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _name_at_the_end(axes: Any, series: Sequence[Series], labels: Sequence[str]) -> None:
    """Each line's name right of its last point, in its colour; in axes coordinates, so that log axes are alike."""
    axes.figure.canvas.draw()
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = [to_axes.transform((float(one.points[-1][0]), one.points[-1][1])) for one in series]
    places = apart([y for _, y in ends], 0.065)
    for row, (label, place) in enumerate(zip(labels, places, strict=True)):
        colour = COLOURS[row % len(COLOURS)]
        axes.text(1.02, place, label, transform=axes.transAxes, color=colour, va="center", fontsize=9)


def _waterfall(axes: Any, plot: Plot) -> None:
    """Each step begins where the one before has ended."""
    owner = {str(name): row for row, one in enumerate(plot.series) for name, _ in one.points}
    cost = {str(name): value for one in plot.series for name, value in one.points}
    at = 0.0
    whole = sum(cost.values())
    for place, name in enumerate(plot.order):
        axes.barh(place, cost[name], 0.72, left=at, color=COLOURS[owner[name] % len(COLOURS)])
        axes.text(at + cost[name] + whole * 0.008, place, number(cost[name]), color=TEXT, va="center", fontsize=9)
        axes.vlines(at + cost[name], place, min(place + 1, len(plot.order) - 1), color=GRID, linewidth=0.8)
        at += cost[name]
    axes.set_yticks(range(len(plot.order)), plot.order)
    axes.set_xlim(0, whole * 1.06)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    for row, one in enumerate(plot.series):
        axes.barh([0], [0], color=COLOURS[row % len(COLOURS)], label=f"{one.label}: {number(_sum(one))}")
    axes.legend(frameon=False, fontsize=9, loc="lower left")


def _sum(series: Series) -> float:
    return sum(value for _, value in series.points)


_DRAWN: dict[str, Callable[[Any, Plot], None]] = {
    "bars": _bars,
    "lines": _lines,
    "loglog": _loglog,
    "cdf": _cdf,
    "waterfall": _waterfall,
}
