"""What several files have to say alike, each for its own reader: snapshots, version, ports, environment variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from haproxy_edge import __version__, frontends, snapshot
from haproxy_edge.doctor import edges
from haproxy_edge_minion import planner, spec
from haproxy_edge_minion import snapshot as on_edge
from haproxy_edge_minion.running import Running

from tools.doc_tables import section

ROOT = Path(__file__).parents[3]
FOREIGN = Running(1, None, frozenset())
VERSIONED = {
    "pyproject.toml": r'^version = "([^"]+)"',
    "Containerfile": r"salt-haproxy-edge:([0-9.]+[0-9])",
    "deploy/kustomize/kustomization.yaml": r"newTag: (\S+)",
    "docs/in-cluster.md": r"(?:salt-haproxy-edge:|newTag: )([0-9.]+[0-9])",
    "docs/install.md": r"salt_haproxy_edge-([0-9.]+[0-9])",
}
METRICS_PORT = {
    "deploy/kustomize/master.yaml": r"name: metrics, containerPort: (\d+)",
    "deploy/kustomize/service.yaml": r"name: metrics, port: (\d+)",
    "deploy/prometheus/scrape.example.yml": r"127\.0\.0\.1:(\d+)",
    "deploy/prometheus/scrape-in-cluster.example.yml": r"port: (\d+)",
    "docs/metrics.md": r"(?:metrics: \S+:|localhost:)(\d{4})",
    "docs/options.md": r"127\.0\.0\.1:(\d+)",
    "docs/in-cluster.md": r"(?:salt-master |localhost:)(\d{4})(?=[`/])",
}
# the lab's own, and what makes its .venv; what the system has is not ours to explain
OURS = re.compile(r'environ\.get\(\s*"((?:HAPROXY_EDGE|KUBEBUILDER)_[A-Z_]+)"')


def found(path: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, (ROOT / path).read_text(), re.MULTILINE))


@pytest.mark.parametrize("word", ["SCHEMA", "STATES", "CLUSTER", "SERVICE", "PORT_NAME", "NAME", "DEFAULT_CLUSTER"])
def test_master_and_edge_describe_a_snapshot_by_the_same_words(word):
    assert getattr(snapshot, word) == getattr(on_edge, word)


@pytest.mark.parametrize("pod", ["traefik-1", ""])
def test_a_server_has_the_same_fields_and_the_same_name_to_master_and_edge(pod):
    server = snapshot.Server("10.42.0.7", 8443, pod=pod)
    assert tuple(server.as_json()) == on_edge.Server._fields
    assert on_edge.Server(**server.as_json()).name == server.name


def test_a_frontend_that_names_no_service_means_the_same_one_to_master_and_edge():
    assert frontends.DEFAULT_SERVICE == spec.DEFAULT_SERVICE


def test_master_and_edge_expect_the_same_of_an_haproxy():
    assert edges.RUNTIME_SERVERS_SINCE == planner.RUNTIME_SERVERS_SINCE


@pytest.mark.parametrize("path", VERSIONED)
def test_a_version_is_that_of_the_package(path):
    assert found(path, VERSIONED[path]) == {__version__}


@pytest.mark.parametrize("path", METRICS_PORT)
def test_the_port_of_metrics_is_that_of_the_master_in_the_cluster(path):
    assert found(path, METRICS_PORT[path]) == found("deploy/kustomize/master.conf", r"metrics: \S+:(\d+)")


def test_every_environment_variable_is_listed_and_none_that_there_is_not():
    sources = [path for folder in ("lab", "bench", "chaos", "tests") for path in ROOT.glob(f"{folder}/**/*.py")]
    read = {name for path in sources for name in OURS.findall(path.read_text())}
    table = section((ROOT / "CONTRIBUTING.md").read_text(), "The lab")
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE)) == read | {"PYTHON"}
    assert "${PYTHON" in (ROOT / "lab/bootstrap").read_text()
