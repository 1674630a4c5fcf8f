"""List, watch, relist: what is said of a view, and that an error is never said to be an empty one."""

from __future__ import annotations

import pytest
from haproxy_edge.backoff import Backoff
from haproxy_edge.kube import ApiError, Gone
from haproxy_edge.reflector import Applied, Condition, Deleted, Freshness, Listed, forever, watches_for

from tests.unit.engine.scripted import ScriptedApi, ScriptEnded, event, item, page

SERVICE = "kube-system/traefik"
(SLICES,) = watches_for((SERVICE,), slices=True)
BROKEN = ApiError("http-500", "HTTP 500: broken")
GONE = Gone("http-410", "too old resource version")
GONE_EVENT = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
BROKEN_EVENT = {"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "etcd"}}


# in the script of a watch: it lives for that many seconds, long enough to prove something
AFTER_A_WHILE = 2.0


class Run:
    """Everything `forever` says until the script ends, and how long it wanted to wait in between."""

    def __init__(self, api, *, tick=30.0):
        self.api, self.waits, self.said = api, [], []
        self.now, self.tick = 100.0, tick
        self.freshness = Freshness(self.clock)
        api.passes = self.passes
        changes = forever(
            lambda: api,
            SLICES,
            timeout=240,
            backoff=Backoff(1, 30, uniform=lambda _, highest: highest),
            freshness=self.freshness,
            sleep=self.waits.append,
        )
        with pytest.raises(ScriptEnded):
            for change in changes:
                self.said.append(change)

    def clock(self):
        """Every look at it takes ``tick`` seconds."""
        self.now += self.tick
        return self.now

    def passes(self, seconds):
        """It takes ``seconds`` until the API says the next thing."""
        self.now += seconds

    @property
    def conditions(self):
        return [change.name for change in self.said if isinstance(change, Condition)]

    @property
    def changes(self):
        return [change for change in self.said if not isinstance(change, Condition)]

    def names(self):
        return [[one["metadata"]["name"] for one in change.objects] for change in self.changes]


def follow(*watches, lists=None, **options):
    return Run(ScriptedApi(lists=lists or [page("a")], watches=watches), **options)


def test_a_list_is_said_whole_and_then_its_changes():
    run = follow([event("ADDED", "b", "11"), event("MODIFIED", "b", "12"), event("DELETED", "a", "13")])

    assert run.changes == [
        Listed((item("a"),)),
        Applied(item("b", "11")),
        Applied(item("b", "12")),
        Deleted(item("a", "13")),
    ]


def test_the_watch_begins_where_the_list_ended_and_asks_for_bookmarks():
    run = follow([])

    assert run.api.queries[1] == (
        "watch",
        {
            "labelSelector": "kubernetes.io/service-name in (traefik)",
            "resourceVersion": "10",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": 240,
        },
    )


@pytest.mark.field_failure("a watch that ends in silence")
def test_a_watch_the_server_ends_goes_on_from_the_last_event_without_a_list():
    run = follow([event("ADDED", "b", "11")], [event("ADDED", "c", "12")], [])

    assert run.api.versions() == ["10", "11", "12", "12"]
    assert [verb for verb, _ in run.api.queries].count("list") == 1
    assert run.waits == []


def test_a_bookmark_is_no_change_and_moves_the_version_on():
    run = follow([{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "99"}}}], [])

    assert run.changes == [Listed((item("a"),))]
    assert run.api.versions() == ["10", "99", "99"]


def test_a_list_of_many_pages_is_said_once_and_whole():
    lists = [page("a", more="token-1"), page("b", more="token-2"), page("c", version="12")]
    run = Run(ScriptedApi(lists=lists))

    assert run.names() == [["a", "b", "c"]]
    assert [query.get("continue") for verb, query in run.api.queries if verb == "list"] == [None, "token-1", "token-2"]
    assert run.api.versions() == ["12"]


@pytest.mark.field_failure("an API error read as no endpoints")
@pytest.mark.parametrize("error", [BROKEN, GONE], ids=["500", "410"])
def test_a_list_that_breaks_off_between_pages_is_not_said_at_all(error):
    run = Run(ScriptedApi(lists=[page("a", more="token"), error, page("a", "b")]))

    assert run.names() == [["a", "b"]]


def test_an_empty_list_of_the_right_kind_is_an_empty_list():
    assert Run(ScriptedApi(lists=[{**page(), "items": None}])).changes == [Listed(())]


@pytest.mark.field_failure("an API error read as no endpoints")
@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"kind": "PodList", "metadata": {}, "items": []}, id="a list of something else"),
        pytest.param({"kind": "Status", "code": 500}, id="a status with HTTP 200"),
        pytest.param({**page(), "items": {}}, id="items a mapping"),
        pytest.param({}, id="nothing"),
        pytest.param({"kind": "EndpointSliceList"}, id="nothing but the right kind"),
        pytest.param({**page("b"), "metadata": None}, id="metadata null"),
        pytest.param({**page("b"), "metadata": {}}, id="no resourceVersion"),
        pytest.param(BROKEN, id="500"),
        pytest.param(ApiError("http-403", "forbidden"), id="403"),
        pytest.param(ApiError("timeout", "silence"), id="timeout"),
    ],
)
def test_what_is_no_list_is_never_read_as_an_empty_one(bad):
    run = Run(ScriptedApi(lists=[bad, page("a")]))

    assert run.names() == [["a"]]
    assert len(run.conditions) == 2
    assert run.conditions[-1] == "ok"


@pytest.mark.field_failure("an API error read as no endpoints")
@pytest.mark.parametrize(
    ("bad", "condition"),
    [
        pytest.param(BROKEN_EVENT, "error-event", id="ERROR event"),
        pytest.param({"type": "ERROR", "object": None}, "error-event", id="ERROR event without a status"),
        pytest.param({"type": "ADDED", "object": None}, "error-event", id="an event without an object"),
        pytest.param({"type": "REPLACED", "object": item("b")}, "wrong-kind", id="an event of no known type"),
        pytest.param({"object": item("b")}, "wrong-kind", id="an event without a type"),
        pytest.param(BROKEN, "http-500", id="HTTP 500"),
        pytest.param(ApiError("timeout", "silence"), "timeout", id="silence"),
    ],
)
def test_a_failing_watch_keeps_what_is_known_until_a_new_list_says_otherwise(bad, condition):
    run = follow([bad], lists=[page("a"), BROKEN, page("a", "b")])

    assert run.names() == [["a"], ["a", "b"]]
    assert run.conditions == ["ok", condition, *(["http-500"] if condition != "http-500" else []), "ok"]


@pytest.mark.field_failure("a watch that ends in silence")
@pytest.mark.parametrize("gone", [GONE, GONE_EVENT], ids=["answer", "event"])
def test_a_410_leads_to_a_new_list_without_an_alarm(gone):
    run = follow([gone], lists=[page("a"), page("b", version="50")])

    assert run.names() == [["a"], ["b"]]
    assert run.conditions == ["ok"]
    assert run.api.versions() == ["10", "50"]


@pytest.mark.field_failure("a watch that ends in silence")
def test_deletions_missed_while_away_are_in_the_new_list():
    run = follow([ApiError("timeout", "silence")], lists=[page("a", "b"), page("b")])

    assert run.names() == [["a", "b"], ["b"]]


def test_a_condition_is_said_once_per_change_and_not_per_retry():
    forbidden = ApiError("http-403", "forbidden")
    run = Run(ScriptedApi(lists=[BROKEN] * 5 + [forbidden] * 5 + [page("a")]))

    assert run.conditions == ["http-500", "http-403", "ok"]


def test_a_condition_says_what_broke_and_that_edges_stay():
    run = Run(ScriptedApi(lists=[BROKEN]))

    assert run.said == [Condition("http-500", "HTTP 500: broken; edges stay as they are")]


def test_retries_wait_longer_and_longer():
    assert Run(ScriptedApi(lists=[BROKEN] * 7)).waits == [1, 2, 4, 8, 16, 30, 30]


def test_a_good_list_makes_waits_short_again():
    run = Run(ScriptedApi(lists=[BROKEN] * 4 + [page("a"), BROKEN, BROKEN], watches=[[BROKEN]]))

    assert run.waits == [1, 2, 4, 8, 1, 2, 4]


def test_a_server_that_asks_for_patience_gets_it_up_to_the_longest_wait():
    lists = [ApiError("http-429", "slow down", retry_after=seconds) for seconds in (7, 3600)]

    assert Run(ScriptedApi(lists=lists)).waits == [7, 30]


def test_the_age_of_the_last_contact_is_known():
    run = follow([event("ADDED", "b", "11")], tick=0)
    run.now += 42

    assert run.freshness.age() == 42


def test_before_the_first_contact_the_age_is_infinite():
    assert Run(ScriptedApi(lists=[BROKEN])).freshness.age() == float("inf")


def test_relists_are_counted_by_their_reason():
    run = follow([GONE], [BROKEN], lists=[page("a")] * 3)

    assert run.freshness.relists == {"http-410": 1, "http-500": 1}


def test_what_only_takes_up_memory_is_left_out():
    heavy = item("a")
    heavy["metadata"]["managedFields"] = ["long"]
    run = Run(ScriptedApi(lists=[{**page(), "items": [heavy]}]))

    assert run.changes == [Listed((item("a"),))]


def test_a_watch_that_is_always_refused_is_said_once_and_retried_less_and_less():
    run = follow([BROKEN], [BROKEN], [BROKEN], lists=[page("a")] * 3, tick=0)

    assert run.conditions == ["ok", "http-500"]
    assert run.names() == [["a"]] * 3
    assert run.waits == [1, 2, 4]


def test_a_refused_watch_that_comes_to_life_is_good_again():
    run = follow([BROKEN], [AFTER_A_WHILE, event("ADDED", "b", "11"), BROKEN], lists=[page("a")] * 2, tick=0)

    assert run.conditions == ["ok", "http-500", "ok", "http-500"]
    assert run.waits == [1, 1]


def test_a_watch_that_breaks_after_a_while_is_followed_again_at_once():
    run = follow([BROKEN], [BROKEN], [BROKEN], lists=[page("a")] * 4)

    assert run.conditions == ["ok", "http-500"] * 3 + ["ok"]
    assert run.waits == [1, 1, 1]


@pytest.mark.parametrize("events", [[], [event("ADDED", "b", "11")]], ids=["without an event", "with an event"])
@pytest.mark.parametrize("lives", [0.0, 0.9])
@pytest.mark.parametrize("before", [[], [[AFTER_A_WHILE]]], ids=["from the start", "after a healthy one"])
def test_watches_that_end_at_once_are_said_once_and_begun_again_less_and_less(events, lives, before):
    run = follow(*before, *[[lives, *events]] * 8, lists=[page("a")] * 4, tick=0)

    assert run.conditions == ["ok", "short-watch"]
    assert run.waits == [1, 2, 4, 8]


def test_a_watch_that_lives_ends_the_trouble_with_short_ones():
    run = follow([], [], [AFTER_A_WHILE], lists=[page("a")] * 2, tick=0)

    assert run.conditions == ["ok", "short-watch", "ok"]
