"""The lab put together: cluster, pods, master and edges, up in seconds and gone without a trace.

Every edge has the frontends ``websecure`` (TLS, nginx) and ``tcp`` (the plain backend) on IPv4 and IPv6.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from haproxy_edge.options import TABLE

from lab import fabric, hosts, pods
from lab.cluster import Cluster, lab_cluster
from lab.cluster_objects import Endpoint
from lab.hosts import EdgeHost
from lab.image import RELEASES, ensure, install_prerequisites, say
from lab.master import CHECKOUT, Master
from lab.pods import Pod, Pods
from lab.processes import RUN, LabError, end, recorded, wait_for
from lab.traffic import Place

SERVICE = "kube-system/traefik"
_GIVEN = ("services", "kubeconfig")
# seconds: the engine's option
EMPTY_GRACE = 2
# separate binds: a dual-stack one would report IPv4 clients as ::ffff:a.b.c.d
PILLAR = {
    "haproxy": {
        "frontends": {
            "websecure": {"bind": ["ipv4@:443", "ipv6@:443 v6only"], "service": SERVICE, "port": "websecure"},
            "tcp": {"bind": ["ipv4@:9000", "ipv6@:9000 v6only"], "service": SERVICE, "port": "tcp"},
        },
        "global": {"maxconn": 4000},
        "check": {"inter": "1s"},
    }
}


class Lab:
    """A context: up on entering, down on leaving, whatever happened between."""

    def __init__(
        self, edges: int = 3, *, engine: dict[str, Any] | None = None, pillar: dict[str, Any] = PILLAR
    ) -> None:
        self.edges = [
            EdgeHost(f"edge{number}", release="trixie" if number % 3 == 0 else "bookworm")
            for number in range(1, edges + 1)
        ]
        self.pillar = RUN / "pillar"
        self.first_pillar = pillar
        self.master = Master(self.pillar)
        self.cluster: Cluster = lab_cluster()
        self.pods: Pods | None = None
        self._engine = {
            "services": [SERVICE],
            "empty_grace": EMPTY_GRACE,
            "watch_timeout": 20,
            "read_timeout": 25,
            "metrics": "127.0.0.1:9105",
            **(engine or {}),
        }
        # makes the engine's kubeconfig; another cluster can be put in place of the lab's own
        self.relay: Callable[[], Path] = self._start_cluster

    def __enter__(self) -> Lab:
        try:
            self.up()
        except BaseException:
            down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        down()

    def up(self) -> None:
        """Everything started and every minion answering; nothing applied yet."""
        if RUN.exists():
            say("taking down what a former lab left")
            down()
        build_images({edge.release for edge in self.edges})
        RUN.mkdir(parents=True)
        fabric.Fabric(len(self.edges)).up()
        self.set_pillar({edge.name: self.first_pillar for edge in self.edges})
        say("starting edges, cluster and master")
        for edge in self.edges:
            edge.start()
        self.pods = Pods()
        self.configure_engine(kubeconfig=str(self.relay()))
        self.master.start()
        for edge in self.edges:
            edge.wait_ready()
        self.await_minions()

    def is_up(self) -> bool:
        """Whether a lab of this name runs that has these edges."""
        there = {path.name for path in (RUN / "hosts").glob("edge*")} if (RUN / "hosts").exists() else set()
        return recorded(RUN / "master.pid") is not None and there == {edge.name for edge in self.edges}

    def attach(self) -> None:
        """Go on with a lab that is up, its former pods gone; the master starts anew only for other options."""
        pods.kill_all()
        self.pods = Pods()
        before = (self.master.directory / "etc/master").read_text()
        self.configure_engine(kubeconfig=str(RUN / "engine.kubeconfig"))
        if (self.master.directory / "etc/master").read_text() != before:
            self.master.stop()
            self.master.start()
        self.await_minions()

    def await_minions(self) -> None:
        """Until every edge answers the master."""
        wait_for(self._all_answer, 60, f"every minion to answer (see {RUN}/master/log)")

    def _all_answer(self) -> bool:
        # a master that is busy starting may not take a command in time: that is no answer, and no end either
        with contextlib.suppress(LabError):
            # not `salt '*' test.ping`: after a minion that is still on its way back it waits for 13 s
            return len(self.master.run("manage.up", "timeout=1", "gather_job_timeout=1")) == len(self.edges)
        return False

    def await_confirmed(self) -> None:
        """Until the engine knows that every edge has what is stored now, and has nothing under way."""

        def confirmed() -> bool:
            # the report is some seconds old and may not know yet that something was changed
            stored = json.loads(self.master.store.snapshot_text("default", SERVICE) or "{}").get("generation")
            edges = (self.master.store.report("default") or {}).get("edges", {}).values()
            return len(edges) == len(self.edges) and all(
                edge["behind_since"] is None and edge["applied"].get(SERVICE, stored) == stored for edge in edges
            )

        wait_for(confirmed, 60, "every edge to have confirmed")

    def reinstall(self, edge: EdgeHost) -> None:
        """A virgin host of the same name, known to the master by its new key."""
        edge.stop()
        self.master.forget(edge.name)
        edge.start()
        edge.wait_ready()
        self.await_minions()

    def set_pillar(self, by_minion: dict[str, dict[str, Any]]) -> None:
        """Replace all pillar files; read by the master at the next compile."""
        shutil.rmtree(self.pillar, ignore_errors=True)
        self.pillar.mkdir(parents=True)
        top = {"base": {minion: [minion] for minion in by_minion}}
        (self.pillar / "top.sls").write_text(yaml.safe_dump(top))
        for minion, data in by_minion.items():
            (self.pillar / f"{minion}.sls").write_text(yaml.safe_dump(data))

    def copy_pillar(self, source: Path) -> None:
        """Use these files, word for word."""
        shutil.rmtree(self.pillar, ignore_errors=True)
        shutil.copytree(source, self.pillar)

    def serve(self, listed: list[Pod], *, leaving: list[Pod] | None = None) -> None:
        """What the cluster says is behind the service."""
        gone = [Endpoint(pod.name, pod.address, pod.node).leaving() for pod in leaving or []]
        self.cluster.serve(SERVICE, [Endpoint(pod.name, pod.address, pod.node) for pod in listed] + gone)

    def places(self, port: int, *, tls: bool = False) -> list[Place]:
        """Every edge over IPv4 and IPv6."""
        return [
            Place(f"{edge.name}/{family}", address, port, tls)
            for edge in self.edges
            for family, address in (("ipv4", edge.ipv4), ("ipv6", edge.ipv6))
        ]

    def configure_engine(self, **options: Any) -> None:
        """Over the options so far; the master takes them at its next start."""
        self._engine.update(options)
        self.master.configure(engines=[{"k8s_endpoints": self._engine}])

    def other_options(self) -> dict[str, Any]:
        """Options of its engine that are not as by default, but for those that every installation gives."""
        defaults = {option.name: option.default for option in TABLE}
        return {
            name: value
            for name, value in self._engine.items()
            if name in defaults and name not in _GIVEN and value != defaults[name]
        }

    def _start_cluster(self) -> Path:
        self.cluster.start()
        self.cluster.apply_file(CHECKOUT / "deploy/rbac.yaml")
        return self.cluster.kubeconfig_of("haproxy-edge", "kube-system", RUN / "engine.kubeconfig")


def build_images(releases: set[str]) -> None:
    """All at once; they are built only when missing."""
    install_prerequisites()
    with ThreadPoolExecutor(len(RELEASES)) as pool:
        list(pool.map(ensure, sorted(releases)))


def down() -> None:
    """Everything the lab started is ended and everything it made is removed."""
    hosts.stop_all()
    pods.stop_all()
    for pid_file in [*RUN.glob("*.pid"), *(RUN / "cluster").glob("*.pid")]:
        end(pid_file, patience=3)
    fabric.down()
    shutil.rmtree(RUN, ignore_errors=True)
    if RUN.exists():
        raise LabError(f"{RUN} could not be removed")
