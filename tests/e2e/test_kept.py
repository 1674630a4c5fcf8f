"""What is kept when the master goes: who is right, what is frozen, and where endpoints may be."""

from __future__ import annotations

import contextlib

import pytest

from lab.cluster_objects import Endpoint
from lab.processes import wait_for
from lab.topology import EMPTY_GRACE, SERVICE

ELSEWHERE = Endpoint("evil", "192.0.2.66", "node-1")


def _killed_and_back(world):
    """The whole master by SIGKILL; the report of a new engine that has seen the cluster and has acted on it."""
    before = world.report()["pid"]
    world.lab.master.kill()
    world.lab.master.start()
    world.lab.await_minions()

    def has_acted():
        # it stores and orders before it reports
        report = world.report()
        return report["pid"] != before and all(watch["condition"] == "ok" for watch in report["watches"])

    wait_for(has_acted, 60, "a new engine that has seen the cluster")
    return world.report()


def _serve(world, pods, *more):
    endpoints = [Endpoint(pod.name, pod.address, pod.node) for pod in pods]
    world.lab.cluster.serve(SERVICE, [*endpoints, *more])


def test_a_master_that_was_killed_orders_nothing_for_edges_that_are_right(world):
    world.await_confirmed()
    before = world.publishes(), world.configurations()
    report = _killed_and_back(world)

    # nobody is taken for late, now or when ack_timeout is over
    assert [edge["behind_since"] for edge in report["edges"].values()] == [None] * len(world.lab.edges)
    assert report["counters"]["orders"] == {}
    assert (world.publishes(), world.configurations()) == before


@pytest.mark.field_failure("Salt loses or doubles")
def test_a_change_that_was_lost_with_its_master_between_event_and_job_arrives_all_the_same(world):
    world.await_confirmed()
    before = world.store.snapshot("default", SERVICE).generation
    with contextlib.ExitStack() as asleep:
        for edge in world.lab.edges:
            asleep.enter_context(edge.asleep())
        _serve(world, world.pods[:1])
        wait_for(lambda: world.store.snapshot("default", SERVICE).generation != before, 60, "the change to be stored")
        world.lab.master.kill()
        unchanged = world.configurations()
        world.lab.master.start()
    world.await_servers(world.pods[:1])

    assert all(pod.name in text for text in unchanged for pod in world.pods)


def test_an_endpoint_where_none_may_be_reaches_no_edge_and_empties_none(world):
    world.await_confirmed()
    # of one family, like the stranger: two slices would be emptied one after the other
    pods = [pod for pod in world.pods if ":" not in pod.address]
    _serve(world, pods, ELSEWHERE)
    world.await_servers(pods)
    refused = world.report()["services"][SERVICE]
    before = world.configurations()
    _serve(world, [], ELSEWHERE)
    wait_for(lambda: world.report()["services"][SERVICE]["held"] == "outside", 60, "the service to be held")

    assert world.quiet(2 * EMPTY_GRACE) == before
    assert refused["held"] is None


def test_what_is_frozen_stays_so_when_the_master_is_killed_and_follows_when_it_is_thawed(world):
    world.await_confirmed()
    before = world.configurations()
    world.lab.master.run("haproxy_edge.freeze", SERVICE)
    wait_for(lambda: world.report()["services"][SERVICE]["held"] == "frozen", 60, "the service to be frozen")
    try:
        shown = world.lab.master.run("haproxy_edge.status")["services"][0]["held"]
        _serve(world, world.pods[:1])
        frozen = world.quiet(1.0)
        report = _killed_and_back(world)
        after_restart = world.configurations()
    finally:
        world.lab.master.run("haproxy_edge.thaw")

    assert (shown, report["services"][SERVICE]["held"]) == ("frozen", "frozen")
    assert report["counters"]["orders"] == {}
    assert before == frozen == after_restart
    world.await_servers(world.pods[:1])
