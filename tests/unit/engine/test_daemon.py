"""The engine's cycle: what is stored, ordered and rung, in which order, and what an error changes: nothing."""

from __future__ import annotations

import pytest
from haproxy_edge.reflector import Applied, Condition, Deleted, Listed

from tests.unit.engine.material import (
    NEW,
    OLD,
    SERVICE,
    STORED,
    WALL,
    WEB,
    World,
    a_slice,
    applied,
    at,
    endpoint,
    listed,
    places,
)

HOUR = 3600


@pytest.fixture
def world():
    """An engine that follows one service and has seen OLD."""
    world = World()
    world.say(listed(OLD))
    world.run(1)
    world.journal.clear()
    return world


def test_the_snapshot_is_stored_before_the_order_and_the_order_before_the_doorbell_rings():
    world = World()
    world.say(listed(OLD))

    assert world.steps == ["store", "order", "ring"]
    assert world.stored() == at(OLD)


def test_an_order_says_for_whom_and_what():
    world = World(cluster="west", target="edge*", target_type="glob")
    world.say(listed(OLD))

    (order,) = world.orders
    assert {key: order[key] for key in ("lane", "tgt", "tgt_type", "services", "cluster")} == {
        "lane": "state",
        "tgt": "edge*",
        "tgt_type": "glob",
        "services": [SERVICE],
        "cluster": "west",
    }


def test_a_change_goes_out_at_once(world):
    world.say(applied(OLD, NEW))

    assert world.steps == ["store", "order", "ring"]
    assert world.stored() == at(OLD, NEW)


def test_without_a_list_nothing_is_stored_or_ordered():
    world = World()
    world.run(HOUR)

    assert world.journal == []


@pytest.mark.field_failure("an API error read as no endpoints")
@pytest.mark.parametrize(
    "name",
    [
        *("http-401", "http-403", "http-429", "http-500", "http-503"),
        *("unreachable", "timeout", "dropped", "truncated", "wrong-kind", "error-event", "short-watch", "kubeconfig"),
    ],
)
def test_an_api_error_is_never_read_as_no_endpoints(world, name):
    world.say(Condition(name, "the API is broken"))
    world.run(HOUR)

    assert world.journal == []
    assert world.stored() == at(OLD)


@pytest.mark.field_failure("an API error read as no endpoints")
def test_an_api_error_is_an_alarm_for_every_service_of_that_watch():
    world = World(SERVICE, WEB, "gitea/ssh")
    world.say(Condition("http-403", "forbidden: edges stay as they are"))

    assert world.bus.warnings == [
        {
            "cluster": "default",
            "service": service,
            "condition": "http-403",
            "message": "forbidden: edges stay as they are",
        }
        for service in (SERVICE, WEB)
    ]


def test_a_good_view_is_no_alarm(world):
    world.say(Condition("ok", "following"))

    assert world.bus.warnings == []


@pytest.mark.field_failure("a reload for nothing new")
def test_a_list_with_the_same_content_orders_nothing(world):
    world.say(listed(OLD))
    world.run(HOUR)

    assert world.journal == []


@pytest.mark.field_failure("a reload for nothing new")
def test_content_in_another_order_stores_and_orders_nothing(world):
    world.say(applied(NEW, OLD))
    world.journal.clear()
    world.say(applied(OLD, NEW))
    world.run(HOUR)

    assert world.journal == []


def test_a_slice_of_another_service_orders_nothing(world):
    world.say(applied(NEW, service="kube-system/other", name="other-1"))
    world.run(HOUR)

    assert world.journal == []


def test_the_generation_grows_only_with_the_content(world):
    first = world.store.snapshot("default", SERVICE).generation
    world.say(listed(OLD))
    unchanged = world.store.snapshot("default", SERVICE).generation
    world.say(applied(NEW))

    assert first == unchanged < world.store.snapshot("default", SERVICE).generation


def test_the_generation_grows_although_the_clock_was_set_back(world):
    before = world.store.snapshot("default", SERVICE).generation
    world.set_back = HOUR
    world.say(applied(NEW))

    assert world.store.snapshot("default", SERVICE).generation == before + 1


def test_a_clock_set_back_holds_nothing_up(world):
    world.set_back = HOUR
    world.say(applied(NEW))
    world.run(1)
    world.say(applied(OLD))

    assert world.steps == ["store", "order", "ring"] * 2


def test_a_first_list_that_the_store_has_already_orders_nothing():
    world = World()
    world.keep(STORED)
    world.say(listed(OLD))
    world.run(HOUR)

    assert world.steps == []


def test_what_was_never_stored_before_goes_out_as_state_and_what_was_by_the_hot_lane():
    world = World()
    world.say(listed(OLD))
    world.start()
    world.say(listed(NEW))

    assert [order["lane"] for order in world.orders] == ["state", "hot"]


def test_every_service_is_ordered_after_its_own_first_list():
    world = World(SERVICE, "gitea/ssh")
    world.say(listed(OLD))
    world.run(1)
    world.say(listed(NEW, service="gitea/ssh", name="ssh-1"), namespace="gitea")

    assert [order["services"] for order in world.orders] == [[SERVICE], ["gitea/ssh"]]


@pytest.mark.field_failure("a change lost between two publishes")
def test_changes_closer_than_the_interval_are_one_order_of_the_last_content(world):
    world.say(applied(OLD, NEW))
    world.journal.clear()
    for address in ("10.42.0.1", "10.42.0.2", "10.42.0.3"):
        world.say(applied(address))
    world.run(1)

    assert world.steps == ["store", "store", "store", "order", "ring"]
    assert world.stored() == at("10.42.0.3")


@pytest.mark.field_failure("one bad edge holds up all")
def test_the_next_order_waits_for_the_edges_that_keep_up_and_for_nobody_else():
    world = World(min_interval=0.1)
    world.fleet[:] = ["edge1", "edge2"]
    world.say(listed(OLD))
    for edge in world.fleet:
        world.confirm(edge, lane="state", order="")
    world.say(applied(NEW))
    world.run(0.2)
    world.confirm("edge1")
    world.say(applied(OLD, NEW))
    world.run(0.3)
    ordered = len(world.orders)
    world.confirm("edge2", digest="of the change before")

    assert len(world.orders) == ordered + 1
    world.say(applied(OLD))
    world.run(1.1)
    assert len(world.orders) == ordered + 2


@pytest.mark.field_failure("a change lost between two publishes")
def test_remove_and_add_again_inside_the_interval_is_not_lost(world):
    world.say(applied(OLD, NEW))
    world.say(applied(NEW))
    world.say(applied(OLD, NEW))
    world.run(1)

    assert world.stored() == at(OLD, NEW)
    assert world.steps[-2:] == ["order", "ring"]


def test_a_deleted_slice_takes_its_servers_with_it(world):
    world.say(applied(NEW, name="traefik-2"))
    world.say(Deleted(a_slice(name="traefik-1")))

    assert world.stored() == at(NEW)


@pytest.mark.field_failure("a watch that ends in silence")
def test_slices_missed_while_away_are_gone_after_the_list(world):
    world.say(applied(NEW, name="traefik-2"))
    world.say(listed(NEW, name="traefik-2"))

    assert world.stored() == at(NEW)


def test_a_slice_that_changes_hands_changes_both_services():
    world = World(SERVICE, WEB)
    world.say(Listed((a_slice(endpoint(OLD)), a_slice(endpoint(NEW), name="other"))))
    world.say(applied(NEW, name="other", service=WEB))
    world.run(1)

    assert (world.stored(), world.stored(WEB)) == (at(OLD), at(NEW))


@pytest.mark.field_failure("only some of the slices, or some twice")
def test_an_endpoint_that_moves_between_slices_is_in_everything_that_is_stored_meanwhile(world):
    stored, save = [], world.store.save
    world.store.save = lambda snapshot: (stored.append(places(snapshot.ports)), save(snapshot))
    for change in (
        applied(OLD, name="traefik-2"),
        applied(NEW),
        applied(NEW, OLD, name="traefik-2"),
        Deleted(a_slice()),
    ):
        world.say(change)
        world.run(1)

    assert stored == [at(OLD, NEW)]


def test_two_services_of_one_watch_are_one_order():
    world = World(SERVICE, WEB)
    world.say(Listed((a_slice(endpoint(OLD)), a_slice(endpoint(NEW), name="web-1", service=WEB))))

    assert [order["services"] for order in world.orders] == [[SERVICE, WEB]]


@pytest.mark.field_failure("Salt loses or doubles")
def test_a_doorbell_nobody_heard_is_rung_again_for_the_same_order(world):
    world.bus.deaf = True
    world.say(applied(NEW))
    world.run(3)
    world.bus.deaf = False
    world.run(HOUR)

    assert world.steps[:2] == ["store", "order"]
    assert 2 <= world.steps.count("deaf") <= 5
    assert world.steps[-1] == "ring"
    assert (world.steps.count("order"), world.steps.count("ring")) == (1, 1)


def test_the_whole_fleet_is_ordered_at_every_resync():
    world = World(SERVICE, WEB, resync=600)
    world.say(Listed((a_slice(endpoint(OLD)), a_slice(endpoint(NEW), name="web-1", service=WEB))))
    world.journal.clear()
    world.run(1800)

    assert world.steps == ["order", "ring"] * 3
    assert world.orders[-1]["services"] == [SERVICE, WEB]
    assert world.orders[-1]["issued"] - world.orders[-2]["issued"] == pytest.approx(600, abs=1)


def test_without_resync_a_quiet_day_orders_nothing(world):
    world.run(HOUR)

    assert world.journal == []


def test_warnings_of_slices_are_said_once_each(world):
    world.say(applied("nonsense"))
    world.say(applied("nonsense", OLD))
    world.say(applied("nonsense", "ff02::1"))

    messages = [warning["message"] for warning in world.bus.warnings if warning["condition"] == "slice"]
    assert [("nonsense" in message, "ff02::1" in message) for message in messages] == [(True, False), (False, True)]


@pytest.mark.parametrize("metadata", [None, [], "x", {"labels": ["x"]}, {"name": None}], ids=repr)
def test_objects_without_usable_metadata_concern_no_service(world, metadata):
    world.say(Applied({"metadata": metadata, "endpoints": None}))
    world.say(Deleted({"metadata": metadata, "endpoints": None}))
    world.say(applied(NEW))

    assert world.stored() == at(NEW)


def test_orders_are_dated_by_the_wall_clock(world):
    world.say(applied(NEW))

    assert world.orders[-1]["issued"] == WALL + world.inbox.steady


def test_endpoints_objects_are_followed_like_slices():
    world = World()
    subset = {"addresses": [{"ip": OLD}], "ports": [{"name": "websecure", "port": 8443}]}
    item = {"metadata": {"name": "traefik", "namespace": "kube-system"}, "subsets": [subset]}
    world.say(Listed((item,)), slices=False)
    first = world.stored()
    world.say(Applied({**item, "subsets": [{**subset, "addresses": [{"ip": NEW}]}]}), slices=False)

    assert (first, world.stored()) == (at(OLD), at(NEW))
