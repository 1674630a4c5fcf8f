"""Faults of every part of the chain, planted on the running lab and taken back, and what the doctor has to say of each.

They come in groups, one visit each: a doctor has to name all that is wrong, not only the first. Tests and
the bench plant the same ones. None may ever outlast its context.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.cluster_objects import Endpoint, slices_by_family
from lab.hosts import EdgeHost
from lab.odd_pod import NAME as ODD
from lab.odd_pod import odd_pod
from lab.pods import Pod
from lab.processes import wait_for
from lab.topology import PILLAR, SERVICE, Lab

VERSION = "/var/cache/salt/minion/extmods/utils/haproxy_edge_minion/version_of_modules.py"
Plant = Callable[[Lab, list[Pod]], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Fault:
    """``check``, the beginning of ``subject`` and some of the ``words`` are what the finding must have."""

    name: str
    check: str
    subject: str
    words: str
    plant: Plant

    def named(self, findings: list[dict[str, Any]]) -> bool:
        """Whether a finding says so, as wrong and with a way out."""
        return any(
            finding["state"] == "wrong"
            and finding["check"] == self.check
            and finding["subject"].startswith(self.subject)
            and self.words in finding["found"]
            and finding["mend"]
            for finding in findings
        )


def visit(lab: Lab) -> list[dict[str, Any]]:
    """The doctor's findings."""
    return list(lab.master.run("haproxy_edge.doctor")["findings"])


@contextlib.contextmanager
def planted(group: tuple[Fault, ...], lab: Lab, pods: list[Pod]) -> Iterator[None]:
    """All faults of a group at once."""
    with contextlib.ExitStack() as stack:
        for fault in group:
            stack.enter_context(fault.plant(lab, pods))
        yield


def _configured(**changes: Any) -> Plant:
    """The master's file says something else; a doctor reads the file."""

    @contextlib.contextmanager
    def plant(lab: Lab, pods: list[Pod]) -> Iterator[None]:
        path = lab.master.directory / "etc/master"
        before = path.read_text()
        configuration = yaml.safe_load(before)
        for key, change in changes.items():
            configuration[key] = change(configuration.get(key)) if callable(change) else change
        path.write_text(yaml.safe_dump(configuration))
        try:
            yield
        finally:
            path.write_text(before)

    return plant


def _engine(**options: Any) -> Callable[[Any], Any]:
    return lambda engines: [{"k8s_endpoints": {**engines[0]["k8s_endpoints"], **options}}]


@contextlib.contextmanager
def _pending_key(lab: Lab, pods: list[Pod]) -> Iterator[None]:
    key = lab.master.directory / "pki/minions_pre/edge9"
    key.parent.mkdir(exist_ok=True)
    key.write_text((lab.master.directory / "pki/minions" / lab.edges[0].name).read_text())
    try:
        yield
    finally:
        key.unlink()


@contextlib.contextmanager
def _unreachable_api(lab: Lab, pods: list[Pod]) -> Iterator[None]:
    options = yaml.safe_load((lab.master.directory / "etc/master").read_text())["engines"][0]["k8s_endpoints"]
    kubeconfig = Path(options["kubeconfig"])
    elsewhere = kubeconfig.with_suffix(".elsewhere")
    elsewhere.write_text(kubeconfig.read_text().replace(":6443", ":6444"))
    with _configured(engines=_engine(kubeconfig=str(elsewhere)))(lab, pods):
        yield
    elsewhere.unlink()


@contextlib.contextmanager
def _stopped_minion(lab: Lab, pods: list[Pod]) -> Iterator[None]:
    with lab.edges[0].asleep():
        yield
    lab.await_minions()


@contextlib.contextmanager
def _no_way_to_pods(lab: Lab, pods: list[Pod]) -> Iterator[None]:
    route = ["ip", "route", "add", "unreachable", "10.244.0.0/24"]
    lab.edges[1].run(route)
    try:
        yield
    finally:
        lab.edges[1].run(["ip", "route", "del", *route[3:]])


@contextlib.contextmanager
def _no_ipv6(lab: Lab, pods: list[Pod]) -> Iterator[None]:
    edge = lab.edges[1]
    address = ["ip", "-6", "addr", "replace", f"{edge.ipv6}/64", "dev", "eth0", "nodad"]
    edge.run(["ip", "-6", "addr", "flush", "dev", "eth0", "scope", "global"])
    try:
        yield
    finally:
        edge.run(address)
        edge.run(["ip", "-6", "route", "replace", "default", "via", "fd90::1"])


@contextlib.contextmanager
def _old_modules(lab: Lab, pods: list[Pod]) -> Iterator[None]:
    path = lab.edges[1].path(VERSION)
    before = path.read_text()
    path.write_text('MODULES = "of another release"\n')
    try:
        yield
    finally:
        path.write_text(before)


def _frontends(**more: Any) -> dict[str, Any]:
    return {"haproxy": {**PILLAR["haproxy"], "frontends": {**PILLAR["haproxy"]["frontends"], **more}}}


@contextlib.contextmanager
def _pillar(lab: Lab, edge: EdgeHost, pillar: dict[str, Any]) -> Iterator[None]:
    ordinary = {host.name: PILLAR for host in lab.edges}
    lab.set_pillar({**ordinary, edge.name: pillar})
    try:
        yield
    finally:
        lab.set_pillar(ordinary)


@contextlib.contextmanager
def _taken_port_and_wrong_port_name(lab: Lab, pods: list[Pod]) -> Iterator[None]:
    edge = lab.edges[2]
    more = {"bind": "ipv4@:8888", "service": SERVICE, "port": "tpc"}
    with edge.port_taken(8888), _pillar(lab, edge, _frontends(more=more)):
        yield


@contextlib.contextmanager
def _odd_pod(lab: Lab, pods: list[Pod]) -> Iterator[None]:
    listed = [Endpoint(pod.name, pod.address, pod.node) for pod in pods]
    with odd_pod() as address:
        try:
            lab.cluster.serve(SERVICE, [*listed, Endpoint(ODD, address, "node-1")])
            wait_for(lambda: all(_serves(edge, ODD) for edge in lab.edges), 60, "edges to serve the odd pod")
            yield
        finally:
            for item in slices_by_family(SERVICE, listed):
                lab.cluster.put(item)
            lab.serve(pods)
            wait_for(lambda: not any(_serves(edge, ODD) for edge in lab.edges), 60, "the odd pod to be gone")


def _serves(edge: EdgeHost, pod: str) -> bool:
    return f" server {pod}:" in edge.path("/etc/haproxy/haproxy.cfg").read_text()


@contextlib.contextmanager
def _killed_master(lab: Lab, pods: list[Pod]) -> Iterator[None]:
    lab.master.kill()
    try:
        yield
    finally:
        lab.master.start()
        lab.await_minions()


@contextlib.contextmanager
def _as_the_one_before(lab: Lab, pods: list[Pod]) -> Iterator[None]:
    yield


_NOT_LAST = {"ext_pillar": lambda listed: [*listed, {"cmd_yaml": "true"}]}
_GONE = [{f"haproxy_edge/doorbell/{lane}": [f"/nowhere/{lane}.sls"]} for lane in ("hot", "state")]

CONFIGURATION = (
    Fault("our ext_pillar is not the last", "ext-pillar", "master", "come after", _configured(**_NOT_LAST)),
    Fault("the pillar is cached", "pillar-cache", "master", "pillar_cache: True", _configured(pillar_cache=True)),
    Fault("the reactor's files are gone", "reactor", "master", "/nowhere/hot.sls", _configured(reactor=_GONE)),
    Fault("the states are not served", "states", "master", "haproxy/init.sls", _configured(file_roots={"base": []})),
    Fault("a key waits", "key", "edge9", "pending", _pending_key),
)
CLUSTER = (
    Fault(
        "a service that does not exist is followed, and one of a namespace without rights",
        "service",
        "kube-system/nowhere",
        "no endpoints",
        _configured(engines=_engine(services=[SERVICE, "kube-system/nowhere", "default/other"])),
    ),
    Fault("no right in a namespace", "api-rights", "list /apis", "http-403", _as_the_one_before),
    Fault("the engine runs with other options", "engine-current", "cluster default", "services", _as_the_one_before),
)
API = (Fault("the API cannot be reached", "api-reachable", "cluster default", "unreachable", _unreachable_api),)
EDGES = (
    Fault("a minion is stopped", "answering", "edge1", "does not answer", _stopped_minion),
    Fault("no route to the pods", "pods", "edge2", "cannot be reached", _no_way_to_pods),
    Fault("no IPv6 where it is bound", "ipv6", "edge2", "no IPv6 address", _no_ipv6),
    Fault("old modules", "modules", "edge2", "not those the master serves", _old_modules),
    Fault("a port is taken", "bind", "edge3 haproxy.frontends.more", "python3", _taken_port_and_wrong_port_name),
    Fault("no such port name", "port-name", "edge3 haproxy.frontends.more", "'tpc'", _as_the_one_before),
)
TRAFFIC = (
    Fault(
        "a pod takes the header for data", "proxy-protocol", "edge1 haproxy.frontends.websecure", "for data", _odd_pod
    ),
    Fault("a pod ignores the header", "proxy-protocol", "edge1 haproxy.frontends.tcp", "ignored", _as_the_one_before),
)
MASTER = (
    Fault("the engine is gone", "engine-running", "cluster default", "is gone", _killed_master),
    Fault("the master is gone", "answering", "master", "could not be published", _as_the_one_before),
)
GROUPS = {
    "configuration": CONFIGURATION,
    "cluster": CLUSTER,
    "api": API,
    "edges": EDGES,
    "traffic": TRAFFIC,
    "master": MASTER,
}
