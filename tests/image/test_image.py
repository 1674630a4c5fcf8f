"""The image as a pod would run it: no root, nothing writable but its volumes, the pod's own account, no kubeconfig.

Not among the tests of ``make test``, because the first build takes minutes: ``make test-image``.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from typing import Any

import pytest
import yaml

from lab.cluster import free_port
from lab.kubeapi.embedded import EmbeddedApi
from tests.functional.engine.following import SLICES, slice_of
from tests.image.podman import IMAGE, ROOT, build, install, podman

USER = 450
PATIENCE = 90.0
pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def image():
    install()
    build()
    return IMAGE


@pytest.fixture
def api():
    with EmbeddedApi() as started:
        started.client.apply_file(ROOT / "deploy/rbac.yaml")
        started.client.create(SLICES, slice_of("10.42.0.7"))
        yield started


@pytest.fixture
def account(api, tmp_path):
    """What the kubelet mounts into a pod."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text(api.client.token("haproxy-edge", "kube-system"))
    (folder / "namespace").write_text("kube-system")
    (folder / "ca.crt").write_bytes(api.ca_file.read_bytes())
    return folder


@pytest.fixture
def metrics():
    """Where the engine serves its metrics."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def configuration(metrics, tmp_path):
    """The ConfigMap's file, but for addresses, and beside it the ports: the network here is the machine's own."""
    folder = tmp_path / "master.d"
    folder.mkdir()
    given = (ROOT / "deploy/kustomize/master.conf").read_text()
    assert given.count("0.0.0.0:9105") == 1
    (folder / "haproxy-edge.conf").write_text(given.replace("0.0.0.0:9105", metrics))
    ports = {"interface": "127.0.0.1", "publish_port": free_port(), "ret_port": free_port(), "worker_threads": 3}
    (folder / "zz-test.conf").write_text(yaml.safe_dump(ports))
    return folder


def volume(path):
    """As the kubelet gives one to a pod with an fsGroup: root's, and the group's to write."""
    path.mkdir()
    os.chown(path, 0, USER)
    path.chmod(0o2775)
    return path


@pytest.fixture
def start(image, api, account, configuration, tmp_path):
    """Starts a pod's container on these volumes; called again, it takes the place of the former one."""
    data, run = volume(tmp_path / "data"), volume(tmp_path / "run")
    for folder in (tmp_path, account, configuration):
        folder.chmod(0o755)
    port = api.url.rpartition(":")[2]
    name = f"salt-master-{free_port()}"
    mounts = {
        data: "/data",
        run: "/run/salt",
        account: "/var/run/secrets/kubernetes.io/serviceaccount:ro",
        configuration: "/etc/salt/master.d:ro",
        ROOT / "deploy/kustomize/pillar": "/srv/pillar:ro",
    }

    def start(host_name: str) -> Master:
        podman("rm", "--force", "--ignore", "--time=5", name)
        podman(
            "run", "--detach", "--name", name, "--network=host", "--uts=private", f"--hostname={host_name}",
            "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--tmpfs=/tmp",
            *(f"--volume={source}:{target}" for source, target in mounts.items()),
            "--env=KUBERNETES_SERVICE_HOST=127.0.0.1", f"--env=KUBERNETES_SERVICE_PORT={port}",
            image, "--log-level=info",
        )  # fmt: skip
        return Master(name)

    try:
        yield start
    finally:
        podman("rm", "--force", "--ignore", "--time=5", name, check=False)


@pytest.fixture
def master(start):
    started = start("salt-master-5f6d")
    started.await_said("following kube-system/traefik")
    return started


class Master:
    """The running container."""

    def __init__(self, name: str) -> None:
        self.name = name

    def said(self) -> str:
        logs = podman("logs", self.name)
        return logs.stdout + logs.stderr

    def run(self, *command: str, check: bool = True) -> str:
        return podman("exec", self.name, *command, timeout=120, check=check).stdout

    def runner(self, *command: str, check: bool = True) -> Any:
        return json.loads(self.run("salt-run", "--out=json", "--log-level=quiet", *command, check=check))

    def await_said(self, words: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while words not in self.said():
            assert time.monotonic() < deadline, f"not said: {words}\n{self.said()[-3000:]}"
            time.sleep(0.5)


def test_the_engine_follows_the_cluster_as_the_pod_s_account(master, tmp_path):
    cached = master.runner("cache.fetch", "haproxy_edge/default/services", "kube-system.traefik")
    servers = json.loads(cached["snapshot"])["ports"]["websecure"]
    assert [server["address"] for server in servers] == ["10.42.0.7"]
    assert master.run("id", "-u").strip() == str(USER)
    assert {path.lstat().st_uid for path in (tmp_path / "data").rglob("*")} == {USER}


def test_the_doctor_finds_the_pod_s_part_of_the_chain_right(master):
    # its exit status is 1: no minion has been accepted yet
    findings = master.runner("haproxy_edge.doctor", check=False)["findings"]
    wrong = {finding["check"] for finding in findings if finding["state"] == "wrong"}
    right = {finding["check"] for finding in findings if finding["state"] == "ok"}
    assert wrong == {"target"}
    assert {"api-reachable", "api-rights", "ext-pillar", "reactor", "states", "engine-running", "service"} <= right


def test_a_prometheus_can_scrape_it(master, metrics):
    with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=10) as answer:
        assert b"haproxy_edge_endpoints{" in answer.read()


def test_a_pod_in_place_of_another_has_the_key_that_minions_know(master, start):
    known = master.run("cat", "/data/pki/master.pub")
    successor = start("salt-master-77c9")
    successor.await_said("following kube-system/traefik")
    assert successor.run("cat", "/data/pki/master.pub") == known


def test_the_states_and_the_pillar_are_served(master):
    assert {"haproxy/init.sls", "_modules/haproxy_edge.py"} <= set(master.runner("fileserver.file_list"))
    pillar = master.runner("pillar.show_pillar", "edge1")
    assert pillar["haproxy"]["bind"]
    assert set(pillar["haproxy_edge"]["snapshots"]["default"]) == {"kube-system/traefik"}


def test_the_image_runs_as_nobody_special_and_carries_no_compiler(image):
    about = json.loads(podman("image", "inspect", image).stdout)[0]
    assert about["User"].split(":")[0] == str(USER)
    assert set(about["Config"]["ExposedPorts"]) == {"4505/tcp", "4506/tcp"}
    look = "command -v gcc; cat /run/ca.crt; find / -xdev -name '*.pem' -newer /opt/salt/pyvenv.cfg -path '/root/*'"
    # as root: who cannot read /root finds nothing there
    inside = ("run", "--rm", "--user=0", "--network=host", "--entrypoint=/bin/sh", image, "-c", f"{look}; echo looked")
    assert podman(*inside).stdout == "looked\n"
