"""What the engine may read, and what an edge is told."""

from __future__ import annotations

import contextlib
import json

import yaml

from lab import fabric
from lab.kubeapi.client import ApiClient, ApiFailure
from lab.processes import RUN


def _status_for_engine(world, path: str) -> int:
    """HTTP status of a read with the engine's own token."""
    kubeconfig = yaml.safe_load((RUN / "engine.kubeconfig").read_text())
    cluster = world.lab.cluster
    engine = ApiClient(
        cluster.url,
        ca_file=cluster.folder.ca_file,
        token=kubeconfig["users"][0]["user"]["token"],
        namespace=fabric.namespace("master"),
    )
    with contextlib.closing(engine):
        try:
            engine.get(path)
        except ApiFailure as failure:
            return failure.code
    return 200


def test_the_engine_s_role_reads_endpoints_of_its_namespaces_and_nothing_else(world):
    assert _status_for_engine(world, "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices") == 200
    assert _status_for_engine(world, "/api/v1/namespaces/kube-system/endpoints/traefik") == 200
    for path in ("/api/v1/namespaces/kube-system/secrets", "/api/v1/namespaces/default/endpoints", "/api/v1/endpoints"):
        assert _status_for_engine(world, path) == 403, path


def test_a_minion_gets_its_own_services_and_its_own_key(world):
    pillars = {
        edge.name: world.lab.master.run("pillar.show_pillar", edge.name)["haproxy_edge"] for edge in world.lab.edges
    }
    for pillar in pillars.values():
        assert {cluster: set(by_service) for cluster, by_service in pillar["snapshots"].items()} == {
            "default": {"kube-system/traefik"}
        }
        assert json.loads(pillar["snapshots"]["default"]["kube-system/traefik"])["schema"] == 1
    assert len({pillar["ack_key"] for pillar in pillars.values()}) == len(pillars)


def test_a_forged_doorbell_publishes_nothing(world):
    edge = world.lab.edges[0]
    before = set(world.lab.master.run("jobs.list_jobs", "search_function=state.apply"))
    edge.run(["/opt/salt/bin/salt-call", "event.send", "haproxy_edge/doorbell/state", '{"tgt": "*"}'])
    world.quiet(1.0)
    assert set(world.lab.master.run("jobs.list_jobs", "search_function=state.apply")) == before


def test_the_store_is_readable_by_the_master_s_user_alone(world):
    files = [path for path in (RUN / "master/cache/haproxy_edge").rglob("*") if path.is_file()]
    assert files
    assert {path.stat().st_mode & 0o077 for path in files} == {0}
