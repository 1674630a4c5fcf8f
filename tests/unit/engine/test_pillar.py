"""The external pillar: what a host's frontends name, its own key, and "unknown" where the master does not know."""

from __future__ import annotations

import pytest
from haproxy_edge.pillar import haproxy_edge as module
from haproxy_edge.snapshot import Server, Snapshot
from haproxy_edge.store import Store

from tests.unit.engine.material import SERVICE, FakeCache

PILLAR = {"haproxy": {"bind": "ipv6@:443"}}
SNAPSHOT = Snapshot("default", SERVICE, {"websecure": (Server("10.42.0.7", 8443),)}, 5)
EMPTY = Snapshot("default", SERVICE, {}, 6)


@pytest.fixture
def cache(monkeypatch):
    """Salt's cache, as a dict."""
    cache = FakeCache()
    monkeypatch.setattr(module, "SaltCache", lambda opts: cache)
    monkeypatch.setattr(module, "__opts__", {}, raising=False)
    return cache


def pillar_of(minion_id="edge1", pillar=PILLAR, **options):
    return module.ext_pillar(minion_id, pillar, **options).get("haproxy_edge", {})


def test_a_known_service_is_given_as_the_stored_text(cache):
    Store(cache).save(SNAPSHOT)

    assert pillar_of()["snapshots"] == {"default": {SERVICE: SNAPSHOT.to_json()}}


def test_a_service_never_seen_is_unknown_and_not_empty(cache):
    assert pillar_of()["snapshots"] == {"default": {SERVICE: "unknown"}}


def test_an_empty_service_is_given_and_not_unknown(cache):
    Store(cache).save(EMPTY)

    assert pillar_of()["snapshots"] == {"default": {SERVICE: EMPTY.to_json()}}


def test_a_store_that_cannot_be_read_is_unknown_and_never_empty(cache):
    Store(cache).save(SNAPSHOT)
    cache.broken = {"fetch"}

    assert pillar_of() == {"snapshots": {"default": {SERVICE: "unknown"}}}


def test_one_unreadable_snapshot_does_not_take_the_others_with_it(cache):
    Store(cache).save(SNAPSHOT)
    cache.broken, cache.broken_key = {"fetch"}, "gitea.ssh"
    frontends = {"ssh": {"bind": ":22", "service": "gitea/ssh", "port": "ssh"}}

    assert pillar_of(pillar={"haproxy": {"bind": ":443", "frontends": frontends}})["snapshots"] == {
        "default": {"gitea/ssh": "unknown", SERVICE: SNAPSHOT.to_json()}
    }


def test_an_edge_gets_its_own_key_and_the_same_each_time(cache):
    one, again, other = pillar_of("edge1"), pillar_of("edge1"), pillar_of("edge2")

    assert one["ack_key"] == again["ack_key"] == Store(cache).ack_key("edge1")
    assert other["ack_key"] != one["ack_key"]


@pytest.mark.parametrize("broken", ["fetch", "store"])
def test_without_a_key_the_snapshots_are_given_all_the_same(cache, broken):
    Store(cache).save(SNAPSHOT)
    cache.broken, cache.broken_key = {broken}, "edge1"

    assert pillar_of() == {"snapshots": {"default": {SERVICE: SNAPSHOT.to_json()}}}


def test_a_host_gets_only_what_its_frontends_name(cache):
    for service in (SERVICE, "gitea/ssh"):
        Store(cache).save(Snapshot("default", service, {}, 1))

    assert list(pillar_of()["snapshots"]["default"]) == [SERVICE]


def test_services_of_several_clusters_are_kept_apart(cache):
    Store(cache).save(SNAPSHOT)
    west = {"tls": {"bind": ":8443", "port": "websecure", "cluster": "west"}}

    assert pillar_of(pillar={"haproxy": {"bind": ":443", "frontends": west}})["snapshots"] == {
        "default": {SERVICE: SNAPSHOT.to_json()},
        "west": {SERVICE: "unknown"},
    }


@pytest.mark.parametrize("pillar", [{}, {"haproxy": None}, {"haproxy": "x"}, None, {"users": []}], ids=repr)
def test_a_minion_without_frontends_gets_nothing_and_no_key(cache, pillar):
    assert module.ext_pillar("web1", pillar) == {}
    assert cache.rows == {}


def test_options_in_the_configuration_are_taken(cache):
    assert pillar_of(whatever=1)["snapshots"]


def test_a_host_installed_anew_gets_a_new_key_and_a_known_one_keeps_its_own(cache, monkeypatch):
    owners = {"edge1": "first"}
    monkeypatch.setattr(module, "key_mark", lambda opts, minion_id: owners[minion_id])
    first, again = pillar_of()["ack_key"], pillar_of()["ack_key"]
    owners["edge1"] = "second"
    second = pillar_of()["ack_key"]
    owners["edge1"] = ""
    unknown = pillar_of()["ack_key"]

    assert first == again != second
    assert unknown == second


def test_a_key_of_an_earlier_release_is_kept_and_bound_to_its_owner(cache, monkeypatch):
    cache.rows["haproxy_edge/keys", "edge1"] = {"key": "a" * 64}
    monkeypatch.setattr(module, "key_mark", lambda opts, minion_id: "owner")

    assert pillar_of()["ack_key"] == "a" * 64
    assert cache.rows["haproxy_edge/keys", "edge1"] == {"key": "a" * 64, "owner": "owner"}
