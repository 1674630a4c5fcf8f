"""Of all that is on the master's bus only what an edge signed counts; the rest is counted."""

from __future__ import annotations

import pytest
from haproxy_edge.event_filter import EventFilter
from haproxy_edge.forgeries import Forgeries
from haproxy_edge_minion.ack import signed
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.engine.material import KEYS, TOLD

TRUE = signed(TOLD, KEYS["edge1"])
FALSE = {**TRUE, "serves": {}}
TOKEN = "aa" * 16
SYNC = "haproxy_edge.sync"


@pytest.fixture
def forgeries():
    return Forgeries(lambda: 0.0)


@pytest.fixture
def event_filter(forgeries):
    return EventFilter(KEYS.get, lambda: TOKEN, forgeries)


def minion_event(tag, data, minion="rogue"):
    """How the master fires what a minion sent as a single event."""
    return tag, {"id": minion, "tag": tag, "data": data, "cmd": "_minion_event", "_stamp": "now"}


@pytest.mark.parametrize(
    ("tag", "data"),
    [
        ("salt/job/1/ret/edge1", {"fun": SYNC, "id": "edge1", "return": TRUE, "cmd": "_return"}),
        ("salt/job/1/ret/edge2", {"fun": SYNC, "id": "edge2", "return": TRUE}),
        ("salt/job/1/ret/edge1", {"fun": "state.apply", "return": {"haproxy_|-a_|-a_|-serving": {"ack": TRUE}}}),
        minion_event("haproxy_edge/ack/edge1", {"ack": TRUE}, "edge1"),
        minion_event("haproxy_edge/ack/edge1", {"ack": TRUE}, "rogue"),
        ("haproxy_edge/ack/edge1", {"ack": TRUE}),
    ],
    ids=["sync", "booked to another", "state", "own event", "carried by another", "own event, bare"],
)
def test_what_an_edge_signed_counts_whoever_carries_it(event_filter, forgeries, tag, data):
    assert event_filter.ack_in(tag, data).edge == "edge1"
    assert forgeries.kinds == {}


@pytest.mark.parametrize(
    ("kind", "tag", "data"),
    [
        ("signature", "salt/job/1/ret/edge1", {"fun": SYNC, "return": FALSE}),
        ("signature", *minion_event("haproxy_edge/ack/edge1", {"ack": FALSE})),
        ("stranger", "salt/job/1/ret/x", {"fun": SYNC, "return": {**TRUE, "edge": "x"}}),
        ("shape", *minion_event("haproxy_edge/ack/edge1", {"ack": "me"})),
        ("shape", *minion_event("haproxy_edge/ack/edge1", None)),
        ("return", *minion_event("salt/job/1/ret/edge1", {"fun": SYNC, "return": TRUE})),
        ("doorbell", *minion_event("haproxy_edge/doorbell/hot", {"token": TOKEN})),
        ("doorbell", "haproxy_edge/doorbell/hot", {}),
        ("doorbell", "haproxy_edge/doorbell/state", {"token": None}),
        ("doorbell", "haproxy_edge/doorbell/state", {"token": "bb" * 16}),
        ("warning", *minion_event("haproxy_edge/warning", {"condition": "emptied"})),
        ("other", "haproxy_edge/more", {}),
    ],
)
def test_what_is_forged_is_counted_by_kind(event_filter, forgeries, kind, tag, data):
    assert event_filter.ack_in(tag, data) is None
    assert forgeries.kinds == {kind: 1}


@pytest.mark.parametrize(
    ("tag", "data"),
    [
        ("haproxy_edge/doorbell/hot", {"token": TOKEN, "_stamp": "now"}),
        ("haproxy_edge/warning", {"condition": "emptied", "service": "a/b"}),
        ("salt/job/1/ret/edge1", {"fun": "test.ping", "return": True}),
        ("salt/job/1/ret/edge1", {"fun": SYNC, "return": "'haproxy_edge.sync' is not available."}),
        ("salt/job/1/new", {"fun": SYNC, "minions": ["edge1"]}),
        ("salt/minion/edge1/start", {"id": "edge1", "cmd": "_minion_event", "data": "started"}),
        ("salt/auth", {"id": "edge1"}),
    ],
    ids=["own doorbell", "own warning", "another job", "a failed sync", "a publish", "a start", "something else"],
)
def test_what_is_ours_or_none_of_our_business_is_neither(event_filter, forgeries, tag, data):
    assert event_filter.ack_in(tag, data) is None
    assert forgeries.kinds == {}


def test_a_forger_is_named_where_the_master_has_proven_who_it_was(event_filter, caplog):
    event_filter.ack_in(*minion_event("haproxy_edge/doorbell/hot", {}, minion="edge7"))

    assert "the last came from edge7" in caplog.text


def test_who_cannot_be_known_is_not_guessed(event_filter, caplog):
    event_filter.ack_in("salt/job/1/ret/edge1", {"fun": SYNC, "id": "edge1", "return": FALSE})

    assert "the last came from an unknown minion" in caplog.text


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=3) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "cmd", "data", "ack", "edge", "serves", "hmac", "fun", "return", "token", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


# what passes for an acknowledgement at first sight, of an edge that there is
posing = st.builds(
    lambda content, hmac: {"edge": "edge1", "serves": {}, **content, "hmac": hmac},
    st.dictionaries(st.sampled_from(["serves", "order", "problems", "x", 7]), junk, max_size=4),
    junk,
)


@given(
    st.sampled_from(["haproxy_edge/doorbell/hot", "haproxy_edge/ack/edge1", "haproxy_edge/x", "salt/job/1/ret/edge1"]),
    junk
    | st.builds(lambda data: {**data, "fun": SYNC}, st.dictionaries(st.text(max_size=4), junk, max_size=3))
    | st.builds(lambda ack: {"fun": SYNC, "return": ack, "ack": ack}, posing),
)
def test_whatever_is_in_an_event_nothing_is_raised_and_nothing_believed(tag, data):
    assert EventFilter(KEYS.get, lambda: TOKEN, Forgeries(lambda: 0.0)).ack_in(tag, data) is None


def test_a_thousand_forgeries_are_counted_and_said_once_a_minute(caplog):
    now = [0.0]
    forgeries = Forgeries(lambda: now[0])
    for _ in range(1000):
        forgeries.count("signature", "edge1: not signed by it")
    now[0] = 61.0
    forgeries.count("doorbell", "rung by a minion", "edge9")
    assert forgeries.kinds == {"signature": 1000, "doorbell": 1}
    first, second = [record.getMessage() for record in caplog.records]
    assert "1 of kind signature" in first
    assert "1 of kind doorbell, 999 of kind signature; the last came from edge9" in second
