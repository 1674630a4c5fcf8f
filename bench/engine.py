"""What the engine costs its master: memory, idling, and one change of one endpoint among 1,000.

Real parts on this machine's loopback: a Kubernetes API, a salt-master without minions, the engine Salt starts in it,
configured as README says. Figures are read from /proc of the engine's own process. It must never leave anything
behind, nor touch a Salt or a cluster that was here before.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from haproxy_edge.options import check

from bench.command import Say, run, undisturbed
from bench.far_endpoints import PER_SLICE, far_endpoint
from bench.lone_master import START_PATIENCE, LoneMaster
from bench.process import Process, pid_of_engine
from lab.cluster import ENGINE, Cluster, free_port
from lab.cluster_objects import PORTS, endpoint_slice
from lab.figures import Figure, figure
from lab.kubeapi.resources import object_path
from lab.master import CHECKOUT
from lab.processes import LabError, wait_for

SERVICE = "kube-system/traefik"
ENDPOINTS = 1000
# as long as Kubernetes makes it
POD = "traefik-6f7c5d9b8c"
# as in k3s: every endpoint is a server of both
TRAEFIK_PORTS = {name: PORTS[name] for name in ("websecure", "web")}
IDLE_SECONDS = 20
PILLARS = 50
GROUPS, PER_GROUP = 5, 10
# seconds: for one change to be ordered, for work after a list to end
CHANGE_PATIENCE, SETTLE = 30, 2
_DOORBELLS = "haproxy_edge/doorbell/"


class Bench:
    """The parts, in a directory of their own, and what is measured on them."""

    def __init__(self, directory: Path, say: Say, **options: Any) -> None:
        self._say = say
        self._options = options
        self._cluster = Cluster(directory / "api", port=free_port())
        self._master = LoneMaster(directory / "master")
        numbers = range(ENDPOINTS)
        self._slices = [
            [far_endpoint(number, POD) for number in numbers[first : first + PER_SLICE]]
            for first in range(0, ENDPOINTS, PER_SLICE)
        ]
        self._bus: Any = None

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """API and master are up inside, and gone afterwards, whatever happens."""
        try:
            self._say(f"Kubernetes API with {ENDPOINTS:,} endpoints in {len(self._slices)} slices")
            self._start_api()
            self._say("salt-master with the engine")
            self._start_master()
            yield
        finally:
            with undisturbed():
                self._take_down()

    def _take_down(self) -> None:
        self._say("ending what was started")
        if self._bus is not None:
            self._bus.destroy()
        self._master.stop()
        self._cluster.client.close()
        self._cluster.stop()

    def _start_api(self) -> None:
        self._cluster.start()
        self._cluster.apply_file(CHECKOUT / "deploy/rbac.yaml")
        for number in range(len(self._slices)):
            self._cluster.put(self._slice(number))

    def _start_master(self) -> None:
        namespace, account = ENGINE.split(":")[2:]
        kubeconfig = self._cluster.kubeconfig_of(account, namespace, self._cluster.directory / "engine.kubeconfig")
        self._process = self._master.begin(
            engines=[{"k8s_endpoints": {"services": [SERVICE], "kubeconfig": str(kubeconfig), **self._options}}],
        )
        self._listen()
        self._await(self._follows_all, f"the engine to store {ENDPOINTS:,} endpoints", START_PATIENCE)
        self.engine = Process(pid_of_engine(self._process.pid))

    def _listen(self) -> None:
        """Look into the master's cache and listen on its bus, as any program beside it may."""
        # takes a second that is better spent while the master starts, too
        import salt.config
        import salt.utils.event
        from haproxy_edge.salt_adapter import SaltCache
        from haproxy_edge.store import Store

        self._opts = opts = salt.config.master_config(str(self._master.directory / "etc/master"))
        self._store = Store(SaltCache(opts))
        self._await((self._master.directory / "sock/master_event_pub.ipc").exists, "the master's bus", START_PATIENCE)
        self._bus = salt.utils.event.get_event("master", sock_dir=opts["sock_dir"], opts=opts, listen=True)

    def _await(self, condition: Callable[[], object], what: str, patience: float) -> None:
        def true_or_over() -> bool:
            if self._process.poll() is not None:
                raise LabError(f"salt-master ended with exit status {self._process.returncode}\n{self._last_words()}")
            return bool(condition())

        try:
            wait_for(true_or_over, patience, what)
        except LabError as error:
            raise LabError(f"{error}\n{self._last_words()}") from error

    def _last_words(self) -> str:
        output = self._master.directory / "master.log"
        said = self._master.log() + (output.read_text(errors="replace") if output.exists() else "")
        return "\n".join(f"    {line}" for line in said.splitlines()[-15:])

    def _stored(self) -> str:
        return self._store.snapshot_text("default", SERVICE) or ""

    def _follows_all(self) -> bool:
        return self._stored().count('"state":"ready"') == ENDPOINTS * len(TRAEFIK_PORTS)

    def _slice(self, number: int) -> dict[str, Any]:
        return endpoint_slice(SERVICE, self._slices[number], name=f"traefik-{number:02}", ports=TRAEFIK_PORTS)

    def figures(self) -> list[Figure]:
        """Measure all of it; about a minute."""
        time.sleep(SETTLE)
        listed = self.engine.resident_mb()
        self._say(f"engine is process {self.engine.pid}: {listed:.1f} MB resident, after the list")
        idle = self._idle_percent()
        cost = self._change_milliseconds()
        pillar = self._pillar_milliseconds()
        changed = self.engine.resident_mb()
        self._say(f"{changed:.1f} MB resident, {self.engine.private_mb():.1f} of it private, after the changes")
        return [
            figure(f"engine resident memory, {ENDPOINTS:,} endpoints", "<= 130", round(max(listed, changed), 1), "MB"),
            figure("engine idle", "<= 1", round(idle, 2), "% of a core"),
            figure(f"engine CPU per change of one endpoint among {ENDPOINTS:,}", "<= 30", round(cost, 1), "ms"),
            figure(f"ext_pillar of one edge, {ENDPOINTS:,} endpoints", "<= 10", round(pillar, 2), "ms"),
        ]

    def _idle_percent(self) -> float:
        self._say(f"idle for {IDLE_SECONDS} s")
        began, used = time.monotonic(), self.engine.cpu_seconds()
        for _ in range(IDLE_SECONDS // 5):
            time.sleep(5)
            self._say(f"idle: {time.monotonic() - began:.0f} of {IDLE_SECONDS} s")
        return 100 * (self.engine.cpu_seconds() - used) / (time.monotonic() - began)

    def _change_milliseconds(self) -> float:
        """The median of the groups: one group hit by something else on this machine does not decide."""
        self._say(f"{GROUPS * PER_GROUP} changes, each of one endpoint")
        groups = []
        for group in range(GROUPS):
            used = self.engine.cpu_seconds()
            for number in range(group * PER_GROUP, (group + 1) * PER_GROUP):
                self._change(number)
            groups.append((self.engine.cpu_seconds() - used) * 1000 / PER_GROUP)
            self._say(f"change {number + 1} of {GROUPS * PER_GROUP}: {groups[-1]:.1f} ms of CPU each")
        return statistics.median(groups)

    def _pillar_milliseconds(self) -> float:
        """The median time Salt waits for the ext_pillar of one edge, its key and snapshots read from the store."""
        import salt.loader

        self._say(f"{PILLARS} pillars of one edge")
        ext_pillar = salt.loader.pillars(self._opts, {})["haproxy_edge"]
        times = []
        for _ in range(PILLARS):
            began = time.perf_counter()
            given = ext_pillar("edge1", {"haproxy": {"bind": "ipv6@:443"}})
            times.append((time.perf_counter() - began) * 1000)
            if given["haproxy_edge"]["snapshots"]["default"][SERVICE].count('"state"') != ENDPOINTS * len(
                TRAEFIK_PORTS
            ):
                raise LabError("the ext_pillar did not give the snapshot that is stored")
        return statistics.median(times)

    def _change(self, number: int) -> None:
        """One pod gives way to another; returns when that is ordered and the engine is ready for the next."""
        which = number % len(self._slices)
        endpoint = self._slices[which][number]
        fresh = replace(endpoint, pod=f"{endpoint.pod}-new", address=f"10.43.0.{number + 1}")
        self._slices[which][number] = fresh
        item = self._slice(which)
        self._cluster.client.replace(object_path(item), item)
        self._await_order(fresh.address)
        # longer than the least time between two orders: the next change has to be one of its own
        time.sleep(check({"services": [SERVICE]}).min_interval + 0.05)

    def _await_order(self, address: str) -> None:
        """The doorbell rings last of all: when it does, the order stands and the store has the change."""
        deadline = time.monotonic() + CHANGE_PATIENCE
        while self._bus.get_event(wait=max(0.0, deadline - time.monotonic()), tag=_DOORBELLS) is not None:
            if f'"address":"{address}"' in self._stored():
                return
        raise LabError(f"{address}: no order within {CHANGE_PATIENCE} s\n{self._last_words()}")


def main() -> int:
    """Measure and print; 0 when everything could be measured, whether or not the goals are met."""

    def measure(say: Say) -> list[Figure]:
        with tempfile.TemporaryDirectory(prefix="bench-engine-", ignore_cleanup_errors=True) as directory:
            bench = Bench(Path(directory), say)
            with bench.running():
                return bench.figures()

    return run("bench.engine", measure)


if __name__ == "__main__":
    sys.exit(main())
