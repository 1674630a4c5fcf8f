"""Endpoints outside of the allowed networks are left out; they empty nothing."""

from __future__ import annotations

import pytest
from haproxy_edge.networks import inside
from haproxy_edge.reflector import Applied
from haproxy_edge.snapshot import Server

from tests.unit.engine.material import NEW, OLD, SERVICE, STORED, World, a_slice, applied, at, endpoint, listed

EVIL = "192.0.2.66"
PODS = {SERVICE: ["10.42.0.0/16", "fd42::/48"]}


@pytest.fixture
def world():
    """An engine that has seen OLD, and may serve pods of 10.42/16 and fd42::/48."""
    world = World(allowed_networks=PODS, empty_grace=30)
    world.say(listed(OLD))
    world.run(1)
    world.journal.clear()
    return world


@pytest.mark.parametrize("address", ["10.42.255.255", "fd42::1"])
def test_what_is_inside_is_served(address):
    server = Server(address, 443)

    assert inside({"web": (server,)}, PODS[SERVICE]).ports == {"web": (server,)}


@pytest.mark.parametrize("address", ["10.43.0.0", "fd43::1", "::1", "127.0.0.1", "::ffff:10.42.0.7"])
def test_what_is_outside_is_left_out_and_named(address):
    judged = inside({"web": (Server(address, 443, pod="p"), Server(OLD, 443))}, PODS[SERVICE])

    assert judged.ports == {"web": (Server(OLD, 443),)}
    assert judged.refused == (f"{address} (p)",)


def test_without_the_option_every_address_is_right():
    assert inside({"web": (Server(EVIL, 443),)}, None).refused == ()


def test_an_endpoint_outside_is_refused_alarmed_and_reported_and_the_rest_is_served(world):
    world.say(applied(OLD, NEW, EVIL))
    world.say(applied(OLD, NEW, EVIL))

    assert world.stored() == at(OLD, NEW)
    assert world.bus.conditions() == ["outside"]
    assert EVIL in world.bus.warnings[0]["message"]
    assert world.daemon.report()["services"][SERVICE]["refused"] == [f"{EVIL} (traefik-1)"]


def test_a_port_of_which_all_are_outside_keeps_what_it_had(world):
    world.say(applied(EVIL))
    world.run(3600)

    assert (world.stored(), world.steps) == (at(OLD), [])
    assert world.daemon.report()["services"][SERVICE]["held"] == "outside"
    assert world.bus.conditions() == ["outside"]


def test_one_port_alone_is_kept_too_and_with_it_the_service(world):
    other = a_slice(endpoint(EVIL), name="traefik-2", ports=(("web", 8000),))
    world.say(Applied(a_slice(endpoint(OLD), ports=(("websecure", 8443), ("web", 8000)))))
    world.run(1)
    both = world.stored()
    world.say(Applied(a_slice(endpoint(NEW))), Applied(other))
    world.run(60)

    assert world.stored() == both
    assert world.daemon.report()["services"][SERVICE]["held"] == "outside"


def test_endpoints_outside_under_a_port_name_it_had_not_before_empty_nothing_either(world):
    world.say(applied(EVIL, ports=(("https", 8443),)))
    world.run(3600)

    assert (world.stored(), world.steps) == (at(OLD), [])
    assert world.daemon.report()["services"][SERVICE]["held"] == "outside"
    assert world.bus.conditions() == ["outside"]


def test_a_new_port_of_which_all_are_outside_holds_up_none_of_the_others(world):
    world.say(Applied(a_slice(endpoint(NEW))), applied(EVIL, name="traefik-2", ports=(("admin", 9000),)))

    assert world.stored() == {**at(NEW), "admin": []}
    assert world.daemon.report()["services"][SERVICE]["held"] is None


def test_what_is_mended_goes_out_at_once_and_is_held_no_more(world):
    world.say(applied(EVIL))
    world.say(applied(NEW))

    assert world.stored() == at(NEW)
    assert world.daemon.report()["services"][SERVICE]["held"] is None
    assert world.daemon.report()["services"][SERVICE]["refused"] == []


def test_a_service_that_never_had_any_inside_is_unknown_and_not_empty():
    world = World(allowed_networks=PODS)
    world.say(listed(EVIL))
    world.run(60)

    assert world.stored() is None


def test_a_thousand_outside_are_one_warning_of_a_few_names(world):
    world.say(applied(OLD, *(f"192.0.2.{number}" for number in range(250))))

    (warning,) = world.bus.warnings
    assert "and 240 more" in warning["message"]
    assert len(warning["message"]) < 500
    assert len(world.daemon.report()["services"][SERVICE]["refused"]) == 11


def test_a_service_that_is_not_named_may_be_anywhere():
    world = World(SERVICE, "gitea/ssh", allowed_networks=PODS)
    world.keep(STORED)
    world.say(listed(EVIL, service="gitea/ssh", name="ssh-1"), namespace="gitea")

    assert world.stored("gitea/ssh") == at(EVIL)
