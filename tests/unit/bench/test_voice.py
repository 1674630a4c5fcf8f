"""A stand-in's word counts for the engine as a real edge's does, and in nobody else's name."""

from __future__ import annotations

import pytest
from haproxy_edge.ack import Forged, found_in, verified
from haproxy_edge_minion.ack import signed

from bench.likeness import Likeness
from bench.voice import Voice

KEY, OTHER = "0f" * 32, "a0" * 32
SERVES = {"default kube-system/traefik": {"generation": 7, "digest": "sha256:new"}}
ACK = {
    "edge": "edge1",
    "order": "000-old",
    "lane": "hot",
    "serves": {"default kube-system/traefik": {"generation": 1, "digest": "sha256:old"}},
    "done": "one server added",
    "problems": [],
    "state_needed": None,
    "ms": 12.5,
    "steps_ms": {"runtime": 1.0},
    "sequence": 5,
}
JOB = {"jid": "20260101000000000000", "arg": ["payload"], "fun": "haproxy_edge.sync"}


def returned(ack):
    return {
        "cmd": "_return",
        "id": "edge1",
        "jid": "old",
        "fun": "haproxy_edge.sync",
        "fun_args": ["old"],
        "retcode": 0,
        "success": True,
        "return": ack,
        "_stamp": "2026-01-01T00:00:00",
        "nonce": "n",
    }


@pytest.fixture
def like():
    hot = signed(ACK, OTHER)
    state = {
        "haproxy_|-serving": {"result": True, "duration": 40.0, "ack": signed({**ACK, "lane": "state"}, OTHER)},
        "pkg_|-x": {"duration": 60.0},
    }
    return Likeness({"id": "edge1", "os": "Debian"}, returned(hot), returned(state))


@pytest.fixture
def voice():
    return Voice("stand-in-001", KEY, dict(SERVES))


def key_of(name):
    return {"stand-in-001": KEY, "edge1": OTHER}.get(name)


def test_the_engine_believes_it_and_takes_its_own_content(like, voice):
    load = voice.hot(like, JOB, "123-order", now=10.0)
    ack = verified(found_in(load["return"]), key_of)
    assert (ack.edge, ack.order, ack.lane) == ("stand-in-001", "123-order", "hot")
    assert ack.serves == {"default kube-system/traefik": (7, "sha256:new")}
    assert (load["id"], load["jid"], load["fun_args"]) == ("stand-in-001", JOB["jid"], JOB["arg"])


def test_the_state_lane_s_word_stands_in_a_state_beside_all_others(like, voice):
    load = voice.state(like, JOB, now=10.0)
    assert load["return"].keys() == like.state["return"].keys()
    assert verified(found_in(load["return"]), key_of).lane == "state"


def test_the_edge_it_is_like_is_not_touched_by_it(like, voice):
    before = repr(like)
    voice.state(like, JOB, now=10.0)
    voice.hot(like, JOB, "o", now=10.0)
    assert repr(like) == before


def test_its_number_grows_although_the_clock_stands(like, voice):
    numbers = [voice.hot(like, JOB, "o", now=10.0)["return"]["sequence"] for _ in range(3)]
    assert numbers == [10_000, 10_001, 10_002]


def test_with_another_s_key_it_is_forged(like):
    load = Voice("edge1", KEY, dict(SERVES)).hot(like, JOB, "o", now=10.0)
    with pytest.raises(Forged):
        verified(load["return"], key_of)


def test_it_takes_as_long_as_the_edge_did(like):
    assert (like.hot_seconds, like.state_seconds) == (0.0125, 0.1)


def test_what_salt_adds_on_the_way_is_not_sent_again(like, voice):
    assert not {"nonce", "_stamp"} & voice.hot(like, JOB, "o", now=1.0).keys()


def test_its_grains_are_a_real_edge_s_under_its_own_name(like):
    assert like.grains_of("stand-in-001")["id"] == "stand-in-001"
    assert like.grains_of("stand-in-001")["os"] == "Debian"
