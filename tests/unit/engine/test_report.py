"""The engine's word about itself: the contract that runner, metrics and status page are built on."""

from __future__ import annotations

import json

import pytest
from haproxy_edge.reflector import Condition, Freshness, watches_for
from haproxy_edge.report import Counters

from tests.unit.engine.material import NEW, OLD, SERVICE, WALL, World, applied, listed


@pytest.fixture
def world():
    """An engine with two edges of which one has confirmed."""
    world = World()
    world.fleet = ["edge1", "edge2"]
    world.say(listed(OLD))
    world.confirm("edge1", lane="state", haproxy="2.6.12")
    return world


def test_it_says_of_every_edge_what_it_applied_and_since_when_it_is_behind(world):
    snapshot = world.store.snapshot("default", SERVICE)
    edges = world.daemon.report()["edges"]

    assert edges["edge1"] == {
        "behind_since": None,
        "applied": {SERVICE: snapshot.generation},
        "lacks": [],
        "lane": "state",
        "reload": None,
        "problems": [],
        "state_needed": None,
        "heard_at": world.wall(),
        "ms": 1.0,
    }
    assert (edges["edge2"]["behind_since"], edges["edge2"]["heard_at"], edges["edge2"]["applied"]) == (
        world.wall(),
        None,
        {},
    )


def test_an_edge_lacks_what_it_has_not_confirmed_and_nothing_of_the_same_content_under_another_number(world):
    world.confirm("edge1", lane="edge", digest="sha256:of another day", generation=2**42)
    behind = world.daemon.report()["edges"]["edge1"]
    world.confirm("edge1", generation=1, lane="state")
    right = world.daemon.report()["edges"]["edge1"]

    assert (behind["lacks"], behind["behind_since"]) == ([SERVICE], world.wall())
    assert (right["lacks"], right["behind_since"], right["applied"]) == ([], None, {SERVICE: 1})


def test_it_says_of_every_service_what_the_store_has(world):
    snapshot = world.store.snapshot("default", SERVICE)

    assert world.daemon.report()["services"] == {
        SERVICE: {
            "generation": snapshot.generation,
            "digest": snapshot.digest,
            "ready": 1,
            "draining": 0,
            "held": None,
            "held_since": None,
            "refused": [],
        }
    }


def test_a_service_never_seen_has_generation_0():
    row = World().daemon.report()["services"][SERVICE]

    assert (row["generation"], row["digest"], row["ready"], row["held"]) == (0, "", 0, None)


def test_it_says_of_every_watch_how_it_is_and_when_the_api_last_answered(world):
    (watch,) = world.watches.values()
    freshness = world.daemon.freshness[watch] = Freshness(lambda: world.inbox.steady)
    starting = world.daemon.report()["watches"][0]
    freshness.touch()
    freshness.relisted("http-500")
    heard_at = world.wall()
    world.run(7)
    world.say(Condition("http-500", "broken; edges stay as they are"))

    assert (starting["condition"], starting["last_contact"]) == ("starting", None)
    assert world.daemon.report()["watches"] == [
        {
            "path": watch.path,
            "services": [SERVICE],
            "condition": "http-500",
            "message": "broken; edges stay as they are",
            "last_contact": pytest.approx(heard_at),
            "relists": {"http-500": 1},
        }
    ]


@pytest.mark.parametrize("slices", [True, False], ids=["slices", "endpoints"])
def test_no_two_watches_have_one_name(slices):
    world = World("a/one", "a/two", "b/one")
    watches = watches_for(world.options.services, slices=slices)
    world.daemon.freshness = {watch: Freshness(lambda: 0.0) for watch in watches}
    paths = [watch["path"] for watch in world.daemon.report()["watches"]]

    assert len(set(paths)) == len(watches)


def test_a_watch_of_endpoints_is_called_by_the_path_of_what_it_watches():
    (watch,) = watches_for(("a/one",), slices=False)

    assert watch.name == "/api/v1/namespaces/a/endpoints/one"


def test_it_counts_what_happened(world):
    world.say(applied(NEW))
    world.run(1)
    world.confirm("edge1", reload="HAProxy answered 'no'")
    world.run(3)

    counters = world.daemon.report()["counters"]
    assert counters["changes"] == {SERVICE: 2}
    assert counters["orders"] == counters["doorbells"] == counters["published"] == {"hot": 1, "state": 1}
    assert counters["reloads"] == {"refused-command": 1}


def test_an_order_nobody_took_is_not_published():
    world = World()
    world.bus.dead = True
    world.say(listed(OLD))
    world.run(3)

    counters = world.daemon.report()["counters"]
    assert (counters["orders"], counters["published"]) == ({"state": 1}, {})


def test_the_time_until_the_last_edge_is_counted_once_all_have_confirmed(world):
    world.confirm("edge2", lane="state")
    world.say(applied(NEW))
    world.run(0.2)
    world.confirm("edge1")
    half = world.daemon.report()["convergence"]["count"]
    world.run(0.5)
    world.confirm("edge2")

    convergence = world.daemon.report()["convergence"]
    assert (half, convergence["count"]) == (0, 1)
    assert convergence["sum"] == pytest.approx(0.7, abs=0.01)
    assert convergence["counts"][convergence["bounds"].index(1.0)] == 1


def test_the_store_has_it_within_two_seconds_of_a_change_and_again_every_half_minute(world):
    world.fleet = ["edge1"]
    world.run(60)
    world.say(applied(NEW))
    world.confirm("edge1")
    world.run(2.1)
    after_change = world.store.report("default")
    services = world.daemon.report()["services"]
    world.run(32)

    assert after_change["services"] == services
    assert 25 < world.store.report("default")["at"] - after_change["at"] < 35


def test_a_quiet_minute_writes_it_twice_and_nothing_else(world):
    world.fleet = ["edge1"]
    world.run(30)
    written = []
    store = world.cache.store
    world.cache.store = lambda bank, key, data: (written.append(key), store(bank, key, data))
    world.run(60)

    assert set(written) == {"report"}
    assert len(written) == 2


def test_a_cycle_that_hangs_in_the_store_does_not_take_report_and_history_with_it(world, monkeypatch):
    monkeypatch.setattr("haproxy_edge.daemon._LOOK_WAITS", 0.0)
    before, history, seen = world.daemon.report(), world.daemon.history(9), []
    store = world.cache.store
    world.cache.store = lambda *given: (seen.append((world.daemon.report(), world.daemon.history(9))), store(*given))
    world.run(1)
    world.say(applied(NEW))

    assert seen[0] == (before, history)
    assert world.daemon.report()["services"] != before["services"]


def test_it_is_plain_enough_for_json(world):
    assert json.loads(json.dumps(world.daemon.report())) == world.daemon.report()


def test_reloads_are_counted_in_few_classes():
    counters = Counters()
    for number in range(100):
        counters.reloaded(f"HAProxy answered {number}")
        counters.reloaded(f"something new {number}")

    assert counters.reloads == {"refused-command": 100, "other": 100}


def test_an_engine_started_again_knows_every_edge_and_every_change(world):
    world.confirm("edge2", lane="state")
    world.run(3)
    before = world.daemon.report()
    world.start()
    world.say(listed(OLD))

    after = world.daemon.report()
    assert (after["edges"], after["services"]) == (before["edges"], before["services"])
    assert [row.service for row in world.store.history("default")] == [SERVICE]
    assert world.steps == ["store", "order", "ring"]
    assert world.wall() > WALL
