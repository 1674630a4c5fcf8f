"""The lab as `bench.hot` needs it: few pods that answer among any number that do not, and a change that can be seen.

A change swaps all pods that answer for others, so that every connection tells which set its edge serves. Servers whose
addresses nobody has are down by their checks, and an edge has no way to them, so checking them costs next to nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.borders import Bus
from bench.far_endpoints import PER_SLICE, cut_off, far_endpoint
from bench.pinger import Pinger
from bench.rollout import PORTS, arrival, as_endpoint, await_serving
from lab.cluster_objects import endpoint_slice
from lab.hosts import EdgeHost, children
from lab.kubeapi.resources import object_path
from lab.pods import Pod
from lab.processes import RUN, wait_for
from lab.topology import SERVICE, Lab, down
from lab.traffic import Probe

# new connections a second to each edge over each family: the resolution of what is measured is 10 ms
RATE = 100.0
PILLAR = {
    "haproxy": {
        "frontends": {
            "tcp": {"bind": ["ipv4@:9000", "ipv6@:9000 v6only"], "service": SERVICE, "port": "tcp"},
        },
        "global": {"maxconn": 4000},
        # one failed check is enough for addresses that never answer; seldom, because there are thousands of them
        "check": {"inter": "10s", "fall": 1},
    }
}
# seconds: for one change, for thousands of servers to be added and found down
PATIENCE, SETTLE_PATIENCE = 30.0, 180.0
# seconds in which every connection has to be answered, and fast, for a size to count as settled
_CALM, _FAST = 3.0, 0.5


@dataclass
class Moved:
    """One change. ``seconds`` until the last edge routed to the new set alone; ``borders`` until each step before.

    ``at`` is when it was sent to the API, in seconds since 1970. ``first``: by edge, until a new pod was reached.
    """

    seconds: float
    borders: dict[str, float] = field(default_factory=dict)
    acks: list[dict[str, Any]] = field(default_factory=list)
    job_mb: float = 0.0
    at: float = 0.0
    job: str = ""
    returned: dict[str, float] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)


class Fleet:
    """``sets`` are pods that answer, one set behind the service at a time."""

    def __init__(self, lab: Lab, say: Callable[[str], None]) -> None:
        self.lab = lab
        self._say = say
        self._sets: list[list[Pod]] = []
        self._serving = 0
        self._dead = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[Fleet]:
        """Up inside, with clients and listeners; gone afterwards, whatever happens."""
        try:
            self._start()
            with contextlib.ExitStack() as stack:
                self.probe = stack.enter_context(Probe(self.lab.places(9000), rate=RATE, seconds=3600))
                self._pinger = stack.enter_context(Pinger())
                self._bus = stack.enter_context(contextlib.closing(Bus(RUN / "master/etc/master")))
                self.ping()
                yield self
        finally:
            self._say("taking the lab down")
            down()

    def ping(self) -> float:
        """Seconds of one `test.ping` round trip of the fleet."""
        return self._pinger.ping()

    def use(self, *, live: int, dead: int) -> None:
        """Sets of ``live`` pods that answer, beside ``dead`` endpoints that do not; returns when all has settled."""
        assert self.lab.pods is not None
        old = [pod for one in self._sets for pod in one]
        # three: one comes, one leaves, one is gone
        self._sets = [[self.lab.pods.add() for _ in range(live)] for _ in range(3)]
        self._serving = 0
        self._list_dead(dead)
        self._put(self._live_slice())
        wait_for(self._settled, SETTLE_PATIENCE, f"{live + dead} servers to settle", every=0.2)
        for pod in old:
            pod.stop()

    def change(self, *, watch: EdgeHost | None = None) -> Moved:
        """The next set comes, the present one leaves. With ``watch``, the memory of that edge's jobs is looked at."""
        self._bus.forget()
        self._serving = (self._serving + 1) % len(self._sets)
        item = self._live_slice()
        with _JobMemory(watch) as memory:
            began, wall = time.monotonic(), time.time()
            self.lab.cluster.client.replace(object_path(item), item)
            seconds = self._await(began)
            events = self._bus.of_change(wall, edges=len(self.lab.edges), patience=PATIENCE)
        return Moved(
            seconds,
            events.borders,
            events.acks,
            memory.most_mb,
            at=wall,
            job=events.job,
            returned=events.returned,
            first=self._first_reached(began),
        )

    def _first_reached(self, began: float) -> dict[str, float]:
        """By edge, until its first connection to a pod of the present set had its answer."""
        names = {pod.name for pod in self._sets[self._serving]}
        found: dict[str, float] = {}
        for record in itertools.takewhile(lambda record: record.end > began, reversed(self.probe.records())):
            if record.pod in names:
                found[record.place.partition("/")[0]] = record.end - began
        return found

    def kill_one(self) -> Pod:
        """One of those that serve, with no warning; still listed."""
        pod = self._sets[self._serving][0]
        pod.kill()
        return pod

    def _await(self, began: float) -> float:
        names = frozenset(pod.name for pod in self._sets[self._serving])
        places = len(self.lab.edges) * 2
        return arrival(self.probe, began, names, places=places, patience=PATIENCE)

    def _settled(self) -> bool:
        """Nothing but fast answers from the pods that serve, for a while, from every place."""
        names = {pod.name for pod in self._sets[self._serving]}
        since = time.monotonic() - _CALM
        late = []
        for record in reversed(self.probe.records()):
            if record.end < since:
                break
            late.append(record)
        calm = all(record.pod in names and record.end - record.start < _FAST for record in late)
        return calm and len({record.place for record in late}) == len(self.lab.edges) * 2

    def _live_slice(self) -> dict[str, Any]:
        here, before = self._sets[self._serving], self._sets[self._serving - 1]
        listed = [as_endpoint(pod) for pod in here] + [as_endpoint(pod).leaving() for pod in before]
        return endpoint_slice(SERVICE, listed, name="traefik-live", ports=PORTS)

    def _list_dead(self, count: int) -> None:
        for first in range(0, max(count, self._dead), PER_SLICE):
            numbers = range(first, min(first + PER_SLICE, count))
            endpoints = [far_endpoint(number) for number in numbers]
            self._put(endpoint_slice(SERVICE, endpoints, name=f"traefik-far-{first}", ports=PORTS))
        self._dead = count

    def _put(self, item: dict[str, Any]) -> None:
        self.lab.cluster.put(item)

    def _start(self) -> None:
        self.lab.up()
        assert self.lab.pods is not None
        for edge in self.lab.edges:
            cut_off(edge)
        self._sets = [[self.lab.pods.add()] for _ in range(3)]
        self._put(self._live_slice())
        self._say("the engine orders the first apply: package, configuration, service on every edge")
        await_serving(self.lab)


class _JobMemory:
    """The most memory that a process forked by the minion of ``edge`` has had at any moment, in MB."""

    def __init__(self, edge: EdgeHost | None) -> None:
        self._edge = edge
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.most_mb = 0.0

    def __enter__(self) -> _JobMemory:
        if self._edge:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._edge:
            self._thread.join()

    def _look(self) -> None:
        assert self._edge
        minions = self._edge.pids("salt-minion")
        while not self._over.wait(0.005):
            for job in {child for pid in minions for child in children(pid)} - minions:
                self.most_mb = max(self.most_mb, _peak_mb(job))


def _peak_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
