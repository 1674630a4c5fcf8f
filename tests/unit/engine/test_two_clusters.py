"""Two engines on one master, each with its cluster and the same edges: every one hears what the other is answered."""

from __future__ import annotations

import pytest
from haproxy_edge.ack import Ack

from tests.unit.engine.material import NEW, OLD, SERVICE, World, applied, listed


@pytest.fixture
def worlds():
    """Two engines that have seen OLD and whose edge has confirmed both."""
    here, there = World(), World(cluster="west-2")
    there.cache, there.store, there.bus = here.cache, here.store, here.bus
    there.start()
    for world in (here, there):
        world.fleet = ["edge1"]
        world.say(listed(OLD))
        world.run(1)
    answer(here, there, lane="state", order="", sequence=1)
    return here, there


def answer(*worlds, lane, order, sequence):
    """The edge confirms what the store holds of both clusters; both engines hear it."""
    held = [worlds[0].store.snapshot(cluster, SERVICE) for cluster in ("default", "west-2")]
    serves = {f"{one.cluster} {one.service}": (one.generation, one.digest) for one in held if one}
    for world in worlds:
        world.inbox.put(Ack("edge1", order, lane, serves, "", (), None, 1.0, sequence=sequence, key="k"))
        world.inbox.horizon = world.inbox.steady
        world.daemon.run_cycle()


@pytest.mark.parametrize("changed", [0, 1], ids=["default", "west-2"])
def test_an_answer_to_the_other_cluster_s_order_is_no_forgery_and_one_to_our_own_counts(worlds, changed):
    worlds[changed].say(applied(NEW))
    answer(*worlds, lane="hot", order=worlds[changed].orders[-1]["id"], sequence=7)
    reports = [world.daemon.report() for world in worlds]

    assert [report["counters"]["forged"] for report in reports] == [{}, {}]
    assert reports[changed]["edges"]["edge1"]["behind_since"] is None


def test_an_order_of_our_own_cluster_that_nobody_issued_is_a_forgery_still(worlds):
    answer(*worlds, lane="hot", order="000000000000001-west-2-aa", sequence=7)

    assert [world.daemon.report()["counters"]["forged"] for world in worlds] == [{}, {"order": 1}]
