"""What survives a restart: a snapshot of every service, a key of every edge. Unreadable is not empty."""

from __future__ import annotations

import pytest
from haproxy_edge.records import ChangeRecord, EdgeRecord, Frozen, Reload
from haproxy_edge.snapshot import Server, Snapshot
from haproxy_edge.store import ALL, Store, StoreError

from tests.unit.engine.material import SERVICE, FakeCache

BANK = "haproxy_edge/default/services"
KEY = "kube-system.traefik"
SNAPSHOT = Snapshot("default", SERVICE, {"websecure": (Server("10.42.0.7", 8443),)}, 5)


@pytest.fixture
def cache():
    return FakeCache()


@pytest.fixture
def store(cache):
    return Store(cache)


def test_a_saved_snapshot_is_read_back(store):
    store.save(SNAPSHOT)

    assert store.snapshot("default", SERVICE) == SNAPSHOT
    assert store.snapshot_text("default", SERVICE) == SNAPSHOT.to_json()


def test_a_snapshot_stands_as_one_text_where_the_contract_says(store, cache):
    store.save(SNAPSHOT)

    assert cache.rows == {(BANK, KEY): {"snapshot": SNAPSHOT.to_json()}}


def test_a_service_never_seen_is_unknown_and_not_empty(store):
    assert store.snapshot("default", SERVICE) is None
    assert store.snapshot_text("default", SERVICE) is None


def test_a_newer_snapshot_replaces_the_older(store):
    store.save(SNAPSHOT)
    store.save(Snapshot("default", SERVICE, {}, 6))

    assert store.snapshot("default", SERVICE).generation == 6


def test_services_and_clusters_are_kept_apart(store):
    others = [Snapshot("west", SERVICE, {}, 1), Snapshot("default", "kube-system/web", {}, 2)]
    for one in (SNAPSHOT, *others):
        store.save(one)

    assert [store.snapshot(one.cluster, one.service) for one in (SNAPSHOT, *others)] == [SNAPSHOT, *others]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"snapshot": ""}, id="empty"),
        pytest.param({"snapshot": SNAPSHOT.to_json()[:-20]}, id="cut off"),
        pytest.param({"snapshot": SNAPSHOT.to_json().replace("8443", "8444")}, id="changed by hand"),
        pytest.param({"snapshot": SNAPSHOT.to_json().replace('"schema":1', '"schema":2')}, id="of a later release"),
        pytest.param({"snapshot": "null"}, id="null in it"),
        pytest.param({"snapshot": 7}, id="a number"),
    ],
)
def test_an_unreadable_row_is_an_error_that_names_the_service_and_never_an_empty_one(store, cache, row):
    cache.rows[BANK, KEY] = row

    with pytest.raises(StoreError, match=f"default: {SERVICE}: "):
        store.snapshot("default", SERVICE)


def test_a_store_that_cannot_be_read_is_an_error(store, cache):
    store.save(SNAPSHOT)
    cache.broken = {"fetch"}

    with pytest.raises(StoreError):
        store.snapshot("default", SERVICE)


def test_an_edge_keeps_its_key(store):
    assert store.ack_key("edge1") == store.ack_key("edge1")


def test_a_key_survives_a_restart(store, cache):
    assert Store(cache).ack_key("edge1") == store.ack_key("edge1")


def test_every_edge_has_its_own_key_of_256_bits(store):
    keys = {store.ack_key(f"edge{number}") for number in range(20)}

    assert len(keys) == 20
    assert all(len(bytes.fromhex(key)) == 32 for key in keys)


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", "a\\b", "a\0b", "a\nb", "x" * 201], ids=repr)
def test_a_name_that_a_forger_chose_is_looked_up_nowhere(store, cache, name):
    cache.broken = {"fetch"}

    assert store.known_ack_key(name) is None


@pytest.mark.parametrize("row", [{}, {"key": None}, {"key": 7}, "text"], ids=repr)
def test_a_row_without_a_key_is_replaced(store, cache, row):
    cache.rows["haproxy_edge/keys", "edge1"] = row

    assert len(store.ack_key("edge1")) == 64
    assert store.ack_key("edge1") == store.ack_key("edge1")


def test_of_two_that_make_a_key_at_once_both_get_the_one_that_is_stored(cache):
    class Hurried(FakeCache):
        """Another process is always a little later."""

        def store(self, bank, key, data):
            super().store(bank, key, data)
            super().store(bank, key, {"key": "f" * 64})

    assert Store(Hurried()).ack_key("edge1") == "f" * 64


@pytest.mark.parametrize("broken", ["fetch", "store"])
def test_no_key_is_invented_when_it_cannot_be_kept(store, cache, broken):
    cache.broken = {broken}

    with pytest.raises(StoreError):
        store.ack_key("edge1")


RECORD = EdgeRecord(
    {f"default {SERVICE}": (5, "sha256:aa")},
    heard_at=7.0,
    order="o-1",
    lane="hot",
    problems=("a: b",),
    reload=Reload(6.0, "because"),
    haproxy="2.6.12",
    behind_since=3.0,
    sequence=9,
    key="mark",
)
CHANGE = ChangeRecord(SERVICE, 5, "sha256:aa", 1.0, 2, 0, added=["a:1:2"], edges={"edge1": 0.3}, waiting=["edge2"])


def test_what_an_edge_said_is_read_back(store):
    store.save_edge("default", "edge1", RECORD)

    assert store.edges("default") == {"edge1": RECORD}
    assert store.edges("west") == {}


def test_the_row_of_an_edge_is_what_the_contract_says(store, cache):
    store.save_edge("default", "edge1", RECORD)

    row = cache.rows["haproxy_edge/default/edges", "edge1"]
    assert row["serves"] == {f"default {SERVICE}": {"generation": 5, "digest": "sha256:aa"}}
    assert row["reload"] == {"at": 6.0, "reason": "because"}
    assert {"heard_at", "order", "lane", "done", "problems", "state_needed", "ms", "haproxy", "behind_since"} <= {*row}


@pytest.mark.parametrize("row", [{}, {"serves": None}, "text", 7, {"serves": {"a": 1}}], ids=repr)
def test_a_damaged_row_makes_that_edge_new_and_no_other(store, cache, row):
    store.save_edge("default", "edge1", RECORD)
    cache.rows["haproxy_edge/default/edges", "edge2"] = row

    assert store.edges("default") == {"edge1": RECORD}


def test_the_history_is_read_back_and_begins_anew_when_damaged(store, cache):
    store.save_history("default", [CHANGE])
    kept = store.history("default")
    cache.rows["haproxy_edge/default/history", "changes"] = {"rows": [{"service": 1}]}

    assert kept == [CHANGE]
    assert store.history("default") == []


def test_what_is_frozen_is_known_by_its_service(store, cache):
    store.freeze("default", SERVICE, Frozen(5.0, "root"))
    store.freeze("default", ALL, Frozen(6.0, "root"))

    assert store.frozen("default") == {SERVICE: Frozen(5.0, "root"), ALL: Frozen(6.0, "root")}
    assert ("haproxy_edge/default/frozen", KEY) in cache.rows
    assert (store.thaw("default", SERVICE), store.thaw("default", SERVICE)) == (True, False)
    assert store.frozen("default") == {ALL: Frozen(6.0, "root")}


def test_a_freeze_written_by_hand_counts_whatever_it_says(store, cache):
    cache.rows["haproxy_edge/default/frozen", KEY] = {"note": "do not touch"}

    assert store.frozen("default") == {SERVICE: Frozen(0.0, "")}


@pytest.mark.parametrize(
    ("broken", "look", "line"),
    [
        ("keys/edge1", lambda store: store.key_marks(["edge1"]), "edge1: its key cannot be read"),
        ("frozen/all", lambda store: store.frozen("default"), "all: the freeze cannot be read, and holds"),
    ],
    ids=["key", "freeze"],
)
def test_a_damaged_row_that_is_looked_at_again_and_again_is_told_once_and_anew_after_it_was_mended(
    store, cache, caplog, broken, look, line
):
    store.ack_key("edge1")
    store.freeze("default", ALL, Frozen(1.0, "me"))
    for methods in ({"fetch"}, {"fetch"}, set(), {"fetch"}, {"fetch"}):
        cache.broken, cache.broken_key = methods, broken
        look(store)

    assert [line in said for said in caplog.messages] == [True] * 2


def test_a_history_of_before_a_field_came_is_read_on(store, cache):
    store.save_history("default", [CHANGE])
    (row,) = cache.rows["haproxy_edge/default/history", "changes"]["rows"]
    del row["waiting"]

    assert [one.generation for one in store.history("default")] == [CHANGE.generation]
