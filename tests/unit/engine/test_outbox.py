"""Orders: each is taken once, by one, while it still means something."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from haproxy_edge.outbox import BANK, MAX_AGE, Outbox

from tests.unit.engine.material import FakeCache

NOW = 1_764_000_000.0


@pytest.fixture
def cache():
    return FakeCache()


@pytest.fixture
def outbox(cache):
    return Outbox(cache)


def put(outbox, *, now=NOW, lane="state", services=("kube-system/traefik",), tgt="roles:haproxy-edge"):
    return outbox.put(lane, tgt=tgt, tgt_type="grain", services=services, cluster="default", now=now).id


def ids(orders):
    return [order["id"] for order in orders]


def test_an_order_says_what_to_run_where(outbox):
    order_id = put(outbox)

    assert outbox.take("state", now=NOW) == [
        {
            "id": order_id,
            "lane": "state",
            "tgt": "roles:haproxy-edge",
            "tgt_type": "grain",
            "services": ["kube-system/traefik"],
            "cluster": "default",
            "issued": NOW,
        }
    ]


@pytest.mark.field_failure("Salt loses or doubles")
def test_an_order_is_taken_once(outbox, cache):
    put(outbox)
    outbox.take("state", now=NOW)

    assert outbox.take("state", now=NOW) == []
    assert cache.rows == {}


def test_without_an_order_nothing_is_taken(outbox):
    assert outbox.take("state", now=NOW) == []


def test_an_empty_outbox_costs_one_look_and_no_write(outbox, cache):
    calls = []
    for name in ("fetch", "store", "flush", "list"):
        asked = getattr(cache, name)
        setattr(cache, name, lambda *given, name=name, asked=asked: (calls.append(name), asked(*given))[1])
    for _ in range(1000):
        outbox.take("hot", now=NOW)

    assert calls == ["list"] * 1000


def test_orders_are_taken_oldest_first(outbox):
    later, sooner = put(outbox, now=NOW + 100, tgt="a"), put(outbox, now=NOW + 9, tgt="b")

    assert ids(outbox.take("state", now=NOW + 101)) == [sooner, later]


def test_orders_of_one_moment_are_all_kept(outbox):
    assert len({put(outbox, tgt=str(number)) for number in range(50)}) == 50
    assert len(outbox.take("state", now=NOW)) == 50


def test_orders_for_the_same_edges_are_one_publish_of_all_their_services(outbox, cache):
    put(outbox, services=("a/one",))
    put(outbox, now=NOW + 1, tgt="edge9", services=("a/one",))
    last = put(outbox, now=NOW + 2, services=("a/two", "a/one"))

    first, second = outbox.take("state", now=NOW + 3)
    assert (first["tgt"], first["services"]) == ("edge9", ["a/one"])
    assert (second["id"], second["services"]) == (last, ["a/one", "a/two"])
    assert cache.rows == {}


def test_each_lane_takes_its_own(outbox):
    hot, state = put(outbox, lane="hot"), put(outbox)

    assert ids(outbox.take("state", now=NOW)) == [state]
    assert ids(outbox.take("hot", now=NOW)) == [hot]


def test_an_order_too_old_is_dropped(outbox, cache):
    put(outbox)

    assert outbox.take("state", now=NOW + MAX_AGE) == []
    assert cache.rows == {}


def test_an_order_counts_until_it_is_too_old(outbox):
    put(outbox)

    assert len(outbox.take("state", now=NOW + MAX_AGE - 1)) == 1


def test_an_order_counts_although_the_clock_was_set_back(outbox):
    put(outbox)

    assert len(outbox.take("state", now=NOW - 86_400)) == 1


@pytest.mark.field_failure("Salt loses or doubles")
def test_two_takers_at_once_never_share_an_order_and_lose_none(outbox, cache):
    expected = {put(outbox, now=NOW + n, tgt=str(n)) for n in range(200)}
    together = threading.Barrier(2)

    def take():
        together.wait()
        return ids(Outbox(cache).take("state", now=NOW))

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(take), pool.submit(take)
    taken = first.result() + second.result()

    assert len(taken) == 200
    assert set(taken) == expected


def test_an_order_that_another_removed_meanwhile_is_not_taken(outbox, cache):
    put(outbox)
    cache.flush = lambda bank, key: False

    assert outbox.take("state", now=NOW) == []


@pytest.mark.parametrize("row", [None, [], "text", {}], ids=repr)
def test_what_is_no_order_is_passed_over(outbox, cache, row):
    cache.rows[BANK, "0"] = row
    order_id = put(outbox)

    assert ids(outbox.take("state", now=NOW)) == [order_id]


@pytest.mark.parametrize("at", [NOW - 1, NOW + 1], ids=["before a good one", "after a good one"])
def test_an_unreadable_order_neither_blocks_nor_loses_the_others(outbox, cache, at):
    cache.broken, cache.broken_key = {"fetch"}, put(outbox, now=at)
    good = put(outbox)

    assert ids(outbox.take("state", now=NOW)) == [good]
