"""How cost grows: with endpoints, with services, with edges, by either lane; and where it grows faster than they do.

Real parts, as `lab` puts them together. Three edges are real hosts with HAProxy; more are stand-ins (`bench.stand_in`),
because two hundred hosts do not fit here, and because their work would be taken for the master's on one machine. What a
stand-in costs the master is compared with what a real edge costs, in the same run. It must never leave anything behind.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.change_cost import Cost
from bench.command import Say, run_part
from bench.fit import Point, fitted, last_step
from bench.growth_rig import AFTERMATH, IDLE, Rig
from bench.hot_fleet import PILLAR
from bench.result import Plot, Result, Series, Table
from bench.settings import settings
from lab.figures import Figure, figure
from lab.topology import SERVICE, Lab

LANES = ("hot", "state")


@dataclass(frozen=True)
class Plan:
    """Sizes of each axis, and changes at each size by either lane. Edges are real ones and stand-ins.

    ``idle`` and ``aftermath``: seconds with nothing to do that are measured, and after the last change.
    """

    endpoints: Sequence[int] = (3, 100, 1000, 3000, 10_000)
    services: Sequence[int] = (1, 10, 50, 200)
    edges: Sequence[int] = (4, 12, 50, 100, 200)
    hot: int = 6
    state: int = 2
    compared: int = 12
    idle: float = IDLE
    aftermath: float = AFTERMATH


QUICK = Plan(endpoints=(3, 1000), services=(1, 10), edges=(4, 8), hot=2, state=1, compared=2, idle=1.0, aftermath=0.5)
# edges at which the lanes are compared
RATIO_AT = 50
# how often a real edge and a stand-in take turns
TURNS = 2


@dataclass
class Axis:
    """What grew, and what a change cost at each size, by lane."""

    name: str
    costs: dict[str, dict[int, Cost]] = field(default_factory=lambda: {lane: {} for lane in LANES})

    def points(self, lane: str, value: Callable[[Cost], float]) -> list[Point]:
        """(size, value), from the smallest."""
        return [(size, value(cost)) for size, cost in sorted(self.costs[lane].items())]

    def largest(self) -> tuple[int, Cost]:
        """The greatest size that was measured, by the hot lane."""
        return max(self.costs["hot"].items())


# what is told of every size: column, unit, what it is of a cost
COLUMNS: Mapping[str, Callable[[Cost], float]] = {
    "all edges, s": lambda cost: cost.median,
    "a real edge's part, ms": lambda cost: cost.edge_ms,
    "engine CPU, ms": lambda cost: cost.engine_ms,
    "engine resident, MB": lambda cost: cost.engine_mb,
    "master CPU, ms": lambda cost: cost.master_ms,
    "master CPU per edge, ms": lambda cost: cost.master_ms_per_edge,
    "published to each edge, bytes": lambda cost: cost.published_bytes,
    "asked and returned by each edge, bytes": lambda cost: cost.returned_bytes,
}


def measured(rig: Rig, axis: Axis, size: int, plan: Plan, service: str = SERVICE) -> None:
    """Both lanes at one size."""
    idle = rig.idle(service)
    for lane, count in (("hot", plan.hot), ("state", plan.state if rig.edges <= RATIO_AT else 1)):
        cost = axis.costs[lane][size] = rig.cost(count, idle, lane=lane, service=service)
        rig.say(
            f"{size:,} {axis.name}, {lane} lane: {cost.median:.2f} s to all {cost.edges} edges; CPU of a change: "
            f"engine {cost.engine_ms:.0f} ms, master {cost.master_ms:.0f} ms; engine {cost.engine_mb:.0f} MB"
        )


def endpoints(rig: Rig, plan: Plan) -> Axis:
    """Of one service, on the real edges and one stand-in."""
    axis = Axis("endpoints")
    for size in plan.endpoints:
        rig.use(SERVICE, size)
        rig.await_fleet()
        measured(rig, axis, size, plan)
    rig.use(SERVICE, 3)
    rig.await_fleet()
    return axis


def edges(rig: Rig, plan: Plan) -> Axis:
    """Three of them real."""
    axis = Axis("edges")
    for size in plan.edges:
        rig.grow(size - len(rig.lab.edges))
        measured(rig, axis, size, plan)
    return axis


def services(rig: Rig, plan: Plan) -> Axis:
    """Of three endpoints each, every edge serving all of them; one of them changes."""
    axis = Axis("services")
    for size in plan.services:
        rig.follow([SERVICE, *(f"kube-system/app-{number:03}" for number in range(1, size))])
        measured(rig, axis, size, plan)
    rig.follow([SERVICE])
    return axis


def compared(rig: Rig, plan: Plan) -> Table:
    """What the same orders cost the master for a real edge, and for a stand-in, by turns."""
    kinds = ("edge1", "stand-in-001")
    idle = rig.idle()
    rows = []
    for lane, count in (("hot", plan.compared), ("state", max(1, plan.compared // 3))):
        turns = [{edge: rig.cost_of_orders(lane, edge, count, idle) for edge in kinds} for _ in range(TURNS)]
        real, made = (statistics.mean(turn[edge] for turn in turns) for edge in kinds)
        rows.append([lane, round(real, 1), round(made, 1), round(made / real, 2)])
        rig.say(f"master CPU of an order for one, {lane} lane: real edge {real:.1f} ms, stand-in {made:.1f} ms")
    return Table(
        "Stand-ins beside real edges",
        ["lane", "real edge: master CPU, ms", "stand-in: master CPU, ms", "stand-in / real"],
        rows,
        note="The same orders to one of each, by turns; idling subtracted; the publish is in both.",
    )


def table(axis: Axis, lane: str) -> Table:
    """Every size in one row, and how each column grows in the last."""
    sizes = sorted(axis.costs[lane].items())
    rows = [[size, *(round(value(cost), 2) for value in COLUMNS.values())] for size, cost in sizes]
    growth = [_growth(axis.points(lane, value)) for value in COLUMNS.values()]
    return Table(
        f"One change by the {lane} lane, by {axis.name}",
        [axis.name, *COLUMNS],
        [*rows, ["n^k, k", *growth]],
        note="k of all sizes by least squares, in brackets of the last two alone.",
    )


def _growth(points: Sequence[Point]) -> str:
    try:
        return f"{fitted(points).k:.2f} ({last_step(points):.2f})"
    except ValueError:
        return "–"


def plots(axes: Sequence[Axis]) -> list[Plot]:
    """The engine's and the master's processor time, and the time to all edges, of each axis."""
    wanted = {
        "engine-cpu": ("Engine CPU of one change", "ms", COLUMNS["engine CPU, ms"]),
        "master-cpu": ("Master CPU of one change, all edges", "ms", COLUMNS["master CPU, ms"]),
        "time": ("One change, to all edges", "s", COLUMNS["all edges, s"]),
    }
    return [
        Plot(
            f"growth-{axis.name}-{name}",
            f"{title}, by {axis.name}",
            "loglog",
            axis.name,
            unit,
            [_series(axis, lane, value) for lane in LANES],
        )
        for axis in axes
        for name, (title, unit, value) in wanted.items()
    ]


def _series(axis: Axis, lane: str, value: Callable[[Cost], float]) -> Series:
    points = [(float(size), round(number, 4)) for size, number in axis.points(lane, value) if number > 0]
    fit = fitted(points).as_json() if len(points) > 1 else None
    return Series(f"{lane} lane", points, fit)


def growth_figure(axis: Axis, what: str, value: Callable[[Cost], float]) -> Figure:
    """k of one column of the hot lane."""
    points = axis.points("hot", value)
    spans = f"{points[0][0]:,} to {points[-1][0]:,}"
    return figure(f"{what}, growth with {axis.name}, {spans}: n^k", "<= 1.1", round(fitted(points).k, 2), "k")


def figures_of(axes: Sequence[Axis]) -> list[Figure]:
    """Those of the axes that were measured."""
    found = {axis.name: axis for axis in axes}
    figures: list[Figure] = []
    engine, master = COLUMNS["engine CPU, ms"], COLUMNS["master CPU, ms"]
    if axis := found.get("endpoints"):
        size, cost = axis.largest()
        figures += [
            figure(f"engine resident at {size:,} endpoints", "<= 200", round(cost.engine_mb, 1), "MB"),
            figure(f"engine CPU of one change at {size:,} endpoints", "<= 100", round(cost.engine_ms, 1), "ms"),
            growth_figure(axis, "engine CPU of a change", engine),
        ]
    if axis := found.get("services"):
        figures.append(growth_figure(axis, "engine CPU of a change", engine))
    if axis := found.get("edges"):
        figures += _of_edges(axis, engine, master)
    return figures


def _of_edges(axis: Axis, engine: Callable[[Cost], float], master: Callable[[Cost], float]) -> list[Figure]:
    at = min(axis.costs["hot"], key=lambda size: abs(size - RATIO_AT))
    ratio = axis.costs["hot"][at].master_ms_per_edge / axis.costs["state"][at].master_ms_per_edge
    size, cost = axis.largest()
    return [
        figure(f"master CPU per edge, hot lane / state lane, {at} edges", "<= 0.125", round(ratio, 3), "times"),
        figure(f"{size} edges on one change, the slowest", "<= 5", round(max(cost.seconds), 2), "s"),
        growth_figure(axis, "engine CPU of a change", engine),
        growth_figure(axis, "master CPU of a change", master),
    ]


NOTES = (
    "Three edges are real: systemd, salt-minion and HAProxy in a container each. All others are stand-ins: each signs "
    "in with a key of its own, takes the publish and returns what a real edge returned, signed, after as long as that "
    "says it took; in the state lane it asks the master for pillar and files as a real minion does. No HAProxy is "
    "behind them.",
    "Processor time is that of one change: what idling for the same time costs is subtracted. The master's is that of "
    "all its processes but the engine's.",
    "Everything, edges and stand-ins too, shares the machine's cores, so times to all edges are longer than they would "
    "be with edges on hosts of their own.",
)


def measure(say: Say, quick: bool) -> Result:
    """All of it, in one lab."""
    plan = QUICK if quick else Plan()
    # no resync: it would be taken for a change
    lab = Lab(engine={"resync": 0}, pillar=PILLAR)
    notes = [*NOTES, settings(lab)]
    with Rig(lab, say, idle=plan.idle, aftermath=plan.aftermath).running() as rig:
        rig.grow(1)
        comparison = compared(rig, plan)
        found = [axis(rig, plan) for axis in (endpoints, services, edges)]
    tables = [comparison, *(table(axis, lane) for axis in found for lane in LANES)]
    return Result("growth", "How cost grows", figures_of(found), notes, tables, plots(found))


def main() -> int:
    """Measure and print; 0 when everything could be measured, whether or not the goals are met."""
    return run_part("growth", __doc__, measure)


if __name__ == "__main__":
    sys.exit(main())
