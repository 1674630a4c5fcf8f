"""A storm of changes, a change each second, and nothing at all: what the whole costs while it lasts.

One lab with its three edges; what of their settings is not as by default stands in the notes. There is no
resync, which would put a publish into the idle minutes: what one costs is measured by itself. What grows only slowly is
told with the margin that so few minutes leave; a figure of it is the upper end, so that noise can never make it look
better.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from haproxy_edge.options import check

from bench.certainty import Slope, slope
from bench.command import Say, run_part, undisturbed
from bench.phases import ENGINE, Meter, Phase
from bench.result import Plot, Result, Series, Table
from bench.settings import settings
from chaos.stage import Stage
from chaos.storm import Storm, quiet, storm
from lab.demo import start
from lab.figures import Figure, figure, percentile
from lab.processes import LabError, wait_for
from lab.topology import SERVICE, Lab, down

_DEFAULTS = check({"services": [SERVICE]})
# the lab's own are shorter than the defaults, and would have the engine list anew more often
ENGINE_OPTIONS = {
    **{name: getattr(_DEFAULTS, name) for name in ("watch_timeout", "read_timeout", "empty_grace")},
    "resync": 0,
}
PILLAR: dict[str, Any] = {
    "haproxy": {
        "frontends": {
            "websecure": {"bind": ["ipv4@:443", "ipv6@:443 v6only"], "service": SERVICE, "port": "websecure"},
            "tcp": {"bind": ["ipv4@:9000", "ipv6@:9000 v6only"], "service": SERVICE, "port": "tcp"},
        },
        "global": {"maxconn": 4000},
    }
}
# MB an hour. At a change a second 4 is about 1.1 kB a change: less than one snapshot of these few servers, the smallest
# thing the engine could forget to drop. Idle, 1 is some 280 bytes a second: a few small objects left by each look
STEADY_SLOPE, IDLE_SLOPE = 4.0, 1.0
# as in bench.engine: milliseconds of the engine for one change, % of a core while nothing happens
CHANGE_MS, IDLE_PERCENT = 30, 1
# seconds a change of the steady minutes may take before it counts as lost
PATIENCE = 10.0


@dataclass(frozen=True)
class Scale:
    """``quiet`` and ``changes`` are numbers, all else seconds; ``warm_up``: of steady and idle each."""

    quiet: int
    changes: int
    storm: float
    steady: int
    idle: int
    warm_up: float


# the engine remembers 200 changes and 256 orders: only after them is it full
FULL = Scale(quiet=100, changes=1000, storm=10.0, steady=600, idle=600, warm_up=270.0)
QUICK = Scale(quiet=12, changes=300, storm=3.0, steady=25, idle=25, warm_up=8.0)


@dataclass
class Seen:
    """All that was measured. ``steady``: seconds of each change, None for one that some edge never served."""

    scale: Scale
    quiet: list[float]
    storm: Storm
    steady: list[float | None]
    phases: dict[str, Phase]

    def slope(self, phase: str) -> Slope:
        """Of the engine's memory, after the warm-up."""
        return slope([point for point in self.phases[phase].memory if point[0] >= self.scale.warm_up])

    @property
    def served(self) -> list[float]:
        """Seconds of the steady changes that every edge served."""
        return [seconds for seconds in self.steady if seconds is not None]


@contextlib.contextmanager
def staged(say: Say) -> Iterator[Stage]:
    """The lab with three edges that serve, gone afterwards whatever happens."""
    lab = Lab(engine=ENGINE_OPTIONS, pillar=PILLAR)
    try:
        yield Stage(lab, start(lab))
    finally:
        with undisturbed():
            say("taking the lab down")
            down()


def seen(stage: Stage, scale: Scale, say: Say) -> Seen:
    """Everything, one after the other."""
    meter, phases = Meter(stage), {}

    @contextlib.contextmanager
    def phase(name: str, about: str) -> Iterator[None]:
        stage.lab.await_confirmed()
        say(about)
        with meter.phase(name) as phases[name]:
            yield

    stage.roll()
    stage.await_right()
    with phase("quiet", f"{scale.quiet} changes, each when the one before is everywhere"):
        calm = quiet(stage, scale.quiet)
    with phase("storm", f"{scale.changes:,} changes in {scale.storm:g} s"):
        blown = storm(stage, scale.changes, scale.storm)
    say(f"the last state was everywhere {blown.after:.2f} s after it, {len(blown.jobs)} publishes")
    with phase("steady", f"a change a second for {scale.steady} s"):
        steady = list(changes_each_second(stage, scale.steady, say))
    # so far it was seen in the processes alone
    stage.roll()
    stage.await_right()
    with phase("idle", f"nothing for {scale.idle} s"):
        idle(scale.idle, say)
    with phase("resync", "state.apply of the fleet, as a resync orders it every ten minutes"):
        stage.apply()
    return Seen(scale, calm, blown, steady, phases)


def changes_each_second(stage: Stage, count: int, say: Say) -> Iterator[float | None]:
    """Seconds until every edge served each, None when that did not come; a late one delays the next."""
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + number - time.monotonic()))
        changed = time.monotonic()
        yield _served(stage, stage.flutter(number), changed)
        if (number + 1) % 60 == 0 or number + 1 == count:
            say(f"change {number + 1} of {count}")


def _served(stage: Stage, wanted: set[str], changed: float) -> float | None:
    edges = stage.lab.edges
    try:
        wait_for(lambda: all(stage.in_process(edge) == wanted for edge in edges), PATIENCE, "the edges", every=0.02)
    except LabError:
        return None
    return time.monotonic() - changed


def idle(seconds: int, say: Say) -> None:
    """Do nothing, and say so once a minute."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(60.0, left))
        say(f"idle, {max(0.0, until - time.monotonic()):.0f} s left")


def figures(seen: Seen) -> list[Figure]:
    """Against what is promised."""
    blown, steady, resting = (seen.phases[name] for name in ("storm", "steady", "idle"))
    count, p99 = len(seen.steady), percentile(seen.quiet, 99)
    change_ms = 1000 * steady.processor[ENGINE] / count
    idle_percent = 100 * resting.processor[ENGINE] / resting.seconds
    return [
        figure(
            f"storm: publishes of {seen.storm.changes:,} changes",
            f"<= {seen.storm.allowed}",
            sum(blown.publishes.values()),
            "one per min_interval",
        ),
        figure("storm: last state everywhere", "<= 2", round(seen.storm.after / p99, 2), "x quiet p99"),
        figure("storm: reloads", "<= 0", blown.reloads, "reloads"),
        figure(f"steady: changes of {count} that every edge served", f">= {count}", len(seen.served), "changes"),
        figure("steady: reloads", "<= 0", steady.reloads, "reloads"),
        figure("steady: engine's processor time", f"<= {CHANGE_MS}", round(change_ms, 1), "ms a change"),
        _memory("steady", STEADY_SLOPE, seen),
        figure("idle: publishes", "<= 0", sum(resting.publishes.values()), "publishes"),
        figure("idle: reloads", "<= 0", resting.reloads, "reloads"),
        figure("idle: engine", f"<= {IDLE_PERCENT}", round(idle_percent, 2), "% of a core"),
        _memory("idle", IDLE_SLOPE, seen),
    ]


def _memory(phase: str, bound: float, seen: Seen) -> Figure:
    return figure(
        f"{phase}: engine's memory, slope at most", f"<= {bound:g}", round(seen.slope(phase).most, 2), "MB an hour"
    )


def tables(seen: Seen) -> list[Table]:
    """By phase."""
    return [
        Table(
            "What was done",
            ["phase", "seconds", "changes", "sync published", "state.apply published", "reloads"],
            [
                [name, round(phase.seconds, 1), _changes(seen, name), *phase.publishes.values(), phase.reloads]
                for name, phase in seen.phases.items()
            ],
            note="resync: one state.apply of the fleet; the engine orders one every "
            f"{_DEFAULTS.resync / 60:g} minutes by default.",
        ),
        Table(
            "Processor time",
            ["phase", "part", "seconds", "% of a core", "ms a change"],
            [row for name, phase in seen.phases.items() for row in _processor(phase, _changes(seen, name))],
        ),
        Table(
            "Memory of the engine, resident",
            ["phase", "MB at first", "MB at last", "slope, MB an hour", "± (95 %)", "samples"],
            [_memory_row(name, seen) for name in ("steady", "idle")],
            note=f"Least squares over what came after the first {seen.scale.warm_up:g} s; the margin counts "
            "neighbouring samples as fewer, by their correlation.",
        ),
        Table(
            "From a change until every edge serves it",
            ["phase", "changes", "p50, ms", "p99, ms", "longest, ms"],
            [_times("quiet", seen.quiet), _times("steady", seen.served)],
            note="quiet changes are seen in file and process of every edge, steady ones in the process.",
        ),
    ]


def _changes(seen: Seen, phase: str) -> int | None:
    return {"quiet": len(seen.quiet), "storm": seen.storm.changes, "steady": len(seen.steady)}.get(phase)


def _processor(phase: Phase, changes: int | None) -> Iterator[list[str | float | None]]:
    for part, used in phase.processor.items():
        percent = round(100 * used / phase.seconds, 2)
        yield [phase.name, part, round(used, 2), percent, round(1000 * used / changes, 1) if changes else None]


def _memory_row(phase: str, seen: Seen) -> list[str | float]:
    points = [point for point in seen.phases[phase].memory if point[0] >= seen.scale.warm_up]
    found = seen.slope(phase)
    ends = (points[0][1], points[-1][1], found.per_hour, found.margin)
    return [phase, *(round(value, 2) for value in ends), len(points)]


def _times(phase: str, seconds: Sequence[float]) -> list[str | float | None]:
    if not seconds:
        return [phase, 0, None, None, None]
    shown = (statistics.median(seconds), percentile(seconds, 99), max(seconds))
    return [phase, len(seconds), *(round(1000 * one, 1) for one in shown)]


def plots(seen: Seen) -> list[Plot]:
    """The engine's memory over time, and how long changes took."""
    memory = [
        Series(name, [(round(second / 60, 3), round(mb, 2)) for second, mb in seen.phases[name].memory])
        for name in ("steady", "idle")
    ]
    times = [
        Series(name, _cdf(seconds)) for name, seconds in (("quiet", seen.quiet), ("a change a second", seen.served))
    ]
    return [
        Plot("storm-memory", "Memory of the engine", "lines", "minutes", "MB resident", memory),
        Plot("storm-changes", "From a change until every edge serves it", "cdf", "ms", "share of changes", times),
    ]


def _cdf(seconds: Sequence[float]) -> list[tuple[float, float]]:
    return [(round(1000 * one, 1), round(number / len(seconds), 4)) for number, one in enumerate(sorted(seconds), 1)]


def measure(say: Say, quick: bool) -> Result:
    """The lab up, all phases, the lab down."""
    with staged(say) as stage:
        notes = [*NOTES, settings(stage.lab)]
        found = seen(stage, QUICK if quick else FULL, say)
    for phase in ("steady", "idle"):
        slope = found.slope(phase)
        say(f"{phase}: the engine's memory grows by {slope.per_hour:.2f} ± {slope.margin:.2f} MB an hour")
    return Result("storm", "Storm, steady state and idling", figures(found), notes, tables(found), plots(found))


NOTES = (
    f"Memory may grow by {STEADY_SLOPE:g} MB an hour at a change a second: some 1.1 kB a change, less than one "
    f"snapshot kept by mistake; idle by {IDLE_SLOPE:g}. The figure is the upper end of the 95 % interval of the slope.",
    f"There is no resync: that of every {_DEFAULTS.resync / 60:g} minutes would publish once while idle. What it costs "
    "is the phase `resync`.",
    "The edges' processor time has in it what this bench asks of their HAProxy to see a change arrive: a `show servers "
    "state` every few hundredths of a second.",
)


def main() -> int:
    """Measure and print; 0 when everything could be measured, whether or not the goals are met."""
    return run_part("storm", __doc__, measure)


if __name__ == "__main__":
    sys.exit(main())
