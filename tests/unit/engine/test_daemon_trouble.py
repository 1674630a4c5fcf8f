"""The engine when a service empties, when its store fails, when it restarts: frozen, never drained, nothing lost."""

from __future__ import annotations

import itertools

import pytest
from haproxy_edge.reflector import Applied, Deleted, Listed
from haproxy_edge.snapshot import Server
from haproxy_edge.store import StoreError

from tests.unit.engine.material import NEW, OLD, SERVICE, STORED, World, a_slice, applied, at, endpoint, listed

SSH = "gitea/ssh"
HOUR = 3600
GRACE = 30
EMPTY = Applied(a_slice())


def ssh(*addresses):
    return Listed((a_slice(*map(endpoint, addresses), service=SSH, name="ssh-1"),))


@pytest.fixture
def world():
    """An engine that follows one service and has seen OLD."""
    world = World(empty_grace=GRACE)
    world.say(listed(OLD))
    world.run(1)
    world.journal.clear()
    return world


@pytest.mark.field_failure("null where a list was expected")
@pytest.mark.parametrize(
    "emptying",
    [
        pytest.param(Applied(a_slice()), id="a slice without endpoints"),
        pytest.param(Applied({**a_slice(), "endpoints": None, "ports": None}), id="endpoints and ports null"),
        pytest.param(Deleted(a_slice()), id="the last slice deleted"),
        pytest.param(Listed(()), id="an empty list"),
        pytest.param(Listed((a_slice(endpoint("nonsense")),)), id="no endpoint that can be used"),
    ],
)
def test_an_empty_service_keeps_its_servers_for_the_grace_and_is_emptied_then(world, emptying):
    world.say(emptying)
    world.run(GRACE - 1)
    held = (world.stored(), world.steps)
    world.run(2)

    assert held == (at(OLD), [])
    assert not any(world.stored().values())
    assert world.steps == ["store", "order", "ring"]


def test_an_empty_service_is_warned_about_at_once_and_when_it_is_emptied(world):
    world.say(EMPTY)
    at_once = world.bus.conditions()
    world.run(HOUR)

    assert at_once == ["empty"]
    assert world.bus.conditions() == ["empty", "emptied"]


def test_an_empty_service_says_so_once_however_often_it_changes(world):
    world.say(EMPTY)
    world.run(5)
    world.say(Deleted(a_slice()))
    world.run(5)
    world.say(Listed(()))

    assert world.bus.conditions() == ["empty"]


def test_the_grace_counts_from_the_first_moment_without_endpoints(world):
    world.say(EMPTY)
    world.run(20)
    world.say(Listed(()))
    world.run(11)

    assert not any(world.stored().values())


def test_endpoints_that_return_go_out_at_once(world):
    world.say(EMPTY)
    world.run(GRACE - 1)
    world.say(applied(NEW))

    assert world.steps == ["store", "order", "ring"]
    assert world.stored() == at(NEW)


def test_the_same_endpoints_back_within_the_grace_change_nothing(world):
    world.say(EMPTY)
    world.run(GRACE - 1)
    world.say(applied(OLD))
    world.run(HOUR)

    assert world.steps == []
    assert world.bus.conditions() == ["empty"]


def test_a_second_emptying_has_its_own_grace(world):
    world.say(EMPTY)
    world.run(GRACE - 1)
    world.say(applied(OLD))
    world.say(EMPTY)
    world.run(GRACE - 1)

    assert world.stored() == at(OLD)


def test_a_service_of_draining_endpoints_is_not_empty(world):
    world.say(Applied(a_slice(endpoint(OLD, ready=False))))

    assert world.store.snapshot("default", SERVICE).count("draining") == 1
    assert world.bus.conditions() == []


@pytest.mark.field_failure("growth past a limit")
def test_an_emptied_service_grows_again_without_a_limit(world):
    everywhere = [f"10.42.{n // 250}.{n % 250 + 1}" for n in range(1200)]
    sizes = []
    for addresses in ([OLD], everywhere, [], everywhere):
        world.say(applied(*addresses))
        world.run(GRACE + 1)
        sizes.append(len(world.stored().get("websecure", [])))

    assert sizes == [1, 1200, 0, 1200]


def test_without_grace_a_service_is_emptied_at_once():
    world = World(empty_grace=0)
    world.say(listed(OLD))
    world.say(EMPTY)

    assert world.stored() == {}


def test_an_empty_service_found_at_the_start_is_held_too():
    world = World(empty_grace=GRACE)
    world.keep(STORED)
    world.say(Listed(()))
    world.run(GRACE - 1)
    held = (world.stored(), world.steps)
    world.run(2)

    assert held == (at(OLD), [])
    assert world.stored() == {}


def test_a_restart_within_the_grace_begins_it_anew_and_does_not_forget(world):
    world.say(EMPTY)
    world.run(20)
    world.start()
    world.say(Listed(()))
    world.run(GRACE - 1)
    held = world.stored()
    world.run(2)

    assert held == at(OLD)
    assert world.stored() == {}


@pytest.mark.field_failure("a watch that ends in silence")
def test_deletions_missed_while_the_engine_was_down_are_seen_at_the_first_list():
    world = World()
    world.keep({"websecure": (Server(OLD, 8443), Server(NEW, 8443))})
    world.say(listed(NEW))

    assert world.stored() == at(NEW)
    assert world.steps == ["store", "order", "ring"]


@pytest.mark.parametrize("broken", ["fetch", "store"])
def test_a_store_error_freezes_and_what_is_due_goes_out_when_it_works_again(world, broken):
    world.start()
    world.cache.broken = {broken}
    world.say(listed(NEW))
    world.run(300)
    frozen = world.steps
    world.cache.broken = set()
    world.run(5)

    assert frozen == []
    assert world.steps == ["store", "order", "ring"]
    assert world.stored() == at(NEW)


def test_an_outbox_that_fails_loses_no_order(world):
    world.cache.broken, world.cache.broken_key = {"store"}, "outbox"
    world.say(applied(NEW))
    world.run(60)
    frozen = world.steps
    world.cache.broken = set()
    world.run(5)

    assert frozen == ["store"]
    assert world.steps == ["store", "order", "ring"]


def test_a_resync_that_cannot_be_ordered_is_tried_again_and_is_a_resync_still():
    world = World(resync=600)
    world.say(listed(OLD))
    world.cache.broken, world.cache.broken_key = {"store"}, "outbox"
    world.run(605)
    world.cache.broken = set()
    world.journal.clear()
    world.run(2)

    assert [(kind, lane) for kind, lane in world.journal if kind == "order"] == [("order", "state")]


def test_a_ring_that_cannot_be_ordered_is_tried_again_every_second_by_the_same_lane(caplog):
    world = World()
    world.fleet = ["edge1", "edge2"]
    world.say(listed(OLD))
    world.confirm("edge1", lane="state")
    world.say(applied(NEW))
    world.cache.broken, world.cache.broken_key = {"store"}, "outbox"
    world.run(60)
    said_too_early = "rung again" in caplog.text
    world.cache.broken = set()
    world.journal.clear()
    world.run(2)

    assert not said_too_early
    assert {(order["lane"], order["tgt"]) for order in world.orders} >= {("hot", "edge1"), ("state", "edge2")}


def test_a_store_that_fails_for_a_day_is_tried_about_once_a_second(world):
    tries = []
    world.start()
    world.cache.broken, before = {"fetch"}, world.cache.fetch
    world.cache.fetch = lambda bank, key: (tries.append(key), before(bank, key))
    world.say(listed(NEW))
    world.run(60)

    assert 30 <= tries.count(SERVICE.replace("/", ".")) <= 63


def told(caplog):
    return [line for line in caplog.messages if "edges stay as they are, tried again every" in line]


def test_a_damaged_row_of_a_service_is_told_when_it_begins_and_anew_when_it_comes_back(caplog):
    world = World(SERVICE, SSH)
    world.say(listed(OLD))
    for broken in ({"fetch"}, set(), {"fetch"}):
        world.daemon._services.read_again()
        world.cache.broken, world.cache.broken_key = broken, f"services/{SERVICE.replace('/', '.')}"
        world.run(HOUR)

    assert len(told(caplog)) == 2
    assert SERVICE.replace("/", ".") in told(caplog)[0]


def test_a_store_that_fails_is_told_once_for_each_step_that_needs_it_though_each_try_names_another_file(world, caplog):
    tries = itertools.count()

    def full(bank, key, data):
        raise StoreError(f"store: no space left: {bank}/tmp{next(tries)}")

    world.cache.store = full
    world.say(applied(NEW))
    world.run(HOUR)

    assert 1 <= len(told(caplog)) <= 3
    assert next(tries) > HOUR / 2


@pytest.mark.field_failure("a change lost between two publishes")
def test_what_changed_while_the_store_failed_goes_out_as_its_last_content(world):
    world.cache.broken = {"fetch", "store"}
    for address in ("10.42.0.1", "10.42.0.2", NEW):
        world.say(applied(address))
        world.run(5)
    world.cache.broken = set()
    world.run(5)

    assert world.steps == ["store", "order", "ring"]
    assert world.stored() == at(NEW)


@pytest.mark.parametrize("broken", ["fetch", "store"])
def test_a_service_is_emptied_although_the_store_failed_at_the_end_of_its_grace(world, broken):
    world.say(EMPTY)
    world.run(GRACE - 1)
    world.cache.broken = {broken}
    world.run(10)
    world.cache.broken = set()
    world.run(5)

    assert world.stored() == {}
    assert world.bus.conditions() == ["empty", "emptied"]


@pytest.mark.parametrize("bad", [SERVICE, SSH])
def test_one_unreadable_snapshot_does_not_stop_the_other_services(bad):
    world = World(SERVICE, SSH)
    world.cache.broken, world.cache.broken_key = {"fetch"}, bad.replace("/", ".")
    world.say(listed(OLD))
    world.say(ssh(NEW), namespace="gitea")
    world.run(10)

    (good,) = {SERVICE, SSH} - {bad}
    assert any(world.stored(good).values())
    assert [order["services"] for order in world.orders] == [[good]]


def test_a_resync_is_ordered_although_a_snapshot_is_unreadable():
    world = World(SERVICE, resync=600)
    world.keep(STORED)
    world.cache.broken = {"fetch"}
    world.say(listed(NEW))
    world.run(600.5)

    assert world.steps == ["order", "ring"]


def test_a_snapshot_lost_from_the_store_is_stored_again_after_a_resync():
    world = World(SERVICE, resync=600)
    world.say(listed(OLD))
    world.cache.rows.clear()
    world.run(700)

    assert world.stored() == at(OLD)


def test_a_bus_that_takes_no_warning_holds_nothing_up(world):
    world.bus.deaf = True
    world.say(EMPTY)
    world.run(GRACE + 1)

    assert world.stored() == {}
