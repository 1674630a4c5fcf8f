"""What is kept when the master goes: who is right, what is frozen, and where endpoints may be."""

from __future__ import annotations

import pytest

from lab.cluster_objects import Endpoint
from lab.processes import wait_for
from lab.topology import SERVICE

# of the lab's pods
PODS = ["10.244.0.0/24", "fd42::/64"]
ELSEWHERE = Endpoint("evil", "192.0.2.66", "node-1")
# seconds: longer than the engine's ack_timeout, so that whoever is taken for late would have been rung
LONG_ENOUGH = 7.0


def _killed_and_back(world):
    """The whole master by SIGKILL; returns when a new engine has said its first word."""
    before = world.report()["pid"]
    world.lab.master.kill()
    world.lab.master.start()
    world.lab.await_minions()
    wait_for(lambda: world.report()["pid"] != before, 60, "a new engine")


@pytest.fixture
def bounded(world):
    """The lab with endpoints allowed among its pods only."""
    world.await_confirmed()
    world.lab.configure_engine(allowed_networks={SERVICE: PODS})
    _killed_and_back(world)
    world.await_confirmed()
    yield world
    world.lab.configure_engine(allowed_networks={})


def _serve(world, pods, *more):
    endpoints = [Endpoint(pod.name, pod.address, pod.node) for pod in pods]
    world.lab.cluster.serve(SERVICE, [*endpoints, *more])


def test_a_master_that_was_killed_orders_nothing_for_edges_that_are_right(world):
    world.await_confirmed()
    before = world.publishes(), [world.config(edge) for edge in world.lab.edges]
    _killed_and_back(world)
    configurations = world.quiet(LONG_ENOUGH)

    assert (world.publishes(), configurations) == before
    world.await_confirmed()


@pytest.mark.field_failure("Salt loses or doubles")
def test_a_change_that_was_lost_with_its_master_between_event_and_job_arrives_all_the_same(world):
    world.await_confirmed()
    before = world.store.snapshot("default", SERVICE).generation
    for edge in world.lab.edges:
        edge.run(["systemctl", "stop", "salt-minion"])
    _serve(world, world.pods[:1])
    wait_for(lambda: world.store.snapshot("default", SERVICE).generation != before, 60, "the change to be stored")
    world.lab.master.kill()
    unchanged = world.quiet(0)
    world.lab.master.start()
    for edge in world.lab.edges:
        edge.run(["systemctl", "start", "salt-minion"])
    world.await_servers(world.pods[:1])

    assert all(pod.name in text for text in unchanged for pod in world.pods)


def test_an_endpoint_where_none_may_be_reaches_no_edge_and_empties_none(bounded):
    # of one family, like the stranger: two slices would be emptied one after the other
    pods = [pod for pod in bounded.pods if ":" not in pod.address]
    _serve(bounded, pods, ELSEWHERE)
    bounded.await_servers(pods)
    refused = bounded.report()["services"][SERVICE]
    before = bounded.quiet(0)
    _serve(bounded, [], ELSEWHERE)
    wait_for(lambda: bounded.report()["services"][SERVICE]["held"] == "outside", 60, "the service to be held")

    # longer than empty_grace
    assert bounded.quiet(4.0) == before
    assert refused["held"] is None


def test_what_is_frozen_stays_so_when_the_master_is_killed_and_follows_when_it_is_thawed(world):
    world.await_confirmed()
    before = world.quiet(0)
    world.lab.master.run("haproxy_edge.freeze", SERVICE)
    wait_for(lambda: world.report()["services"][SERVICE]["held"] == "frozen", 60, "the service to be frozen")
    try:
        _serve(world, world.pods[:1])
        frozen = world.quiet(1.0)
        _killed_and_back(world)
        after_restart = world.quiet(LONG_ENOUGH)
    finally:
        world.lab.master.run("haproxy_edge.thaw")

    assert before == frozen == after_restart
    world.await_servers(world.pods[:1])
