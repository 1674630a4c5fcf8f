"""What the ways' turns add up to: counts, the order of turns, figures, tables and plots. Pure.

It must never mix what a way cost with what the load cost: what is used while nothing changes is taken off, and told by
itself. Nor may it blame an edge for a connection that nobody could have served.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.result import Cell, Plot, Series, Table
from bench.trees import WaySpent
from lab.figures import Figure, figure, percentile
from lab.traffic import Record

HOT, STATE = "ours, hot lane", "ours, state lane"
USUAL, RESTART, RELOAD = "Ansible, restart", "Ansible tuned, restart", "Ansible tuned, reload"
# seconds between two looks of the template loop
POLL_SECONDS = 5.0
POLLING = f"template loop, {POLL_SECONDS:g} s"
FLOOR = "floor: test.ping"


@dataclass(frozen=True)
class Load:
    """What passes at every turn, over all edges: new connections a second, and open ones."""

    edges: int
    connections: float
    streams: int


@dataclass
class Turn:
    """One way in charge for some changes.

    ``spent`` from before the first change to after the last one's aftermath, ``rest`` while nothing changed;
    ``workers``: HAProxy workers that took the place of others, on all edges.
    """

    seconds: list[float] = field(default_factory=list)
    pings: list[float] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0
    workers: int = 0
    spent: WaySpent = field(default_factory=lambda: WaySpent(0.0, 0.0, 0.0))
    rest: WaySpent = field(default_factory=lambda: WaySpent(0.0, 0.0, 0.0))
    master_mb: float = 0.0
    edge_mb: float = 0.0
    connections: int = 0
    failed: int = 0
    cut: int = 0

    def count(self, records: Sequence[Record], streams: Sequence[Record]) -> None:
        """Connections that began in this turn, and streams that broke in it."""
        mine = [record for record in records if self.began <= record.start < self.ended]
        self.connections = len(mine)
        self.failed = sum(record.failed for record in mine)
        # one that never reached a pod is no stream: it tries again at once, and would count many times
        self.cut = sum(bool(one.pod and one.error) and self.began <= one.end < self.ended for one in streams)


@dataclass
class Account:
    """All turns of one way."""

    way: str
    turns: list[Turn] = field(default_factory=list)

    @property
    def seconds(self) -> list[float]:
        """Of each change, until traffic had moved on all edges."""
        return [one for turn in self.turns for one in turn.seconds]

    @property
    def pings(self) -> list[float]:
        """Of each round trip beside them."""
        return [one for turn in self.turns for one in turn.pings]

    @property
    def p50(self) -> float:
        """The median change."""
        return statistics.median(self.seconds)

    @property
    def failed(self) -> int:
        """New connections that came to nothing."""
        return sum(turn.failed for turn in self.turns)

    @property
    def cut(self) -> int:
        """Open connections that broke."""
        return sum(turn.cut for turn in self.turns)

    @property
    def workers_per_change(self) -> float:
        """How many HAProxy workers a change replaces, of all edges."""
        return sum(turn.workers for turn in self.turns) / len(self.seconds)

    def at_rest(self, where: str) -> float:
        """Processor seconds a second on ``master`` or ``edges`` while nothing changes."""
        return sum(getattr(turn.rest, where) for turn in self.turns) / sum(turn.rest.at for turn in self.turns)

    def per_change(self, where: str) -> float:
        """Processor seconds of a change on ``master`` or ``edges``, without what is used at rest; never below 0."""
        used = sum(getattr(turn.spent, where) for turn in self.turns)
        idle = self.at_rest(where) * sum(turn.spent.at for turn in self.turns)
        return max(0.0, used - idle) / len(self.seconds)


def mirrored(ways: Sequence[str], rounds: int) -> Iterator[str]:
    """Every way once in a round; each second round backwards, so that a machine that tires does not tell on one way."""
    for number in range(rounds):
        yield from ways if number % 2 == 0 else ways[::-1]


def moment(number: int, period: float) -> float:
    """Seconds to wait before that change, so that all of them fall evenly over something that repeats itself.

    Without, each would begin just after the loop's last look, and wait for all of the next one.
    """
    golden = 0.6180339887
    return number * golden % 1 * period


def figures(accounts: dict[str, Account]) -> list[Figure]:
    """The goals: near the floor, far from the other way, and nobody notices."""
    hot, floor = accounts[HOT], statistics.median(accounts[HOT].pings)
    ours = [accounts[HOT], accounts[STATE]]
    return [
        figure(
            f"change to all edges, hot lane, p50 of {len(hot.seconds)}",
            "<= 2.0",
            round(hot.p50 / floor, 2),
            "test.ping round trips",
        ),
        *(
            figure(f"hot lane faster than {way}, p50", ">= 40", round(accounts[way].p50 / hot.p50, 1), "times")
            for way in (USUAL, RESTART)
        ),
        figure("new connections that failed, both lanes", "<= 0", sum(one.failed for one in ours), "connections"),
        figure("open connections cut, both lanes", "<= 0", sum(one.cut for one in ours), "connections"),
    ]


def tables(accounts: dict[str, Account], load: Load) -> list[Table]:
    """What clients notice, and what it costs."""
    return [
        Table(
            "Side by side: how fast, and who notices",
            ["way", "changes", "p50 s", "p90 s", "max s", "failed", "cut", "workers replaced"],
            [*(_noticed(one) for one in accounts.values()), _floor(accounts[HOT].pings)],
            "Seconds from the change until all traffic of all edges, over IPv4 and IPv6, goes to the new pods. Failed: "
            f"new connections a change, of {load.connections:g} a second. Cut: open connections a change, of "
            f"{load.streams}. Workers: HAProxy's, a change, on {load.edges} edges.",
        ),
        Table(
            "Side by side: what a change costs",
            ["way", "CPU s, master", "CPU s, edges", "at rest, master", "at rest, edges", "MB, master", "MB, an edge"],
            [_costs(one) for one in accounts.values()],
            f"Processor seconds a change on the master, and on the {load.edges} edges together, HAProxy included, "
            "without what is used at rest. At rest: milliseconds of a processor in a second while nothing changes; on "
            "edges with the load, which is the same for every way. Memory at its peak, shared pages counted once: the "
            "way's own processes on the master; everything on an edge.",
        ),
    ]


def _noticed(one: Account) -> list[Cell]:
    changes = len(one.seconds)
    rates = [round(one.failed / changes, 1), round(one.cut / changes, 1), round(one.workers_per_change, 1)]
    return [one.way, changes, *_spread(one.seconds), *rates]


def _floor(pings: Sequence[float]) -> list[Cell]:
    return [FLOOR, len(pings), *_spread(pings), None, None, None]


def _spread(seconds: Sequence[float]) -> list[Cell]:
    return [round(one, 3) for one in (statistics.median(seconds), percentile(seconds, 90), max(seconds))]


def _costs(one: Account) -> list[Cell]:
    return [
        one.way,
        round(one.per_change("master"), 2),
        round(one.per_change("edges"), 2),
        round(one.at_rest("master") * 1000, 1),
        round(one.at_rest("edges") * 1000, 1),
        round(max(turn.master_mb for turn in one.turns)),
        round(max(turn.edge_mb for turn in one.turns)),
    ]


def plots(accounts: dict[str, Account], load: Load) -> list[Plot]:
    """How long changes take, and what they cost clients."""
    lines = [Series(one.way, _shares(one.seconds)) for one in accounts.values()]
    return [
        Plot(
            "side-by-side-seconds",
            "From a change of pods to all traffic of all edges",
            "cdf",
            "seconds after the change",
            "share of changes",
            [*lines, Series(FLOOR, _shares(accounts[HOT].pings))],
        ),
        Plot(
            "side-by-side-failed",
            f"New connections that fail, of {load.connections:g} a second",
            "bars",
            "connections a change",
            "",
            [Series("failed", [(one.way, round(one.failed / len(one.seconds), 1)) for one in accounts.values()])],
        ),
    ]


def _shares(seconds: Sequence[float]) -> list[tuple[float | str, float]]:
    ordered = sorted(seconds)
    steps = [(round(one, 4), (number + 1) / len(ordered)) for number, one in enumerate(ordered)]
    return [(steps[0][0], 0.0), *steps]
