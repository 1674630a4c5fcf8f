"""Frozen by hand: the fleet stays as it is until it is thawed, restarts or not; then the newest content goes out."""

from __future__ import annotations

import pytest
from haproxy_edge.records import Frozen
from haproxy_edge.store import ALL

from tests.unit.engine.material import NEW, OLD, SERVICE, WEB, World, applied, at, listed

BY_HAND = Frozen(5.0, "root")


@pytest.fixture(params=[SERVICE, ALL])
def world(request):
    """An engine that has seen OLD and was then told to hold it, by the service's name or with all others."""
    world = World()
    world.frozen_as = request.param
    world.say(listed(OLD))
    world.run(1)
    world.store.freeze("default", request.param, BY_HAND)
    world.run(2.1)
    world.journal.clear()
    return world


def test_while_frozen_nothing_is_stored_and_nothing_ordered(world):
    world.say(applied(NEW))
    world.run(3600)

    assert world.steps == []
    assert world.stored() == at(OLD)


def test_on_thaw_the_newest_content_goes_out_within_two_seconds(world):
    world.say(applied(NEW))
    world.run(60)
    world.store.thaw("default", world.frozen_as)
    world.run(2.1)

    assert world.steps == ["store", "order", "ring"]
    assert world.stored() == at(NEW)


def test_a_restart_does_not_thaw_it(world):
    world.start()
    world.say(listed(NEW))
    world.run(60)

    assert world.steps == []
    assert world.daemon.report()["services"][SERVICE]["held"] == "frozen"
    assert world.daemon.report()["services"][SERVICE]["held_since"] == BY_HAND.since


def test_a_store_that_cannot_tell_does_not_thaw_it(world):
    world.cache.broken, world.cache.broken_key = {"list"}, "frozen"
    world.say(applied(NEW))
    world.run(60)

    assert world.steps == []


def test_a_freeze_that_is_damaged_holds(world):
    world.start()
    world.cache.broken, world.cache.broken_key = {"fetch"}, "frozen"
    world.say(listed(NEW))
    world.run(60)

    assert world.steps == []
    assert world.daemon.report()["services"][SERVICE]["held"] == "frozen"


def test_a_new_engine_that_cannot_tell_what_is_frozen_waits(world):
    world.start()
    world.cache.broken, world.cache.broken_key = {"list"}, "frozen"
    world.say(listed(NEW))
    world.run(60)

    assert world.steps == []


def test_a_resync_leaves_it_out():
    world = World(resync=600)
    world.say(listed(OLD))
    world.store.freeze("default", ALL, BY_HAND)
    world.run(3)
    world.journal.clear()
    world.run(1800)

    assert world.steps == []


def test_an_edge_that_has_nothing_yet_gets_what_is_stored(world):
    world.fleet = ["edge1"]
    world.run(20)

    assert {(order["lane"], order["tgt"]) for order in world.orders[1:]} == {("state", "edge1")}


def test_the_other_services_go_on():
    world = World(SERVICE, WEB)
    world.store.freeze("default", SERVICE, BY_HAND)
    world.say(listed(OLD), applied(NEW, name="web-1", service=WEB))
    world.run(1)

    assert (world.stored(), world.stored(WEB)) == (None, at(NEW))
    assert [order["services"] for order in world.orders] == [[WEB]]


def test_what_was_about_to_go_out_is_held_and_goes_out_on_thaw(world):
    world.store.thaw("default", world.frozen_as)
    world.run(3)
    world.bus.dead = True
    world.say(applied(NEW))
    world.cache.broken, world.cache.broken_key = {"store"}, "outbox"
    world.say(applied(OLD, NEW))
    world.store.freeze("default", world.frozen_as, BY_HAND)
    world.run(3)
    world.cache.broken = set()
    world.journal.clear()
    world.run(60)
    frozen = world.steps
    world.store.thaw("default", world.frozen_as)
    world.run(3)

    assert "order" not in frozen
    assert world.steps.count("order") == 1


def test_frozen_within_its_grace_it_is_emptied_on_thaw_and_the_engine_rests_meanwhile():
    world = World(empty_grace=30)
    world.say(listed(OLD))
    world.say(listed())
    world.store.freeze("default", SERVICE, BY_HAND)
    world.run(3600)
    frozen = world.stored()
    world.store.thaw("default", SERVICE)
    world.run(2.1)

    assert frozen == at(OLD)
    assert not any(world.stored().values())
    assert world.bus.conditions() == ["empty", "emptied"]
