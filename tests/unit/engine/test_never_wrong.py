"""What must not go wrong over restarts, lies, lost stores, old views and storms."""

from __future__ import annotations

import gc
import itertools
import logging
import tracemalloc

import pytest
from haproxy_edge.outbox import BANK
from haproxy_edge.reflector import Freshness
from haproxy_edge.snapshot import Server, Snapshot

from tests.unit.engine.material import NEW, OLD, SERVICE, World, applied, at, listed


@pytest.fixture
def world():
    """An engine with three edges that have confirmed OLD."""
    world = World()
    world.fleet = ["edge1", "edge2", "edge3"]
    world.say(listed(OLD))
    for name in world.fleet:
        world.confirm(name, lane="state", sequence=10)
    world.run(1)
    world.journal.clear()
    world.bus.taken.clear()
    return world


def rung(world):
    return [(order["lane"], order["tgt"]) for order in world.orders]


def test_a_restart_orders_nothing_for_edges_that_are_right(world):
    world.start()
    world.say(listed(OLD))
    world.run(3600)

    assert rung(world) == []


@pytest.mark.field_failure("Salt loses or doubles")
def test_an_engine_killed_after_the_store_write_rings_who_is_behind_by_the_hot_lane(world):
    generation = world.store.snapshot("default", SERVICE).generation + 1
    world.keep({"websecure": (Server(NEW, 8443, pod="traefik-1", node="k3s-1"),)}, generation=generation)
    world.start()
    world.say(listed(NEW))
    world.run(1)

    assert rung(world) == [("hot", "edge1,edge2,edge3")]


def test_an_engine_killed_before_the_store_write_stores_and_orders_it_when_it_is_back(world):
    world.start()
    world.say(listed(NEW))

    assert world.stored() == at(NEW)
    assert rung(world) == [("hot", "roles:haproxy-edge")]


@pytest.mark.field_failure("Salt loses or doubles")
def test_an_order_lost_between_doorbell_and_publish_is_made_good_for_each_edge(world):
    world.say(applied(NEW))
    world.bus.taken.clear()
    world.start()
    world.say(listed(NEW))
    world.run(3)
    world.confirm("edge1", sequence=11)
    world.run(5)

    assert rung(world)[0] == ("hot", "edge1,edge2,edge3")
    assert {lane for lane, _ in rung(world)[1:]} == {"state"}
    assert {name for _, target in rung(world)[1:] for name in target.split(",")} == {"edge2", "edge3"}


def test_a_new_edge_gets_the_state_without_any_change_in_the_cluster(world):
    world.fleet.append("edge4")
    world.run(20)

    assert rung(world)[0] == ("state", "edge4")
    assert {target for _, target in rung(world)} == {"edge4"}


def test_a_damaged_key_of_one_edge_hides_no_other(world):
    world.cache.broken, world.cache.broken_key = {"fetch"}, "keys/edge1"
    world.fleet.append("edge4")
    world.run(20)

    assert rung(world)[0] == ("state", "edge4")


def test_a_fleet_that_cannot_be_told_keeps_the_one_that_was_known(world):
    world.fleet = None
    world.daemon._fleet = lambda: None
    world.run(60)
    world.say(applied(NEW))
    world.run(6)

    assert ("hot", "edge1,edge2,edge3") in rung(world)


def test_a_replayed_acknowledgement_changes_nothing_and_is_counted(world):
    before = world.daemon.report()["edges"]
    world.confirm("edge1", digest="sha256:old", lane="state", sequence=10)

    assert world.daemon.report()["edges"] == before
    assert world.daemon.report()["counters"]["forged"] == {"replay": 1}


def test_an_answer_that_its_edge_s_own_word_overtook_is_no_replay(world):
    world.say(applied(NEW))
    order = world.orders[-1]["id"]
    world.confirm("edge1", lane="edge", order="", sequence=12)
    world.confirm("edge1", digest="sha256:old", order=order, sequence=11)
    seen = world.daemon.report()
    world.confirm("edge1", digest="sha256:old", order=order, sequence=11)

    assert seen["counters"]["forged"] == {}
    assert seen["edges"]["edge1"]["behind_since"] is None
    assert world.daemon.report()["counters"]["forged"] == {"replay": 1}


def test_a_replay_is_known_after_a_restart(world):
    world.start()
    world.run(1)
    world.confirm("edge1", digest="sha256:old", lane="state", sequence=10)

    assert world.daemon.report()["counters"]["forged"] == {"replay": 1}


def test_an_answer_to_an_order_nobody_issued_is_counted_and_nothing_else(world):
    before = world.daemon.report()["edges"]
    world.confirm("edge1", digest="sha256:old", order="000000000000001-aa", sequence=11)

    assert world.daemon.report()["edges"] == before
    assert world.daemon.report()["counters"]["forged"] == {"order": 1}


def test_an_order_issued_before_a_restart_may_be_answered_after_it(world):
    world.say(applied(NEW))
    issued = world.orders[-1]["id"]
    world.start()
    world.run(0.1)
    world.confirm("edge1", order=issued, sequence=11)

    assert world.daemon.report()["edges"]["edge1"]["behind_since"] is None
    assert world.daemon.report()["counters"]["forged"] == {}


def test_an_edge_that_lost_its_number_and_its_clock_is_believed_by_answering_a_new_order(world):
    world.say(applied(NEW))
    world.confirm("edge1", sequence=1)
    again = world.orders[-1]["id"]
    world.confirm("edge1", digest="sha256:old", order=again, sequence=1)

    assert world.daemon.report()["edges"]["edge1"]["behind_since"] is None
    assert world.daemon.report()["counters"]["forged"] == {"replay": 1}


def test_an_edge_s_own_word_needs_no_order(world):
    world.say(applied(NEW))
    world.confirm("edge1", lane="edge", order="", sequence=11)

    assert world.daemon.report()["edges"]["edge1"]["lane"] == "edge"
    assert world.daemon.report()["edges"]["edge1"]["behind_since"] is None


def test_a_refusal_that_shows_a_newer_generation_is_answered_above_it(world):
    far = world.store.snapshot("default", SERVICE).generation + 3_600_000
    world.confirm("edge1", digest="sha256:of another day", generation=far, lane="edge", sequence=11)

    assert world.store.snapshot("default", SERVICE).generation == far + 1
    assert world.stored() == at(OLD)
    assert rung(world) == [("hot", "roles:haproxy-edge")]


def test_a_refusal_heard_before_the_first_list_is_answered_after_it(world):
    far = world.store.snapshot("default", SERVICE).generation + 3_600_000
    world.start()
    world.run(0.1)
    world.confirm("edge1", digest="sha256:of another day", generation=far, lane="edge", sequence=11)
    waiting = rung(world)
    world.say(listed(OLD))

    assert waiting == []
    assert world.store.snapshot("default", SERVICE).generation == far + 1


def test_a_lost_store_is_made_anew_from_the_cluster(world):
    world.cache.rows.clear()
    world.start()
    world.say(listed(OLD))
    world.run(1)

    assert world.stored() == at(OLD)
    assert rung(world) == [("state", "roles:haproxy-edge")]


def test_a_store_restored_from_an_older_day_locks_no_edge_out(world):
    newest = world.store.snapshot("default", SERVICE).generation
    world.store.save(Snapshot("default", SERVICE, {"websecure": (Server(NEW, 8443),)}, 5))
    world.set_back = 86_400 * 30
    world.start()
    world.say(listed(NEW))
    world.confirm("edge1", digest="sha256:what it has", generation=newest, lane="edge", sequence=11)

    assert world.store.snapshot("default", SERVICE).generation == newest + 1
    assert world.stored() == at(NEW)


@pytest.mark.field_failure("a watch that ends in silence")
def test_a_view_that_grows_old_is_told_once_and_so_is_its_recovery():
    world = World(stale_after=300)
    (watch,) = world.watches.values()
    freshness = world.daemon.freshness[watch] = Freshness(lambda: world.inbox.steady)
    freshness.touch()
    heard_at = world.wall()
    world.say(listed(OLD))
    world.run(299)
    early = world.bus.conditions()
    world.run(3600)
    held = world.daemon.report()["services"][SERVICE]
    freshness.touch()
    world.run(3)

    assert early == []
    assert world.bus.conditions() == ["stale", "fresh"]
    assert (held["held"], held["held_since"]) == ("stale", pytest.approx(heard_at, abs=3))
    assert world.daemon.report()["services"][SERVICE]["held"] is None


def test_an_api_that_never_answered_is_stale_too():
    world = World(stale_after=300)
    (watch,) = world.watches.values()
    world.daemon.freshness[watch] = Freshness(lambda: world.inbox.steady)
    world.run(310)

    assert world.bus.conditions() == ["stale"]


def storm(world, count, seconds):
    for number in range(count):
        world.say(applied(f"10.42.{number // 250}.{number % 250 + 1}"))
        world.run(seconds / count)


@pytest.mark.field_failure("Salt loses or doubles")
def test_a_storm_is_one_publish_per_interval_and_ends_with_the_last_state(world):
    storm(world, 1000, 10)
    world.run(1)

    issued = [order["issued"] for order in world.orders if order["tgt_type"] == "grain"]
    assert len(issued) <= 10 / world.options.min_interval + 2
    assert min(later - earlier for earlier, later in itertools.pairwise(issued)) >= 0.199
    assert world.stored() == at("10.42.3.250")
    assert world.steps[-2:] == ["order", "ring"]


@pytest.mark.field_failure("Salt loses or doubles")
def test_a_storm_while_the_reactor_is_away_leaves_few_orders_and_the_last_state(world):
    world.bus.dead = True
    storm(world, 500, 100)
    standing = len(world.cache.list(BANK))
    world.bus.dead = False
    world.say(applied(OLD))
    world.run(1)

    assert standing < 40
    assert len([order for order in world.orders if order["tgt_type"] == "grain"]) == 1
    assert world.stored() == at(OLD)
    assert world.cache.list(BANK) == []


@pytest.fixture
def nothing_logged():
    """What pytest keeps of the log would be measured, too."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("nothing_logged")
def test_memory_does_not_grow_with_the_number_of_changes():
    world = World()
    world.fleet = ["edge1"]
    world.say(listed(OLD))
    storm(world, 200, 40)
    sizes = []
    tracemalloc.start()
    try:
        for _ in range(2):
            world.journal.clear()
            world.bus.taken.clear()
            storm(world, 300, 60)
            world.journal.clear()
            world.bus.taken.clear()
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()

    assert sizes[1] < sizes[0] * 1.1 + 20_000


@pytest.mark.parametrize("set_back", [0.0, 3600.0], ids=["clock right", "clock set back"])
def test_an_order_whose_doorbell_found_no_reactor_is_rung_for_until_it_is_taken(world, set_back):
    world.bus.dead = True
    world.say(applied(NEW))
    world.set_back = set_back
    world.run(3)
    world.bus.dead = False
    # not as long as it takes to find that the edges have not confirmed
    world.run(1.5)

    assert [(order["lane"], order["tgt"]) for order in world.bus.taken] == [("hot", "roles:haproxy-edge")]
