"""Only what an edge signed itself counts, wherever in a return it stands."""

import pytest
from haproxy_edge.ack import Forged, found_in, verified
from haproxy_edge_minion.ack import signed

from tests.unit.engine.material import KEYS, TOLD


def test_the_edge_s_own_signature_is_accepted():
    ack = verified(signed(TOLD, KEYS["edge1"]), KEYS.get)
    assert (ack.edge, ack.order, ack.serves) == ("edge1", "o-1", {"default kube-system/traefik": (7, "sha256:aa")})


@pytest.mark.parametrize(
    "forged",
    [
        {**TOLD, "hmac": ""},
        {**TOLD, "hmac": None},
        {**TOLD, "hmac": "\x80\ud800"},
        signed(TOLD, KEYS["edge2"]),
        {**signed(TOLD, KEYS["edge1"]), "edge": "edge2"},
        {**signed(TOLD, KEYS["edge1"]), "serves": {}},
        {**signed(TOLD, KEYS["edge1"]), "more": 1},
        signed({**TOLD, "edge": "edge9"}, KEYS["edge1"]),
        signed({**TOLD, "serves": {"x": 1}}, KEYS["edge1"]),
        signed({"edge": "edge1", "serves": {}}, KEYS["edge1"]),
    ],
    ids=[
        "empty",
        "none",
        "not ascii",
        "another key",
        "another edge",
        "other content",
        "added",
        "stranger",
        "odd",
        "incomplete",
    ],
)
def test_a_forged_acknowledgement_is_refused(forged):
    with pytest.raises(Forged, match="edge"):
        verified(forged, KEYS.get)


@pytest.mark.parametrize(
    "told",
    [
        {"serves": {"default a/b": {"generation": 2**64, "digest": "x"}}},
        {"serves": {"default a/b": {"generation": -1, "digest": "x"}}},
        {"serves": {"default a/b": {"generation": "7", "digest": "x"}}},
        {"serves": {f"default a/b{number}": {"generation": 1, "digest": "x"} for number in range(1001)}},
        {"sequence": 2**64},
        {"sequence": True},
        {"ms": float("nan")},
        {"ms": float("inf")},
        {"lane": "x" * 1000},
        {"lane": ["hot"]},
        {"problems": 7},
    ],
    ids=lambda told: f"{next(iter(told))}",
)
def test_what_is_signed_and_makes_no_sense_is_refused_by_its_shape(told):
    with pytest.raises(Forged, match="edge1: signed, but not an acknowledgement") as refusal:
        verified(signed({**TOLD, **told}, KEYS["edge1"]), KEYS.get)
    assert refusal.value.kind == "shape"


def test_what_is_signed_and_too_long_is_cut():
    long = {"problems": ["x" * 10_000] * 5000, "done": "x" * 10_000, "haproxy": "x" * 10_000, "reload": "x" * 10_000}
    ack = verified(signed({**TOLD, **long}, KEYS["edge1"]), KEYS.get)
    assert len(ack.problems) == 50
    assert {len(text) for text in (*ack.problems, ack.done, ack.haproxy, ack.reload)} == {1000}


def test_it_is_found_in_a_sync_s_return_and_among_the_states_of_a_run():
    ack = signed(TOLD, KEYS["edge1"])
    assert found_in(ack) == ack
    assert found_in({"pkg_|-a_|-b_|-installed": {"result": True}, "haproxy_edge_|-c": {"ack": ack}}) == ack


@pytest.mark.parametrize("returned", [None, "text", [], {}, {"ack": 1}, {"a": {"ack": {}}}, {"a": {"ack": None}}, 3])
def test_a_return_without_one_has_none(returned):
    assert found_in(returned) is None
