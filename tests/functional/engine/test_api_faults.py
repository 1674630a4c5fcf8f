"""Whatever breaks between engine and API: nothing is emptied, it is said once, and then the view is true again."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest
from haproxy_edge import kube

from lab.kubeapi.folder import kubeconfig as kubeconfig_text
from lab.kubeapi.tcp_fault_proxy import TcpFaultProxy
from tests.functional.engine.following import ENGINE, SLICES, TIMEOUTS, slice_of

OLD, NEW = "10.42.0.7", "10.42.0.8"
FAULTS = [
    pytest.param({"kind": "status", "code": 500}, "http-500", id="500"),
    pytest.param({"kind": "status", "code": 503}, "http-503", id="503"),
    pytest.param({"kind": "status", "code": 401}, "http-401", id="401"),
    pytest.param({"kind": "status", "code": 403}, "http-403", id="403"),
    pytest.param({"kind": "status", "code": 404}, "http-404", id="404"),
    pytest.param({"kind": "status", "code": 429, "retry_after": 1}, "http-429", id="429"),
    pytest.param({"kind": "drop"}, "dropped", id="connections dropped"),
    pytest.param({"kind": "stall"}, "timeout", id="connections half-open"),
    pytest.param({"kind": "truncate"}, "truncated", id="half an answer"),
    pytest.param({"kind": "error_event", "code": 500}, "error-event", id="ERROR event"),
    pytest.param({"kind": "wrong_kind", "verb": "list"}, "wrong-kind", id="a list of another kind"),
]


def break_(api, **fault):
    """For the engine's account alone; an open watch ends, so that it meets the fault."""
    if fault.get("verb") == "list":
        api.fault("drop", user=ENGINE, verb="watch", times=1)
    api.fault(user=ENGINE, path=SLICES, **fault)
    api.end_watches()


@pytest.mark.field_failure("an API error read as no endpoints")
@pytest.mark.parametrize(("fault", "condition"), FAULTS)
def test_an_api_error_is_never_read_as_no_endpoints(api, follower, fault, condition):
    break_(api, **fault)
    said = follower.until_condition(condition)
    api.client.create(SLICES, slice_of(NEW, name="traefik-2"))
    api.clear_faults()
    follower.until_addresses(OLD, NEW)
    follower.until_well()

    assert said.message.endswith("edges stay as they are")
    assert min(follower.sizes) == 1
    assert follower.conditions.count(condition) == 1


@pytest.mark.field_failure("an API error read as no endpoints")
@pytest.mark.parametrize(("fault", "condition"), FAULTS)
def test_an_api_that_is_broken_from_the_start_is_unknown_and_not_empty(api, follow, fault, condition):
    api.fault(user=ENGINE, path=SLICES, **({**fault, "verb": "list"} if fault["kind"] == "error_event" else fault))
    follower = follow()
    follower.until_condition("http-500" if fault["kind"] == "error_event" else condition)
    api.clear_faults()
    follower.until_addresses(OLD)

    assert follower.sizes == [1]


def test_an_error_of_hours_is_said_once(api, follower):
    break_(api, kind="status", code=500)
    follower.until_condition("http-500")
    tries = len(follower.waits)
    while len(follower.waits) < tries + 20:
        time.sleep(0.01)
    api.clear_faults()
    follower.until_condition("ok")

    assert follower.conditions == ["ok", "http-500", "ok"]


def test_retries_against_a_broken_api_become_fewer(api, follower):
    break_(api, kind="status", code=500)
    while len(follower.waits) < 10:
        time.sleep(0.01)

    assert follower.waits[0] <= 0.5
    assert all(15 <= wait <= 30 for wait in follower.waits[7:10])


def test_an_api_that_asks_for_patience_gets_it(api, follower):
    break_(api, kind="status", code=429, retry_after=7)
    follower.until_condition("http-429")
    while not follower.waits:
        time.sleep(0.01)

    assert follower.waits[0] == 7


@pytest.mark.field_failure("a watch that ends in silence")
def test_a_watch_that_goes_mute_is_torn_down_within_its_read_timeout_and_listed_anew(api, follower):
    api.fault("stall", user=ENGINE, verb="watch", times=1)
    api.client.create(SLICES, slice_of(NEW, name="traefik-2"))
    # the watch itself would go on for longer than the follower's patience
    follower.until_condition("timeout")
    follower.until_addresses(OLD, NEW)

    assert follower.freshness.relists == {"timeout": 1}


@pytest.mark.field_failure("a watch that ends in silence")
def test_a_410_in_the_stream_is_a_new_list_with_the_deletions_that_were_missed(api, follower):
    api.fault("drop", user=ENGINE, verb="list")
    api.fault("error_event", user=ENGINE, verb="watch", code=410, times=1)
    follower.until_condition("dropped")
    api.client.create(SLICES, slice_of(NEW, name="traefik-2"))
    api.client.delete(f"{SLICES}/traefik-1")
    api.clear_faults()
    follower.until_addresses(NEW)

    assert min(follower.sizes) == 1
    assert follower.freshness.relists["http-410"] == 1


@pytest.mark.field_failure("a watch that ends in silence")
def test_a_watch_that_the_server_ends_goes_on_where_it_ended(api, follower):
    api.client.create(SLICES, slice_of(NEW, name="traefik-2"))
    follower.until_addresses(OLD, NEW)
    ended = api.end_watches()
    api.client.delete(f"{SLICES}/traefik-1")
    follower.until_addresses(NEW)

    assert ended == 1
    assert follower.freshness.relists == {}
    assert follower.conditions == ["ok"]


@pytest.mark.field_failure("a watch that ends in silence")
def test_a_network_that_swallows_every_packet_is_noticed_and_survived(api, follow, tmp_path):
    parts = urlsplit(api.url)
    with TcpFaultProxy(parts.hostname, parts.port) as proxy:
        path = tmp_path / "kubeconfig"
        token = api.client.token("haproxy-edge", "kube-system")
        url = f"https://127.0.0.1:{proxy.port}"
        path.write_text(kubeconfig_text(url=url, ca=api.ca_file.read_bytes(), token=token, user="engine"))
        follower = follow(lambda: kube.connect(kubeconfig=str(path), context=None, timeouts=TIMEOUTS))
        follower.until_addresses(OLD)
        proxy.stall()
        follower.until_condition("timeout")
        api.client.delete(f"{SLICES}/traefik-1")
        api.client.create(SLICES, slice_of(NEW))
        proxy.flow()
        follower.until_addresses(NEW)
        # seen by a watch, so there is one to drop: between a list and its watch nothing would be noticed
        api.client.create(SLICES, slice_of(OLD, name="traefik-2"))
        follower.until_addresses(OLD, NEW)
        proxy.drop()
        follower.until_condition("dropped")
        follower.until_condition("ok")

    assert min(follower.sizes) == 1


def test_an_event_of_another_kind_in_the_watch_empties_nothing(api, follower):
    api.fault("wrong_kind", user=ENGINE, verb="watch", times=1)
    api.end_watches()
    api.client.create(SLICES, slice_of(NEW, name="traefik-2"))
    follower.until_addresses(OLD, NEW)

    assert min(follower.sizes) == 1


def test_a_watch_that_ends_at_once_each_time_is_not_repeated_at_full_speed(api, follower):
    api.fault("wrong_kind", user=ENGINE, verb="watch")
    api.end_watches()
    api.forget_requests()
    began = time.monotonic()
    while len(follower.waits) < 3 and time.monotonic() < began + 1:
        time.sleep(0.01)
    watches = [request for request in api.requests if request["verb"] == "watch"]

    assert len(watches) < 30
