"""Where the milliseconds of a change go, step by step, from the API's event to a pod's first connection.

Real parts, as `lab` puts them together. Borders are seen from outside: the master's bus, the kernel's word about files
that are opened and put in place, what an edge signs about its own steps. The edge that was last counts, for that is
when a change has arrived. A ``test.ping`` of the same fleet takes turns with the changes: most of the way is Salt's,
and that is its measure. It must never change what it measures: the product has no line for it.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.command import Say, run_part
from bench.hot_fleet import PILLAR, Fleet, Moved
from bench.inotify import CREATED, MOVED_IN, OPENED, REMOVED, Seen, Watches
from bench.judging import ROUNDS, Judging, judging
from bench.judging import table as judging_table
from bench.result import Plot, Result, Series, Table
from bench.settings import settings
from bench.way import AFTERWARDS, OURS, SALT, WAY, OnEdge, Step, Unseen, by_owner, costs, largest, medians, on_edge
from lab.figures import figure, percentile
from lab.hosts import EdgeHost
from lab.master import CHECKOUT
from lab.processes import RUN, LabError
from lab.topology import SERVICE, Lab

PART = "waterfall"
CHANGES, QUICK_CHANGES = 60, 15
# servers of the service beside the two pods that answer, for the second look
MANY, MANY_CHANGES = 3000, 15
_STORE = RUN / "master/cache/haproxy_edge"
_REACTOR = CHECKOUT / "salt/reactor/haproxy_hot.sls"
_MINION = "/var/cache/salt/minion"
_MODULES = f"{_MINION}/extmods/modules"
_FILE = f"{SERVICE.replace('/', '.')}.p"


@dataclass
class Taken:
    """Changes of one kind: milliseconds by step, until the first connection and afterwards; and what was left out."""

    way: list[dict[str, float]] = field(default_factory=list)
    afterwards: list[dict[str, float]] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    pings: list[float] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    @property
    def steps(self) -> dict[str, float]:
        """Medians of the whole way."""
        return medians(self.way) | medians(self.afterwards)


class Borders:
    """What the disks of master and edges tell."""

    def __init__(self, fleet: Fleet) -> None:
        """Once every edge has done a hot order, so that all directories are there."""
        self._fleet = fleet
        places = [
            ("services", _STORE / "default/services", MOVED_IN),
            ("outbox", _STORE / "outbox", MOVED_IN | REMOVED | OPENED),
            ("reactor", _REACTOR, OPENED),
        ]
        for edge in fleet.lab.edges:
            places += [
                # looked through by each loader that a job builds
                (f"{edge.name} loaders", edge.path(f"{_MINION}/extmods/utils/haproxy_edge_minion"), OPENED),
                (f"{edge.name} jobs", edge.path(f"{_MINION}/proc"), CREATED),
                (f"{edge.name} modules", edge.path(f"{_MODULES}/__pycache__"), OPENED),
                (f"{edge.name} lock", edge.path("/var/lib/haproxy-edge/lock"), OPENED),
            ]
        self._watches = Watches(RUN / "borders.jsonl", places)

    @contextlib.contextmanager
    def watched(self) -> Iterator[Borders]:
        """Inside, borders are seen."""
        with self._watches:
            yield self

    def change(self) -> Moved:
        """One change, with only its own events in mind."""
        self._watches.forget()
        return self._fleet.change()

    def of_change(self, moved: Moved) -> dict[str, float]:
        """Every border of a change on its way to the edge that was last. Raises `Unseen`."""
        seen = [one for one in self._watches.seen() if one.at >= moved.at]
        acks = {ack["edge"]: ack for ack in moved.acks}
        edges = {edge.name: on_edge(self._on_edge(edge, moved, acks, seen)) for edge in self._fleet.lab.edges}
        last = max(edges.values(), key=lambda borders: borders["moved"])
        return {**on_master(moved, moved.acks[0], seen), **last}

    def _on_edge(self, edge: EdgeHost, moved: Moved, acks: Mapping[str, Any], seen: Sequence[Seen]) -> OnEdge:
        if edge.name not in acks or edge.name not in moved.first:
            raise Unseen(f"an answer of {edge.name}")
        ack = acks[edge.name]
        job = first(seen, moved.at, f"{edge.name} jobs", name=moved.job)
        return OnEdge(
            building=first(seen, moved.at, f"{edge.name} loaders", after=moved.borders["published"]),
            job=job,
            loading=first(seen, moved.at, f"{edge.name} modules", name="haproxy_edge.", after=job),
            locking=first(seen, moved.at, f"{edge.name} lock", after=job),
            returned=moved.returned[edge.name],
            reached=moved.first[edge.name],
            steps_ms=ack["steps_ms"],
            ms=ack["ms"],
        )


def on_master(moved: Moved, ack: Mapping[str, Any], seen: Sequence[Seen]) -> dict[str, float]:
    """The borders before the publish. Raises `Unseen`."""
    at, order, doorbell = moved.at, ack["order"], moved.borders["doorbell"]
    opened = first(seen, at, "reactor", after=doorbell)
    # the engine's clock when it made the snapshot is its generation, in milliseconds
    generation = max(one["generation"] for one in ack["serves"].values())
    judged = generation / 1000 - at
    return {
        "seen": judged,
        "stored": first(seen, at, "services", name=_FILE),
        "ordered": first(seen, at, "outbox", name=order, what=MOVED_IN),
        "rung": doorbell,
        "opened": opened,
        "listed": first(seen, at, "outbox", what=OPENED, after=opened),
        "taken": first(seen, at, "outbox", name=order, what=REMOVED),
        "published": moved.borders["published"],
    }


def first(seen: Sequence[Seen], at: float, place: str, *, name: str = "", what: int = 0, after: float = 0.0) -> float:
    """Seconds from ``at`` until the first such event, none before ``after``; without ``name``: of the place itself.

    Raises `Unseen`.
    """
    for one in seen:
        named = one.name.startswith(name) if name else not one.name
        if one.place == place and named and (not what or one.what & what) and one.at - at >= after:
            return one.at - at
    raise Unseen(f"{place} {name}".rstrip())


def taken(borders: Borders, fleet: Fleet, count: int, say: Say, what: str) -> Taken:
    """Changes and pings by turns. Raises `LabError` when most of them cannot be followed."""
    found = Taken()
    for number in range(1, count + 1):
        found.pings.append(fleet.ping())
        moved = borders.change()
        found.moved.append(moved)
        try:
            seen = borders.of_change(moved)
            way, afterwards = costs(seen, WAY), costs(seen, AFTERWARDS, seen["moved"])
        except Unseen as error:
            found.unseen.append(str(error))
        else:
            found.way.append(way)
            found.afterwards.append(afterwards)
        if number % 15 == 0 or number == count:
            say(f"{what}: {number} of {count}, {len(found.way)} of them followed all the way")
    if len(found.way) * 2 < count:
        raise LabError(f"{what}: only {len(found.way)} of {count} changes could be followed: {found.unseen[-1]}")
    return found


def result(usual: Taken, many: Taken, judged: Sequence[Judging], told: str) -> Result:
    """All of it from what was taken; ``told``: what of the settings is not as by default."""
    total = statistics.median(sum(way.values()) for way in usual.way)
    ping = statistics.median(usual.pings) * 1000
    dearest = largest(usual.steps, (*WAY, *AFTERWARDS), OURS)
    owners = by_owner(usual.steps, WAY)
    return Result(
        PART,
        "Where a change's milliseconds go",
        figures=[
            figure(
                f"the API's event to a pod's first connection on all edges, p50 of {len(usual.way)}",
                "<= 2.0",
                round(total / ping, 2),
                "test.ping round trips",
            ),
            figure("of it ours", "<= 25", round(100 * owners[OURS] / sum(owners.values()), 1), "%"),
        ],
        notes=[
            f"{len(usual.way)} changes, two pods for two others, 3 edges; medians of each step on the way to the edge "
            f"that was last. A whole change takes {total:.0f} ms, a `test.ping` between them {ping:.0f} ms.",
            f"The largest step that is ours is *{dearest.name}*: {usual.steps[dearest.name]:.1f} ms.",
            _cheaper(judged),
            f"Followed all the way were {len(usual.way)} of {len(usual.moved)} changes.",
            told,
        ],
        tables=[_table(usual, many), _salts(usual, ping), judging_table(judged)],
        plots=[_waterfall(usual)],
    )


def _cheaper(judged: Sequence[Judging]) -> str:
    each = [f"HAProxy {one.version}: {one.now[1]:.1f} ms of CPU instead of {one.before[1]:.1f}" for one in judged]
    return (
        "What could be made cheaper was the dearest after Salt, how an edge asks HAProxy to judge its file: "
        f"{'; '.join(each)}. Traffic does not wait for it; the confirmation, and with it the next change, does."
    )


def _table(usual: Taken, many: Taken) -> Table:
    def row(step: Step, of_usual: list[dict[str, float]]) -> list[Any]:
        times = [change[step.name] for change in of_usual]
        median, p90 = statistics.median(times), percentile(times, 90)
        return [step.name, step.owner, step.what, round(median, 1), round(p90, 1), round(many.steps[step.name], 1)]

    rows = [row(step, usual.way) for step in WAY]
    rows.append(["**traffic is right**", "", "what follows happens beside it", None, None, None])
    rows += [row(step, usual.afterwards) for step in AFTERWARDS]
    columns = ["step", "whose", "what happens", "ms, p50", "ms, p90", f"ms, p50, {MANY + 2:,} servers"]
    return Table("Step by step", columns, rows, note="Each begins where the one before has ended.")


def _salts(usual: Taken, ping: float) -> Table:
    """What is not ours to make faster, by name."""
    steps = [step for step in (*WAY, *AFTERWARDS) if step.owner == SALT]
    rows: list[list[Any]] = [
        [step.name, step.what, round(usual.steps[step.name], 1), round(100 * usual.steps[step.name] / ping)]
        for step in sorted(steps, key=lambda step: -usual.steps[step.name])
    ]
    whole = sum(usual.steps[step.name] for step in steps)
    rows.append(["**together**", "", round(whole, 1), round(100 * whole / ping)])
    return Table("What is Salt's", ["step", "what happens", "ms, p50", "% of a test.ping"], rows)


def _waterfall(usual: Taken) -> Plot:
    series = [
        Series(owner, [(step.name, round(usual.steps[step.name], 2)) for step in WAY if step.owner == owner])
        # in the order of the way, so that each keeps its colour
        for owner in dict.fromkeys(step.owner for step in WAY)
    ]
    return Plot(
        "waterfall",
        f"One change, from the API to the last edge's first connection; medians of {len(usual.way)}",
        "waterfall",
        "milliseconds after the change was sent to the API",
        "",
        series,
        order=[step.name for step in WAY],
    )


def show(found: Taken, say: Say) -> None:
    """For people, while the rest is measured."""
    for step in (*WAY, *AFTERWARDS):
        say(f"  {found.steps[step.name]:7.1f} ms  {step.name} ({step.owner})")


def measure(say: Say, quick: bool) -> Result:
    """About three minutes; a quick one about one."""
    count, many_count = (QUICK_CHANGES, QUICK_CHANGES // 3) if quick else (CHANGES, MANY_CHANGES)
    lab = Lab(pillar=PILLAR)
    told = settings(lab)
    with Fleet(lab, say).running() as fleet:
        fleet.use(live=2, dead=0)
        for _ in range(2):
            fleet.change()
        with Borders(fleet).watched() as borders:
            usual = taken(borders, fleet, count, say, "two pods for two others")
            show(usual, say)
            fleet.use(live=2, dead=MANY)
            many = taken(borders, fleet, many_count, say, f"the same beside {MANY:,} others")
        fleet.use(live=2, dead=0)
        say("judging the file, before and now")
        # one of each release
        judged = [judging(edge, 3 if quick else ROUNDS) for edge in (fleet.lab.edges[0], fleet.lab.edges[2])]
    return result(usual, many, judged, told)


if __name__ == "__main__":
    sys.exit(run_part(PART, __doc__, measure))
