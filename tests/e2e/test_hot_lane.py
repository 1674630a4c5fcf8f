"""The hot lane: one publish moves traffic everywhere, and whoever misses it is found and brought right."""

from __future__ import annotations

import contextlib
import json

import pytest

from lab.processes import wait_for


def _snapshot(world, edge):
    pillar = world.lab.master.run("pillar.show_pillar", edge.name)["haproxy_edge"]
    return pillar["snapshots"]["default"]["kube-system/traefik"]


def _sync(world, edge, *snapshots):
    payload = json.dumps({"order": "by-hand", "snapshots": snapshots})
    return world.lab.master.salt(edge.name, "haproxy_edge.sync", f"payload={payload}")[edge.name]


def test_a_change_goes_out_as_one_sync_and_as_no_state(world):
    master = world.lab.master
    applied, synced = master.published("state.apply"), master.published("haproxy_edge.sync")
    with world.one_more() as pods:
        world.await_servers(pods)
        assert len(master.published("haproxy_edge.sync") - synced) == 1
        assert master.published("state.apply") == applied


@pytest.mark.field_failure("one bad edge holds up all")
def test_an_edge_that_slept_through_a_change_is_brought_right_without_another(world):
    sleeper, *awake = world.lab.edges
    with contextlib.ExitStack() as stack:
        with sleeper.asleep():
            pods = stack.enter_context(world.one_more())
            names = {pod.name for pod in pods}
            wait_for(lambda: all(world.servers(edge) == names for edge in awake), 60, "the others to follow at once")
            assert world.servers(sleeper) == {pod.name for pod in world.pods}
        world.await_servers(pods, timeout=90)


def test_a_new_edge_is_found_and_served_without_a_change_in_the_cluster(world):
    world.lab.reinstall(world.lab.edges[0])
    assert world.config(world.lab.edges[0]) == ""
    world.await_servers(world.pods, timeout=60)


def test_an_haproxy_that_was_stopped_serves_again_after_the_next_change(world):
    edge = world.lab.edges[0]
    edge.run(["systemctl", "stop", "haproxy"])
    with world.one_more() as pods:
        world.await_servers(pods)
        wait_for(lambda: edge.run(["pgrep", "-x", "haproxy"], check=False).stdout, 60, "HAProxy to run")


@pytest.mark.field_failure("a change lost between two publishes")
def test_an_older_snapshot_never_replaces_a_newer_one(world):
    edge = world.lab.edges[0]
    old = _snapshot(world, edge)
    with world.one_more() as pods:
        world.await_servers(pods)
        before = world.config(edge)
        ack = _sync(world, edge, old)
        assert ack["serves"]["default kube-system/traefik"]["generation"] > json.loads(old)["generation"]
        assert world.config(edge) == before


def test_a_snapshot_that_could_do_harm_is_refused_whole_by_the_name_of_its_field(world):
    edge = world.lab.edges[0]
    before, worker = world.config(edge), world.worker(edge)
    good = json.loads(_snapshot(world, edge))
    for field, value in (("port", 0), ("port", 70000), ("address", "010.1.1.1"), ("pod", "a\n    server evil")):
        bad = json.loads(json.dumps(good))
        bad["ports"]["tcp"][0][field] = value
        ack = _sync(world, edge, json.dumps(bad))
        assert any(f"ports.tcp[0].{field}" in problem for problem in ack["problems"]), ack
    assert (world.config(edge), world.worker(edge)) == (before, worker)
