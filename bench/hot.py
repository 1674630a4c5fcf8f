"""How long a change of pods takes to reach traffic, beside what one Salt round trip takes on the same fleet.

Real parts, as `lab` puts them together: a Kubernetes API, a salt-master with the engine and the reactor, three edge
hosts with their minions and HAProxy, clients. Each figure is a ratio measured in one run, because a machine's own speed
says nothing: a change and a ``test.ping`` of the fleet take turns. It must never leave anything behind.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.borders import RUNTIME_STEP
from bench.command import Say, run
from bench.hot_fleet import PILLAR, Fleet, Moved
from bench.hot_kills import abrupt_kills
from bench.settings import settings
from lab.figures import Figure, figure, percentile
from lab.hosts import EdgeHost
from lab.processes import LabError
from lab.topology import Lab

CHANGES = 200
# changes at each size, and the sizes: servers of the one service
PER_SIZE = 15
SIZES = (3, 30, 300, 3000)
LARGEST = 5000


@dataclass
class Series:
    """Changes of one kind, and the round trips between them; seconds."""

    moved: list[Moved] = field(default_factory=list)
    pings: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> list[float]:
        """Of each change, until traffic had moved on all edges."""
        return [each.seconds for each in self.moved]

    @property
    def ping(self) -> float:
        """The median round trip."""
        return statistics.median(self.pings)


def measured(fleet: Fleet, count: int, say: Say, *, what: str, watch: EdgeHost | None = None) -> Series:
    """Changes and pings by turns."""
    series = Series()
    for number in range(1, count + 1):
        series.pings.append(fleet.ping())
        series.moved.append(fleet.change(watch=watch))
        if number % 20 == 0 or number == count:
            say(f"{what}: {number} of {count}: {_told(series)}")
    return series


def _told(series: Series) -> str:
    p50, p99 = statistics.median(series.seconds), percentile(series.seconds, 99)
    return f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, test.ping {series.ping * 1000:.0f} ms"


def figures_of_changes(series: Series) -> list[Figure]:
    """Against the median round trip of the same fleet."""
    p50 = statistics.median(series.seconds) / series.ping
    p99 = percentile(series.seconds, 99) / series.ping
    changes = len(series.moved)
    return [
        figure(f"change to all edges, p50 of {changes}", "<= 2.0", round(p50, 2), "test.ping round trips"),
        figure(f"change to all edges, p99 of {changes}", "<= 4", round(p99, 2), "test.ping round trips"),
    ]


def figures_of_growth(by_size: dict[int, Series]) -> list[Figure]:
    """The largest size against the smallest."""
    smallest, *_, largest = by_size
    growth = statistics.median(by_size[largest].seconds) / statistics.median(by_size[smallest].seconds)
    name = f"time for one changed server, {largest:,} servers against {smallest}"
    return [figure(name, "< 2", round(growth, 2), "times")]


def figures_of_largest(series: Series, size: int) -> list[Figure]:
    """What the edges themselves say, and the memory of their jobs as /proc shows it."""
    acks = [ack for moved in series.moved for ack in moved.acks]
    runtime = statistics.median(ack["steps_ms"][RUNTIME_STEP] for ack in acks)
    whole = statistics.median(ack["ms"] for ack in acks)
    memory = max(moved.job_mb for moved in series.moved)
    return [
        figure(f"one of {size:,} servers changed: runtime commands, p50", "<= 20", round(runtime, 1), "ms"),
        figure(f"one of {size:,} servers changed: whole sync, p50", "<= 1000", round(whole, 1), "ms"),
        figure(f"one of {size:,} servers changed: memory of the minion's job", "<= 120", round(memory, 1), "MB"),
    ]


def show_way(series: Series, say: Say) -> None:
    """Where the time goes, for people: medians, in the order of the way."""
    say("the way of one change, medians after it was sent to the API:")
    names = ("doorbell", "published", "confirmed by all")
    rows = {name: _median([moved.borders[name] for moved in series.moved if name in moved.borders]) for name in names}
    rows["traffic moved on all edges"] = statistics.median(series.seconds)
    for name, seconds in sorted(rows.items(), key=lambda row: row[1]):
        say(f"  {seconds * 1000:7.1f} ms  {name}")
    say("steps of the sync, as edges tell, medians:")
    acks = [ack for moved in series.moved for ack in moved.acks]
    for step in dict.fromkeys(step for ack in acks for step in ack["steps_ms"]):
        say(f"  {_median([ack['steps_ms'].get(step, 0.0) for ack in acks]):7.1f} ms  {step}")


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else math.nan


def figures(fleet: Fleet, changes: int, per_size: int, say: Say) -> list[Figure]:
    """Measure all of it."""
    say(f"{changes} changes, {changes} test.pings")
    fleet.use(live=2, dead=0)
    usual = measured(fleet, changes, say, what="two pods for two others")
    show_way(usual, say)
    by_size: dict[int, Series] = {}
    for size in (*SIZES, LARGEST):
        fleet.use(live=1, dead=size - 1)
        watch = fleet.lab.edges[0] if size == LARGEST else None
        by_size[size] = measured(fleet, per_size, say, what=f"one of {size:,} servers", watch=watch)
    largest = by_size.pop(LARGEST)
    show_way(largest, say)
    kills = abrupt_kills(fleet, say)
    return [*figures_of_changes(usual), *figures_of_growth(by_size), *figures_of_largest(largest, LARGEST), *kills]


def main() -> int:
    """Measure and print; 0 when everything could be measured, whether or not the goals are met."""
    parser = argparse.ArgumentParser(prog="python -m bench.hot", description=__doc__.partition("\n")[0])
    parser.add_argument("--changes", type=int, default=CHANGES, help="of the first figure")
    parser.add_argument("--per-size", type=int, default=PER_SIZE, help="changes at each number of servers")
    arguments = parser.parse_args()
    lab = Lab(pillar=PILLAR)

    def measure(say: Say) -> list[Figure]:
        if os.geteuid() != 0:
            raise LabError("needs root: network namespaces and containers")
        with Fleet(lab, say).running() as fleet:
            return figures(fleet, arguments.changes, arguments.per_size, say)

    return run("bench.hot", measure, notes=[settings(lab)])


if __name__ == "__main__":
    sys.exit(main())
