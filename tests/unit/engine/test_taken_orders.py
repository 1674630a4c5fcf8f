"""What the reactor's SLS is given: orders with the newest content, of which no damaged row loses any."""

from __future__ import annotations

import pytest
from haproxy_edge.modules import haproxy_edge_outbox as module
from haproxy_edge.outbox import Outbox
from haproxy_edge.payload import pack
from haproxy_edge.snapshot import Server, Snapshot
from haproxy_edge.store import Store

from tests.unit.engine.material import OLD, SERVICE, WEB, FakeCache

PORTS = {"websecure": (Server(OLD, 8443),)}
NOW = 1_764_000_000.0


@pytest.fixture
def cache(monkeypatch):
    """Salt's cache, as a dict, with a snapshot of each service."""
    cache = FakeCache()
    for cluster in ("default", "west"):
        for service in (SERVICE, WEB):
            Store(cache).save(Snapshot(cluster, service, PORTS, 5))
    monkeypatch.setattr(module, "SaltCache", lambda opts: cache)
    monkeypatch.setattr(module, "__opts__", {}, raising=False)
    monkeypatch.setattr("time.time", lambda: NOW)
    return cache


def order(cache, *services, cluster="default"):
    return Outbox(cache).put("hot", tgt="x", tgt_type="list", services=services, cluster=cluster, now=NOW).id


def payload(order_id, *services, cluster="default"):
    return pack(order_id, [Snapshot(cluster, service, PORTS, 5).to_json() for service in services])


def test_an_order_of_the_hot_lane_carries_what_is_stored(cache):
    order_id = order(cache, SERVICE, WEB)

    assert [one["payload"] for one in module.take("hot")] == [payload(order_id, SERVICE, WEB)]


@pytest.mark.parametrize("damage", ["not readable", "not a text"])
def test_a_damaged_row_loses_neither_its_order_nor_another(cache, damage, caplog):
    first, second = order(cache, SERVICE, WEB), order(cache, SERVICE, cluster="west")
    if damage == "not readable":
        cache.broken, cache.broken_key = {"fetch"}, "haproxy_edge/default/services/kube-system.web"
    else:
        cache.rows["haproxy_edge/default/services", "kube-system.web"] = {"snapshot": 5}

    assert {one["id"]: one["payload"] for one in module.take("hot")} == {
        first: payload(first, SERVICE),
        second: payload(second, SERVICE, cluster="west"),
    }
    assert [line for line in caplog.messages if "kube-system/web cannot be read" in line]


def test_an_outbox_that_cannot_be_read_gives_nothing_and_says_so(cache, caplog):
    order(cache, SERVICE)
    cache.broken = {"list"}

    assert module.take("hot") == []
    assert "nothing is published" in caplog.text
