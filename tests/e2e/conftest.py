"""One lab for all end-to-end tests; each test begins with three pods behind the service and every edge serving them.

Most tests leave the lab so. What they left is looked at from outside, file, process and the engine's record of each
edge, which takes a hundredth of the state run that only an edge that differs needs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from haproxy_edge.store import Store
from haproxy_edge_minion.applied import Applied
from haproxy_edge_minion.edge import Edge
from haproxy_edge_minion.files import Paths
from haproxy_edge_minion.process import Process
from haproxy_edge_minion.runtime import RuntimeApi

from lab.demo import start
from lab.hosts import EdgeHost
from lab.pods import Pod
from lab.processes import LabError, wait_for
from lab.topology import PILLAR, SERVICE, Lab

Apply = Callable[..., dict[str, dict[str, Any]]]
# seconds in which edges follow a change by the hot lane; after that a state run helps
FOLLOWING = 5.0


class World:
    """The lab with words for what tests do to it."""

    def __init__(self, lab: Lab, pods: list[Pod]) -> None:
        self.lab = lab
        self.pods = pods

    def apply(self, target: str = "edge*", *arguments: str) -> dict[str, dict[str, Any]]:
        """``state.apply haproxy`` as {minion: {function: return of that state}}."""
        returned = self.lab.master.salt(target, "state.apply", "haproxy", "queue=True", *arguments)
        return {minion: self._by_function(minion, states) for minion, states in returned.items()}

    @staticmethod
    def _by_function(minion: str, states: Any) -> dict[str, Any]:
        if not isinstance(states, dict):
            raise LabError(f"{minion}: {states}")
        return {"{0}.{3}".format(*key.split("_|-")): value for key, value in states.items()}

    def pillar(self, edge: EdgeHost, haproxy: Any) -> None:
        """That edge's pillar; the others keep the lab's."""
        self.lab.set_pillar({host.name: PILLAR for host in self.lab.edges} | {edge.name: {"haproxy": haproxy}})

    def config(self, edge: EdgeHost) -> str:
        """The configuration file; empty where there is none."""
        path = edge.path("/etc/haproxy/haproxy.cfg")
        return path.read_text() if path.exists() else ""

    def worker(self, edge: EdgeHost) -> tuple[str, ...]:
        """Process ids of HAProxy on that edge, without one that only checks a configuration."""
        lines = edge.run(["pgrep", "-a", "-x", "haproxy"]).stdout.splitlines()
        return tuple(sorted(line.split()[0] for line in lines if " -c " not in f"{line} "))

    def servers(self, edge: EdgeHost, backend: str = "tcp") -> set[str]:
        """Names of the pods the configuration file sends new connections of that backend to."""
        section = self.config(edge).partition(f"\nbackend {backend}\n")[2].partition("\nfrontend ")[0]
        lines = [line.split() for line in section.splitlines() if line.strip().startswith("server ")]
        return {words[1].split(":")[0] for words in lines if words[words.index("weight") + 1] != "0"}

    def await_servers(self, wanted: list[Pod], *, timeout: float = 60) -> None:
        """Until every edge's configuration names exactly these pods."""
        names = {pod.name for pod in wanted}
        wait_for(
            lambda: all(self.servers(edge) == names for edge in self.lab.edges),
            timeout,
            f"edges to have {sorted(names)}",
        )

    @property
    def store(self) -> Store:
        """The master's own."""
        return self.lab.master.store

    def report(self) -> dict[str, Any]:
        """The engine's word about itself, some seconds old."""
        return self.store.report("default") or {}

    def publishes(self) -> set[str]:
        """Our jobs that the master has published, of both lanes."""
        return self.lab.master.published("state.apply") | self.lab.master.published("haproxy_edge.sync")

    def await_confirmed(self) -> None:
        """See `lab.topology.Lab.await_confirmed`."""
        self.lab.await_confirmed()

    def settles(self) -> bool:
        """Whether every edge comes to be as the lab has it without a state run; at once when it cannot."""
        until = time.monotonic() + FOLLOWING
        if not all(map(_can_follow, self.lab.edges)):
            return False
        while not (settled := self.is_settled()) and time.monotonic() < until:
            time.sleep(0.05)
        return settled

    def is_settled(self) -> bool:
        """File, process and snapshots of every edge are one, name exactly the lab's pods, and the engine knows it."""
        names, snapshot = {pod.name for pod in self.pods}, self.store.snapshot("default", SERVICE)
        records = self.store.edges("default")
        return snapshot is not None and all(
            edge.name in records
            and records[edge.name].behind_since is None
            and records[edge.name].serves.get(f"default {SERVICE}", (0, ""))[1] == snapshot.digest
            and self.servers(edge) == names
            and _from_outside(edge).verify() == []
            for edge in self.lab.edges
        )

    def quiet(self, seconds: float) -> list[str]:
        """The configurations after that long; used to see that nothing happens."""
        time.sleep(seconds)
        return [self.config(edge) for edge in self.lab.edges]


@pytest.fixture(scope="session")
def whole_lab() -> Iterator[World]:
    """Up for this session; with HAPROXY_EDGE_LAB_KEEP=1 it stays, and the next session goes on with it."""
    lab = Lab(engine={"watch_timeout": 6, "read_timeout": 8, "backoff_max": 2})
    from lab import topology

    kept = os.environ.get("HAPROXY_EDGE_LAB_KEEP", "") not in ("", "0")
    try:
        yield World(lab, start(lab, attach=kept and lab.is_up()))
    finally:
        if not kept:
            topology.down()


@pytest.fixture
def world(whole_lab: World) -> World:
    return at_ease(whole_lab)


@pytest.fixture(scope="module")
def world_once(whole_lab: World) -> World:
    """For a module whose tests do not mind what the one before has left."""
    return at_ease(whole_lab)


def at_ease(whole_lab: World) -> World:
    """Three pods behind the service, the lab's pillar, no fault, and every edge serving."""
    lab = whole_lab.lab
    if lab.cluster.is_embedded:
        lab.cluster.clear_faults()
    lab.set_pillar({edge.name: PILLAR for edge in lab.edges})
    lab.serve(whole_lab.pods)
    if not whole_lab.settles():
        whole_lab.apply()
        whole_lab.await_servers(whole_lab.pods)
    return whole_lab


def _from_outside(edge: EdgeHost) -> Edge:
    """The edge's own look at itself, on its files and its socket; it asks nothing of the service."""
    paths = Paths(
        config=edge.path("/etc/haproxy/haproxy.cfg"),
        state=edge.path("/var/lib/haproxy-edge"),
        socket=edge.path("/run/haproxy/admin.sock"),
    )
    process = Process(None, RuntimeApi(paths.socket), clock=time.time, sleep=time.sleep)
    return Edge(paths, process, restorecon=lambda path: None)


def _can_follow(edge: EdgeHost) -> bool:
    """It has the lab's pillar, and its HAProxy and minion run: the hot lane reaches it."""
    record = Applied.load(edge.path("/var/lib/haproxy-edge/applied.json"))
    if record is None or record.pillar != PILLAR["haproxy"]:
        return False
    states = edge.run(["systemctl", "is-active", "haproxy", "salt-minion"], check=False).stdout.split()
    return states == ["active", "active"]
