"""Six ways for a change of pods to reach the same edges, by turns, under the same load.

Ours by either lane; a playbook for every change with restart, as it was before, and with reload; a template loop on
each edge; and beside them one Salt round trip, which nothing that goes by Salt can beat. Each is in charge alone at its
turn. It must never leave anything behind.
"""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Iterator

from bench import comparison, hot_fleet
from bench.ansible_way import Playbook, open_to_ansible
from bench.command import Say, run_part, undisturbed
from bench.comparison import (
    HOT,
    POLL_SECONDS,
    POLLING,
    RELOAD,
    RESTART,
    STATE,
    USUAL,
    Account,
    Load,
    Turn,
    mirrored,
    moment,
)
from bench.pinger import Pinger
from bench.result import Result
from bench.rollout import GRACE, PODS, Rollout, await_serving
from bench.settings import settings
from bench.trees import Peak, inside, spent_so_far, tree
from bench.ways import Polling, SaltLane, Way
from lab.hosts import EdgeHost
from lab.processes import LabError
from lab.topology import Lab, down
from lab.traffic import Place, Probe

# changes at each turn, and rounds: so many that the slowest has eight in all, and the fastest two dozen
CHANGES = {HOT: 12, STATE: 10, USUAL: 4, RESTART: 4, RELOAD: 4, POLLING: 6}
QUICK = {HOT: 3, STATE: 2, USUAL: 1, RESTART: 1, RELOAD: 1, POLLING: 1}
ROUNDS, QUICK_ROUNDS = 2, 1
# new connections a second to each edge over each family; open connections to each
RATE, STREAMS = hot_fleet.RATE, 2
# seconds: nothing changes, for what is used at rest; after the last change, for what it has begun to end
REST, AFTERMATH = 4.0, 1.0
# seconds: for one change, for another to take over, the longest the load may last
PATIENCE, HAND_OVER_PATIENCE, LONGEST = 60.0, 120.0, 3600.0
# pings at each turn of the hot lane
PINGS = 12
PILLAR = {"haproxy": {**hot_fleet.PILLAR["haproxy"], "check": {"inter": "1s"}}}
NOTES = (
    f"One change: {PODS} new pods are ready and come, the {PODS} that serve are told to end. No pod stays, so none "
    "hides an edge that is late; where pods go one by one, the slow ways lose less. Slices and Endpoints say it in the "
    "same moment.",
    f"Pods that were told to end accept for {GRACE:g} s more, whoever is in charge, and let open connections go on for "
    "as long as they like. A new connection fails when the edge still sends it to pods that no longer accept; an open "
    "one is cut by the edge alone.",
    "HAProxy has the same settings in every way, and every way passes the same load. Each is in charge alone: while "
    "another one is, there is neither a salt-master nor a minion. The run by which it takes over is not measured.",
    "Ansible, restart: the playbook as one writes it (package, Endpoints by Ansible's module for Kubernetes, template, "
    "restart) with Ansible's own settings, facts gathered. Tuned: three tasks (apt, template that reads the Endpoints, "
    "restart or reload), no facts, modules through a connection that stays (pipelining, ControlPersist), no search for "
    "the interpreter, all edges at once. The watcher runs one playbook after the other, as the original does.",
    "The most that a lane of Salt's can reach is a playbook's p50 divided by that of test.ping, both in the first "
    "table. Where a goal of 40 is missed, what is left to win is only the hot lane's part above that floor; the rest "
    "would need another transport than Salt's, or is the playbook's own speed on this machine.",
    f"The template loop looks every {POLL_SECONDS:g} s on each edge, on all at the same moment, which flatters it; "
    "changes fall evenly over that time.",
)


class Stage:
    """The lab, its load, and who is in charge."""

    def __init__(self, lab: Lab, say: Say) -> None:
        self._lab = lab
        self._say = say
        self._rollout = Rollout(lab)
        self.ways: dict[str, Way] = {
            HOT: SaltLane(HOT, lab, "hot"),
            STATE: SaltLane(STATE, lab, "state"),
            POLLING: Polling(POLLING, lab),
            RELOAD: Playbook(RELOAD, lab, variant="tuned", haproxy="reloaded"),
            RESTART: Playbook(RESTART, lab, variant="tuned", haproxy="restarted"),
            USUAL: Playbook(USUAL, lab, variant="usual", haproxy="restarted"),
        }
        # the lab comes up with it
        self._owner: Way = self.ways[HOT]

    @contextlib.contextmanager
    def running(self) -> Iterator[Stage]:
        """Up inside, with the load; gone afterwards, whatever happens."""
        try:
            self._start()
            with Probe(places(self._lab), rate=RATE, seconds=LONGEST, streams=STREAMS) as self._probe:
                self._rollout.probe = self._probe
                yield self
        finally:
            with undisturbed():
                self._say("taking the lab down")
                self._rollout.stop()
                self._owner_ends()
                down()

    def turn(self, name: str, changes: int) -> Turn:
        """That way in charge for so many changes."""
        way = self.ways[name]
        self._hand_over(way)
        self._say(f"{name}: {changes} changes")
        turn = Turn(rest=self._rest(way))
        with Peak(lambda: _on_master(way)) as master, Peak(lambda: inside(self._lab.edges[0])) as edge:
            self._changes(way, changes, turn)
        turn.master_mb, turn.edge_mb = master.mb, edge.mb
        if name == HOT:
            turn.pings = self._pings()
        self._say(f"{name}: {', '.join(f'{one:.2f}' for one in turn.seconds)} s")
        return turn

    def count(self, turns: list[Turn]) -> None:
        """What became of the load, once all of it is known."""
        for turn in turns:
            turn.count(self._probe.records(), self._probe.streams())

    def _start(self) -> None:
        self._lab.up()
        self._say("pods, keys, and the first apply: package, configuration, service on every edge")
        open_to_ansible(self._lab)
        self._rollout.start()
        await_serving(self._lab)

    def _hand_over(self, way: Way) -> None:
        if self._owner is not way:
            self._say(f"{way.name} takes over")
            self._owner.end()
            self._owner = way
            self._rollout.hand_over(way.begin, HAND_OVER_PATIENCE)
        way.settle()
        self._rollout.await_end_of_former()

    def _owner_ends(self) -> None:
        # a lab that is half down cannot do it in good order; it is taken down whole in any case
        with contextlib.suppress(LabError):
            self._owner.end()

    def _rest(self, way: Way) -> comparison.WaySpent:
        before = spent_so_far(way.leader(), self._lab.edges)
        time.sleep(REST)
        return spent_so_far(way.leader(), self._lab.edges).since(before)

    def _changes(self, way: Way, changes: int, turn: Turn) -> None:
        before = spent_so_far(way.leader(), self._lab.edges)
        turn.began = time.monotonic()
        workers = self._workers()
        for number in range(changes):
            if way.name == POLLING:
                time.sleep(moment(number, POLL_SECONDS))
            turn.seconds.append(self._rollout.change(PATIENCE))
            now = self._workers()
            turn.workers += sum(one != other for one, other in zip(workers, now, strict=True))
            workers = now
        self._rollout.await_end_of_former()
        time.sleep(AFTERMATH)
        turn.ended = time.monotonic()
        turn.spent = spent_so_far(way.leader(), self._lab.edges).since(before)

    def _workers(self) -> list[int]:
        """The process that answers on each edge's socket."""
        return [worker(edge) for edge in self._lab.edges]

    def _pings(self) -> list[float]:
        with Pinger() as pinger:
            pinger.ping()
            return [pinger.ping() for _ in range(PINGS)]


def _on_master(way: Way) -> set[int]:
    leader = way.leader()
    return tree(leader) if leader else set()


def worker(edge: EdgeHost) -> int:
    """The process id of the HAProxy worker that answers."""
    said = edge.command("show info") or ""
    found = re.search(r"^Pid: (\d+)", said, re.M)
    if not found:
        raise LabError(f"{edge.name}: HAProxy's socket said no process id: {said[:200]!r}")
    return int(found[1])


def places(lab: Lab) -> list[Place]:
    """Where the load goes to."""
    return lab.places(9000)


def measure(say: Say, quick: bool) -> Result:
    """All ways, by turns."""
    changes, rounds = (QUICK, QUICK_ROUNDS) if quick else (CHANGES, ROUNDS)
    accounts = {name: Account(name) for name in changes}
    lab = Lab(pillar=PILLAR)
    notes = [*NOTES, settings(lab)]
    with Stage(lab, say).running() as stage:
        for name in mirrored(list(changes), rounds):
            accounts[name].turns.append(stage.turn(name, changes[name]))
        stage.count([turn for one in accounts.values() for turn in one.turns])
    asked = len(places(lab))
    load = Load(len(lab.edges), connections=RATE * asked, streams=STREAMS * asked)
    return Result(
        "side_by_side",
        "Side by side with other ways",
        comparison.figures(accounts),
        notes=notes,
        tables=comparison.tables(accounts, load),
        plots=comparison.plots(accounts, load),
    )


def main() -> int:
    """Measure and print; 0 when everything could be measured, whether or not the goals are met."""
    return run_part("side_by_side", __doc__, measure)


if __name__ == "__main__":
    sys.exit(main())
