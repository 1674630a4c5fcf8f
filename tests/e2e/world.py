"""The lab as end-to-end tests speak of it: what is served, what the engine knows, what an edge is from outside.

It must never wait for luck: what it waits for is named, and what shall not happen is looked at afterwards.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

from haproxy_edge.store import Store
from haproxy_edge_minion.applied import Applied
from haproxy_edge_minion.edge import Edge
from haproxy_edge_minion.files import Paths
from haproxy_edge_minion.process import Process
from haproxy_edge_minion.runtime import RuntimeApi

from lab.hosts import EdgeHost
from lab.pods import Pod
from lab.processes import LabError, wait_for
from lab.topology import PILLAR, SERVICE, Lab

# seconds in which edges follow a change by the hot lane; after that a state run helps
FOLLOWING = 5.0


class World:
    """The lab with words for what tests do to it."""

    def __init__(self, lab: Lab, pods: list[Pod]) -> None:
        self.lab = lab
        self.pods = pods

    def apply(self, target: str = "", *arguments: str) -> dict[str, dict[str, Any]]:
        """``state.apply haproxy`` on edges by their names as {minion: {function: return of that state}}."""
        names = target or ",".join(edge.name for edge in self.lab.edges)
        returned = self.lab.master.salt("-L", names, "state.apply", "haproxy", "queue=True", *arguments)
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

    def left_behind(self) -> list[EdgeHost]:
        """The edges that do not come to be as the lab has them without a state run; at once those that cannot."""
        until = time.monotonic() + FOLLOWING
        able = [edge for edge in self.lab.edges if self._can_follow(edge)]
        while (late := [edge for edge in able if not self.is_settled(edge)]) and time.monotonic() < until:
            time.sleep(0.05)
        return [edge for edge in self.lab.edges if edge in late or edge not in able]

    def is_settled(self, edge: EdgeHost) -> bool:
        """Its file, process and snapshots are one, name exactly the lab's pods, and the engine knows it."""
        snapshot, record = self.store.snapshot("default", SERVICE), self.store.edges("default").get(edge.name)
        return (
            snapshot is not None
            and record is not None
            and record.behind_since is None
            and record.serves.get(f"default {SERVICE}", (0, ""))[1] == snapshot.digest
            and self.servers(edge) == {pod.name for pod in self.pods}
            and from_outside(edge).verify() == []
        )

    def _can_follow(self, edge: EdgeHost) -> bool:
        """It has the lab's pillar, its HAProxy and minion run, and it asked for no state: the hot lane reaches it."""
        applied = Applied.load(edge.path("/var/lib/haproxy-edge/applied.json"))
        record = self.store.edges("default").get(edge.name)
        if applied is None or applied.pillar != PILLAR["haproxy"]:
            return False
        if record is not None and (record.problems or record.state_needed):
            return False
        states = edge.run(["systemctl", "is-active", "haproxy", "salt-minion"], check=False).stdout.split()
        return states == ["active", "active"]

    def configurations(self) -> list[str]:
        """Of every edge, now."""
        return [self.config(edge) for edge in self.lab.edges]

    def quiet(self, seconds: float) -> list[str]:
        """The configurations after that long; used to see that nothing happens."""
        time.sleep(seconds)
        return self.configurations()

    @contextlib.contextmanager
    def one_more(self) -> Iterator[list[Pod]]:
        """One pod more behind the service for a while; all of them. Edges follow by themselves."""
        pods = [*self.pods, self.lab.pods.add()]
        try:
            self.lab.serve(pods)
            yield pods
            self.lab.serve(self.pods)
            self.await_servers(self.pods)
        finally:
            pods[-1].stop()


def local(edge: EdgeHost, function: str, *arguments: str) -> Any:
    """``salt-call --local haproxy_edge.…``: no master hears of it, so the engine mends nothing meanwhile."""
    command = ["/opt/salt/bin/salt-call", "--local", "--out=json", "--log-level=error", f"haproxy_edge.{function}"]
    return json.loads(edge.run([*command, *arguments], check=False, timeout=90).stdout)["local"]


def from_outside(edge: EdgeHost) -> Edge:
    """The edge's own look at itself, on its files and its socket; it asks nothing of the service."""
    paths = Paths(
        config=edge.path("/etc/haproxy/haproxy.cfg"),
        state=edge.path("/var/lib/haproxy-edge"),
        socket=edge.path("/run/haproxy/admin.sock"),
    )
    process = Process(None, RuntimeApi(paths.socket))
    return Edge(paths, process, restorecon=lambda path: None)
