"""What is watched, by how many threads, and that none of them ends in silence."""

from __future__ import annotations

import logging

import pytest
from haproxy_edge.backoff import Backoff
from haproxy_edge.kube import ApiError
from haproxy_edge.reflector import Applied, Condition, Freshness, Listed, forever, watches_for
from haproxy_edge.watches import follow, start_watches
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.engine.material import STORED, World
from tests.unit.engine.scripted import ScriptedApi, ScriptEnded, event, item, page

# a watch never ends by itself; here each is ended by an exception
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
PATIENCE = 60.0  # seconds until a test gives up


def test_slices_are_watched_once_per_namespace_and_endpoints_once_per_service():
    services = ("a/one", "b/two", "a/three")

    assert [(watch.path, watch.services, dict(watch.selector)) for watch in watches_for(services, slices=True)] == [
        (
            "/apis/discovery.k8s.io/v1/namespaces/a/endpointslices",
            ("a/one", "a/three"),
            {"labelSelector": "kubernetes.io/service-name in (one,three)"},
        ),
        (
            "/apis/discovery.k8s.io/v1/namespaces/b/endpointslices",
            ("b/two",),
            {"labelSelector": "kubernetes.io/service-name in (two)"},
        ),
    ]
    assert [(watch.path, dict(watch.selector)) for watch in watches_for(services, slices=False)] == [
        ("/api/v1/namespaces/a/endpoints", {"fieldSelector": "metadata.name=one"}),
        ("/api/v1/namespaces/b/endpoints", {"fieldSelector": "metadata.name=two"}),
        ("/api/v1/namespaces/a/endpoints", {"fieldSelector": "metadata.name=three"}),
    ]


class Ended(Exception):
    """The only way to end a watch's thread."""


@pytest.fixture
def watching():
    """Start the watches of a world on APIs from a script; all of them have ended when it returns."""

    def start(world, *apis):
        remaining = list(apis)

        def connect():
            if not remaining:
                raise Ended
            return remaining.pop(0)

        threads = start_watches(
            world.daemon, world.options, connect, slices=True, clock=lambda: 5.0, sleep=lambda seconds: None
        )
        for thread in threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in threads)
        return threads

    return start


def test_every_watch_has_a_thread_of_its_own_that_does_not_keep_the_master_alive(watching):
    threads = watching(World("a/one", "a/two", "b/three"))

    assert sorted(thread.name.split("/")[-2] for thread in threads) == ["a", "b"]
    assert all(thread.daemon for thread in threads)


def test_what_a_watch_sees_arrives_in_order_with_the_watch_it_came_from(watching):
    world = World("a/one")
    error = ApiError("http-500", "broken")
    watching(world, ScriptedApi(lists=[page("x")], watches=[[event("ADDED", "y", "11"), error]]))

    (watch,) = watches_for(("a/one",), slices=True)
    assert {watch for watch, _ in world.inbox.items} == {watch}
    assert [change for _, change in world.inbox.items] == [
        Condition("ok", f"{watch.path}: following a/one"),
        Listed((item("x"),)),
        Applied(item("y", "11")),
        Condition("http-500", "broken; edges stay as they are"),
    ]


def test_the_age_of_every_watch_is_known_to_the_engine(watching):
    world = World("a/one", "b/two")
    watching(world, ScriptedApi(lists=[page()], watches=[[ApiError("timeout", "silence")]]))

    assert sorted(freshness.last_contact or 0 for freshness in world.daemon.freshness.values()) == [0, 5.0]


@pytest.mark.field_failure("a watch that ends in silence")
def test_a_watch_that_ends_by_a_defect_does_not_end_in_silence(watching, caplog):
    with caplog.at_level(logging.CRITICAL):
        watching(World("a/one"), ScriptedApi(lists=[]))

    assert "the watch of /apis/discovery.k8s.io/v1/namespaces/a/endpointslices ended by a defect" in caplog.text


AWAY = ApiError("unreachable", "no route")


def serves(*versions):
    """What the API says of itself at /apis."""
    return {"groups": [{"versions": [{"groupVersion": version}]} for version in versions]}


def found_out(world, *answers, waits=None):
    """Ask an API for what it serves; it is away from where the answers end, and nobody waits for it any more."""
    api = ScriptedApi(lists=answers)

    def sleep(seconds):
        if waits is not None:
            waits.append(seconds)
        if not api.lists:
            raise Ended

    return follow(world.daemon, world.options, lambda: api, clock=lambda: 5.0, sleep=sleep)


def paths(world):
    return {watch.path.rpartition("/")[2] for watch in world.daemon.freshness}


@pytest.mark.parametrize(
    ("answer", "watched"),
    [(serves("apps/v1", "discovery.k8s.io/v1"), "endpointslices"), (serves("apps/v1"), "endpoints")],
    ids=["slices", "endpoints"],
)
def test_what_is_watched_is_what_the_api_serves(answer, watched):
    world = World("a/one", "a/two")
    threads = found_out(world, AWAY, answer)
    for thread in threads:
        thread.join(PATIENCE)

    assert paths(world) == {watched}
    assert len(threads) == len(world.daemon.freshness)


@pytest.mark.parametrize("source", ["endpointslices", "endpoints"])
def test_an_api_is_not_asked_for_what_the_options_say(source):
    world = World("a/one", source=source)
    (thread,) = found_out(world)
    thread.join(PATIENCE)

    assert paths(world) == {source}


@pytest.mark.field_failure("a watch that ends in silence")
def test_an_api_that_is_away_from_the_start_is_reported_warned_of_and_stale_in_the_end(world_without_api):
    world_without_api.run(310)
    report = world_without_api.daemon.report()

    assert [watch["condition"] for watch in report["watches"]] == ["unreachable"]
    assert report["watches"][0]["message"] == "no route; edges stay as they are"
    assert report["services"]["kube-system/traefik"]["held"] == "stale"
    assert world_without_api.bus.conditions() == ["unreachable", "stale"]


@pytest.fixture
def world_without_api():
    """A master that starts while the API is away, with what the engine before it had stored."""
    world = World(stale_after=300)
    world.keep(STORED)
    world.fleet = ["edge1"]
    with pytest.raises(Ended):
        found_out(world, AWAY, AWAY, AWAY)
    return world


def test_edges_behind_what_is_stored_are_rung_while_the_api_is_away(world_without_api):
    world_without_api.run(60)

    assert world_without_api.orders[0]["tgt"] == "edge1"


def test_who_was_stale_is_fresh_when_the_api_has_said_that_other_watches_are_needed(world_without_api):
    world_without_api.run(310)
    for thread in found_out(world_without_api, serves("apps/v1")):
        thread.join(PATIENCE)
    world_without_api.run(3)

    assert world_without_api.bus.conditions()[1:3] == ["stale", "fresh"]


def test_what_is_not_watched_after_all_is_left_in_no_trouble(world_without_api):
    for thread in found_out(world_without_api, serves("apps/v1")):
        thread.join(PATIENCE)
    world_without_api.run(3)

    assert {condition.name for condition in world_without_api.daemon._alarms.conditions.values()} == {"ok"}


def test_an_api_that_is_away_is_asked_less_and_less_and_when_it_wants_to_be():
    waits = []
    slow_down = ApiError("http-429", "slow down", retry_after=20)
    with pytest.raises(Ended):
        found_out(World(), *[AWAY] * 4, slow_down, waits=waits)

    # each is jittered down to half of it
    assert all(half <= wait <= 2 * half for wait, half in zip(waits[:4], (0.25, 0.5, 1, 2), strict=True))
    assert waits[4] == 20


def test_a_choice_that_ends_by_a_defect_does_not_end_in_silence(caplog):
    with caplog.at_level(logging.CRITICAL), pytest.raises(ScriptEnded):
        found_out(World())

    assert "the choice of what to watch ended by a defect" in caplog.text


keys = st.sampled_from(["kind", "type", "object", "metadata", "resourceVersion", "continue", "items", "name", "code"])
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3)
    | st.sampled_from(["EndpointSliceList", "ADDED", "ERROR"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)
objects = st.dictionaries(keys, junk, max_size=5)


@pytest.mark.field_failure("a watch that ends in silence")
@given(st.lists(objects.map(lambda one: {**page("a"), **one}), min_size=1, max_size=3), st.lists(objects, max_size=5))
def test_junk_never_ends_the_following(lists, events):
    (watch,) = watches_for(("a/one",), slices=True)
    api = ScriptedApi(lists=lists, watches=[events])
    changes = forever(
        lambda: api,
        watch,
        timeout=240,
        backoff=Backoff(1, 30),
        freshness=Freshness(lambda: 0.0),
        sleep=lambda seconds: None,
    )
    with pytest.raises(ScriptEnded):
        list(changes)
