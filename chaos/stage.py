"""The lab with words for what faults do to it, and for telling whether every edge is right.

An edge is right when its file and its running process both send new connections to exactly the wanted pods. It is asked
from outside, by its files and its socket, so that a broken minion, or none, can hide nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lab.cluster import Cluster
from lab.cluster_objects import Endpoint, slices_by_family
from lab.hosts import EdgeHost
from lab.kubeapi.resources import object_path
from lab.master import engines_of
from lab.pods import Pod
from lab.processes import RUN, LabError, recorded, wait_for
from lab.topology import PILLAR as LAB_PILLAR
from lab.topology import SERVICE, Lab

# pods behind the service at a time, of those that there are: so many that neither 6 nor 10 changes come round to the
# first set again, or an edge that slept through them would have missed nothing
BEHIND = 3
POOL = 7
PORT = 9000
BACKEND = "tcp"
PATIENCE = 60.0
# as often as allowed, so that what an edge mends by itself is seen to be mended
PILLAR: dict[str, Any] = {**LAB_PILLAR["haproxy"], "reconcile_interval": 5}


class Stage:
    """``figures`` are what a fault measured beside its recovery, by name; ``kept`` is a fault's own memory."""

    def __init__(self, lab: Lab, pods: list[Pod]) -> None:
        assert lab.pods is not None
        self.lab = lab
        missing = POOL - len(pods)
        self._pool = [*pods, *(lab.pods.add(version=4 if number % 2 else 6) for number in range(missing))]
        self._at = 0
        # names of all pods that were wanted since the last `reset`
        self.ever: set[str] = set()
        self.kept: dict[str, Any] = {}
        self.figures: dict[str, float] = {}
        self._log_from = 0

    @property
    def cluster(self) -> Cluster:
        """Of the lab."""
        return self.lab.cluster

    @property
    def edge(self) -> EdgeHost:
        """The edge that faults of a single one are for."""
        return self.lab.edges[0]

    @property
    def wanted(self) -> list[Pod]:
        """The pods that are behind the service now."""
        doubled = [*self._pool, *self._pool]
        return doubled[self._at : self._at + BEHIND]

    def choose(self) -> None:
        """Another set is wanted; the cluster is not told yet."""
        self._at = (self._at + 1) % len(self._pool)
        self.ever |= names(self.wanted)

    def serve(self) -> None:
        """The cluster says what is wanted."""
        self.lab.serve(self.wanted)

    def roll(self) -> None:
        """One pod leaves, another comes; what left goes on answering, as no edge can know better at once."""
        self.choose()
        self.serve()

    def follow(self) -> None:
        """Roll, and have every edge follow although the fault lasts. Raises `LabError` when one does not."""
        self.roll()
        self.await_right()

    def flutter(self, number: int) -> set[str]:
        """A change by one write, as cheap as can be: one of the IPv4 pods is missing, the next time another one.

        The names of all that are behind the service then.
        """
        pods = [pod for pod in self._pool if ":" not in pod.address]
        del pods[number % len(pods)]
        self.ever |= names(pods)
        item = slices_by_family(SERVICE, [Endpoint(pod.name, pod.address, pod.node) for pod in pods])[0]
        self.cluster.client.replace(object_path(item), item)
        return names([*pods, *(pod for pod in self.wanted if ":" in pod.address)])

    def reset(self) -> None:
        """As a fault finds it: the lab's pillar, no fault switched on, every edge right."""
        self.kept, self.ever, self._log_from = {}, names(self.wanted), len(self.lab.master.log())
        if self.cluster.is_embedded:
            self.cluster.clear_faults()
        self.pillar(self.edge, PILLAR)
        self.serve()
        if not self.right():
            self.await_right()

    def pillar(self, edge: EdgeHost, haproxy: Any) -> None:
        """That edge's pillar; the others keep the lab's."""
        self.lab.set_pillar(
            {host.name: {"haproxy": PILLAR} for host in self.lab.edges} | {edge.name: {"haproxy": haproxy}}
        )

    def apply(self, target: str = "edge*") -> dict[str, Any]:
        """``state.apply haproxy``: {minion: {state: return}}."""
        return self.lab.master.salt(target, "state.apply", "haproxy", "queue=True")

    def failed_states(self, edge: EdgeHost) -> str:
        """What the state of that edge complains of; empty when it does not."""
        states = self.apply(edge.name).get(edge.name)
        if not isinstance(states, dict):
            return str(states)
        return "\n".join(str(state["comment"]) for state in states.values() if state["result"] is False)

    # what edges serve

    def right(self, wanted: set[str] | None = None) -> bool:
        """Every edge, file and process; other pods than `wanted` may be what is right."""
        return all(self.serves(edge, wanted or names(self.wanted)) for edge in self.lab.edges)

    @property
    def others(self) -> list[EdgeHost]:
        """The edges that a fault of a single one is not for."""
        return self.lab.edges[1:]

    def edge_right(self, edge: EdgeHost) -> bool:
        """Its file and its process."""
        return self.serves(edge, names(self.wanted))

    def serves(self, edge: EdgeHost, wanted: set[str]) -> bool:
        """Whether its file and its process have exactly these pods."""
        return self.in_file(edge) == wanted == self.in_process(edge)

    def empty(self, edge: EdgeHost) -> bool:
        """Its process answers and has nobody to send a connection to."""
        return self.in_process(edge) == set()

    def in_file(self, edge: EdgeHost, backend: str = BACKEND) -> set[str]:
        """Pods the configuration sends new connections to."""
        with contextlib.suppress(OSError, ValueError):
            text = edge.path("/etc/haproxy/haproxy.cfg").read_text()
            section = text.partition(f"\nbackend {backend}\n")[2].partition("\nfrontend ")[0]
            lines = [line.split() for line in section.splitlines() if line.strip().startswith("server ")]
            return {words[1].split(":")[0] for words in lines if words[words.index("weight") + 1] != "0"}
        return set()

    def in_process(self, edge: EdgeHost, backend: str = BACKEND) -> set[str] | None:
        """Pods the running process sends new connections to; None when it does not answer."""
        answer = edge.command(f"show servers state {backend}")
        if answer is None:
            return None
        rows = [line.split() for line in answer.splitlines() if line[:1].isdigit() and len(line.split()) > 8]
        # be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight
        return {row[3].split(":")[0] for row in rows if not int(row[6]) & 0x0F and row[7] != "0"}

    def await_right(self, wanted: set[str] | None = None) -> None:
        """Raises `LabError` when an edge does not come right."""
        named = ", ".join(sorted(wanted or names(self.wanted)))
        wait_for(lambda: self.right(wanted), PATIENCE, f"every edge to serve {named}")

    def await_confirmed(self) -> None:
        """Until the engine that works knows that every edge is right, so that it has nothing to ring for."""
        store = self.lab.master.store

        def confirmed() -> bool:
            report = store.report("default") or {}
            edges = report.get("edges", {}).values()
            return report.get("pid") == self.worker() and all(edge["behind_since"] is None for edge in edges)

        wait_for(confirmed, PATIENCE, "every edge to have confirmed")

    # processes of the master

    def engine(self) -> int:
        """The process id of the engine."""
        leader = recorded(RUN / "master.pid")
        found = engines_of(leader) if leader else []
        if not found:
            raise LabError("the master has no engine")
        return found[0]

    def worker(self) -> int:
        """The process id of the engine that holds the lease; with two of them, the one that works."""
        holder = self.lab.master.store.leaseholder("default")
        if holder is None:
            raise LabError("no engine holds the lease")
        return holder.pid

    def await_engine(self, other_than: int = 0) -> None:
        """Until the engine runs."""

        def runs() -> bool:
            with contextlib.suppress(LabError):
                return self.engine() != other_than
            return False

        wait_for(runs, PATIENCE, "the engine to run")

    def kill_engine(self) -> None:
        """SIGKILL to the one that works; Salt starts it again."""
        os.kill(self.worker(), signal.SIGKILL)

    def resident_kb(self) -> int:
        """Memory of the engine that nobody else has."""
        text = Path(f"/proc/{self.engine()}/smaps_rollup").read_text()
        return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))

    def published(self, function: str) -> set[str]:
        """Job ids the master gave out for that function so far."""
        return self.lab.master.published(function)

    def logged(self) -> str:
        """What the master has logged since the last `reset`."""
        return self.lab.master.log()[self._log_from :]

    def await_logged(self, text: str, times: int = 1) -> None:
        """Raises `LabError` when the master has not logged it so often since the last `reset`, and does not."""
        wait_for(lambda: self.logged().count(text) >= times, PATIENCE, f"the master to log {text!r}")

    def relists(self, condition: str) -> int:
        """How often the engine has listed anew for that reason, as its report of some seconds ago has it."""
        report = self.lab.master.store.report("default") or {}
        return sum(watch["relists"].get(condition, 0) for watch in report.get("watches", ()))

    # hosts

    def kill_minion(self, edge: EdgeHost) -> None:
        """SIGKILL to the minion and everything it runs."""
        edge.run(["systemctl", "kill", "-s", "KILL", "--kill-who=all", "salt-minion"], check=False)

    def restart_master(self, **environment: str) -> None:
        """With these variables, this once."""
        self.lab.master.stop()
        self.start_master(**environment)

    def start_master(self, **environment: str) -> None:
        """With these variables, this once."""
        with _environment(environment):
            self.lab.master.start()

    def wait(self, condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
        """Raises `LabError` when ``condition`` does not come true."""
        wait_for(condition, patience, what)


def names(pods: list[Pod]) -> set[str]:
    """What they answer with."""
    return {pod.name for pod in pods}


@contextlib.contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
