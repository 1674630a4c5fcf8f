"""What is watched, by how many threads, and that none of them ends in silence."""

from __future__ import annotations

import logging

import pytest
from haproxy_edge.backoff import Backoff
from haproxy_edge.kube import ApiError
from haproxy_edge.reflector import Applied, Condition, Freshness, Listed, forever, watches_for
from haproxy_edge.watches import start_watches
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.engine.material import World
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
