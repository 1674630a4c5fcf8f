"""Edges follow the cluster: pods roll, vanish and return, and clients notice nothing."""

from __future__ import annotations

import contextlib
import time

import pytest
import yaml

from lab.cluster import lab_cluster
from lab.cluster_objects import Endpoint, endpoint_slice
from lab.master import CHECKOUT
from lab.topology import EMPTY_GRACE, SERVICE
from lab.traffic import Probe, fetch

RBAC = CHECKOUT / "deploy/rbac.yaml"


@pytest.mark.field_failure("connections cut, or old workers pile up")
def test_ten_rolling_changes_fail_no_connection(world):
    lab, pods = world.lab, list(world.pods)
    with Probe(lab.places(9000), rate=20, seconds=240) as probe:
        for _ in range(10):
            old = pods[0]
            pods = [*pods[1:], lab.pods.add(version=6 if ":" in old.address else 4)]
            lab.serve(pods, leaving=[old])
            world.await_servers(pods)
        lab.serve(pods)
        world.await_servers(pods)
    records = probe.records()
    assert len(records) > 10 * len(lab.places(9000))
    assert [record for record in records if record.failed] == []
    for pod in set(world.pods) - set(pods):
        pod.stop()
    world.pods = pods


@pytest.mark.field_failure("connections cut, or old workers pile up")
def test_pods_come_and_go_without_a_new_worker(world):
    lab = world.lab
    before = {edge.name: world.worker(edge) for edge in lab.edges}
    with world.one_more() as more:
        world.await_servers(more)
    assert {edge.name: world.worker(edge) for edge in lab.edges} == before


@pytest.mark.field_failure("a PROXY header that does not fit")
@pytest.mark.parametrize("version", [4, 6])
def test_the_client_s_address_reaches_the_pod_across_address_families(world, version):
    lab = world.lab
    pods = [lab.pods.add(version=version)]
    lab.serve(pods)
    world.await_servers(pods)
    for place in lab.places(443, tls=True):
        answer = fetch(place, lab.pods.authority)
        own = "fd90::3" if ":" in place.address else "10.90.0.3"
        assert (answer.error, answer.pod, answer.client) == ("", pods[0].name, own)
    headers = pods[0].backend_log.read_text().splitlines()
    assert not [line for line in headers if line.startswith("bad")]
    lab.serve(world.pods)
    world.await_servers(world.pods)
    pods[0].stop()


@pytest.mark.field_failure("a change lost between two publishes")
def test_a_pod_that_goes_and_comes_back_between_two_publishes_is_served_by_every_edge(world):
    with world.one_more() as more:
        for _ in range(5):
            world.lab.serve(world.pods[:1])
            world.lab.serve(more)
        world.await_servers(more)


@pytest.mark.field_failure("conditions misread")
def test_while_every_pod_ends_those_that_still_serve_are_served(world):
    lab, (last, *others) = world.lab, world.pods
    lab.serve([last], leaving=others)
    world.await_servers([last])
    lab.serve([], leaving=world.pods)
    world.await_servers(world.pods)


@pytest.mark.field_failure("null where a list was expected")
def test_an_emptied_service_is_held_for_its_grace_and_returns_at_once(world):
    emptied = time.monotonic()
    world.lab.serve([])
    world.await_servers([])
    assert time.monotonic() - emptied >= EMPTY_GRACE
    world.lab.serve(world.pods)
    world.await_servers(world.pods)


@pytest.mark.field_failure("only some of the slices, or some twice", "a reload for nothing new")
def test_shuffled_slices_change_nothing(world):
    lab = world.lab
    before, workers = world.configurations(), [world.worker(edge) for edge in lab.edges]
    listed = [Endpoint(pod.name, pod.address, pod.node) for pod in world.pods if ":" not in pod.address]
    duplicate = endpoint_slice(SERVICE, listed[:1], name="traefik-duplicate")
    lab.cluster.put(endpoint_slice(SERVICE, reversed(listed), name="traefik-ipv4"))
    lab.cluster.put(duplicate)
    try:
        assert world.quiet(1.5) == before
    finally:
        lab.cluster.delete(duplicate)
    assert [world.worker(edge) for edge in lab.edges] == workers


def test_the_node_of_each_pod_stands_at_its_server_line(world):
    for pod in world.pods:
        line = next(line for line in world.config(world.lab.edges[0]).splitlines() if f"server {pod.name}:" in line)
        assert line.endswith(f"# node {pod.node}")


@pytest.mark.field_failure("an API error read as no endpoints")
def test_an_api_server_that_is_away_and_then_forbids_changes_no_edge_and_is_caught_up_with(world):
    cluster, before = world.lab.cluster, world.configurations()
    binding = next(item for item in yaml.safe_load_all(RBAC.read_text()) if item["kind"] == "RoleBinding")
    cluster.delete(binding)
    try:
        with _away(cluster):
            assert world.quiet(1.0) == before
        world.lab.serve(world.pods[:2])
        assert world.quiet(1.5) == before
    finally:
        cluster.put(binding)
    world.await_servers(world.pods[:2])


@contextlib.contextmanager
def _away(cluster):
    cluster.stop()
    try:
        yield
    finally:
        cluster.start()


# a real API server has no switches for these; what it can be made to do is above
if lab_cluster().is_embedded:

    @pytest.mark.field_failure("an API error read as no endpoints", "a watch that ends in silence")
    @pytest.mark.parametrize(
        "fault",
        # each kind of failure is tried on the wire, in tests/functional/engine; here one that is an answer, one that is
        # none, and one that looks like an empty cluster
        [{"kind": "status", "code": 403}, {"kind": "stall"}, {"kind": "wrong_kind"}],
        ids=lambda fault: str(fault.get("code", fault["kind"])),
    )
    def test_an_api_failure_never_changes_an_edge_and_is_caught_up_with(world, fault):
        lab, before = world.lab, world.configurations()
        lab.cluster.fault(**fault)
        lab.serve(world.pods[:2])
        assert world.quiet(1.0) == before
        lab.cluster.clear_faults()
        world.await_servers(world.pods[:2])

    @pytest.mark.field_failure("an API error read as no endpoints", "a watch that ends in silence")
    def test_watches_that_only_err_are_made_up_for_by_lists(world):
        world.lab.cluster.fault("error_event", verb="watch", code=500)
        world.lab.serve(world.pods[:2])
        world.await_servers(world.pods[:2])
