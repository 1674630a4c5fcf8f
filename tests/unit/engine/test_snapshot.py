"""Snapshots: canonical text, a digest of the content alone, generations that only grow."""

from __future__ import annotations

import json
import re

import pytest
from haproxy_edge.snapshot import Server, Snapshot, next_generation
from haproxy_edge_minion import snapshot as edge
from hypothesis import given
from hypothesis import strategies as st

SERVICE = "kube-system/traefik"
READY = Server("10.42.0.7", 8443, pod="traefik-1", node="k3s-1", zone="rack-2")
DRAINING = Server("fd42::7", 8443, state="draining")


def snapshot(*servers, port="websecure", generation=1):
    return Snapshot("default", SERVICE, {port: servers}, generation)


def test_the_text_is_json_with_sorted_keys_and_no_spaces():
    text = snapshot(READY).to_json()

    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_the_text_has_the_shape_of_the_contract():
    found = json.loads(snapshot(READY, generation=5).to_json())

    assert re.fullmatch("sha256:[0-9a-f]{64}", found.pop("digest"))
    assert found == {
        "schema": 1,
        "cluster": "default",
        "service": SERVICE,
        "generation": 5,
        "ports": {
            "websecure": [
                {
                    "pod": "traefik-1",
                    "address": "10.42.0.7",
                    "port": 8443,
                    "state": "ready",
                    "node": "k3s-1",
                    "zone": "rack-2",
                }
            ]
        },
    }


def test_the_edge_reads_what_the_master_writes():
    checked = edge.check(snapshot(READY, DRAINING, generation=5).to_json())

    assert (checked.generation, checked.digest) == (5, snapshot(READY, DRAINING).digest)
    assert [(one.address, one.state) for one in checked.ports["websecure"]] == [
        ("10.42.0.7", "ready"),
        ("fd42::7", "draining"),
    ]


def test_the_digest_says_nothing_of_the_generation():
    assert snapshot(READY, generation=1).digest == snapshot(READY, generation=2).digest


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Snapshot("west", SERVICE, {"websecure": (READY,)}, 1), id="cluster"),
        pytest.param(Snapshot("default", "a/b", {"websecure": (READY,)}, 1), id="service"),
        pytest.param(snapshot(READY, port="web"), id="port name"),
        pytest.param(snapshot(DRAINING), id="server"),
        pytest.param(snapshot(), id="no server"),
        pytest.param(Snapshot("default", SERVICE, {}, 1), id="no port"),
    ],
)
def test_another_content_has_another_digest(other):
    assert other.digest != snapshot(READY).digest


def test_a_stored_snapshot_is_read_back():
    before = snapshot(READY, DRAINING, generation=7)

    assert Snapshot.from_json(before.to_json()) == before


def changed(**fields):
    return json.dumps({**json.loads(snapshot(READY).to_json()), **fields})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="cut off"),
        pytest.param("null", id="null"),
        pytest.param("[]", id="a list"),
        pytest.param("{}", id="without keys"),
        pytest.param(changed(schema=2), id="another schema"),
        pytest.param(changed(digest="sha256:0"), id="another digest"),
        pytest.param(changed(service="a/b"), id="content that was changed"),
        pytest.param(changed(ports=None), id="ports null"),
        pytest.param(changed(ports={"web": None}), id="servers null"),
        pytest.param(changed(ports={"web": [{"address": "10.42.0.7"}]}), id="a server without port"),
        pytest.param(changed(ports={"web": [{"weight": 1}]}), id="a server with another key"),
        pytest.param(changed(generation=None), id="generation null"),
        pytest.param(7, id="not even text"),
    ],
)
def test_anything_else_is_refused_instead_of_read_as_empty(text):
    with pytest.raises(ValueError):
        Snapshot.from_json(text)


def test_generations_are_milliseconds_since_1970():
    assert next_generation(0, 1_764_000_000.5) == 1_764_000_000_500


@given(st.integers(0, 2**53), st.floats(0, 2**40))
def test_generations_grow_even_when_the_clock_was_set_back(previous, now):
    assert next_generation(previous, now) > previous


def test_empty_means_no_server_at_any_port():
    assert Snapshot("default", SERVICE, {}, 1).is_empty
    assert snapshot().is_empty
    assert not snapshot(DRAINING).is_empty


def test_servers_are_counted_over_all_ports():
    both = Snapshot("default", SERVICE, {"web": (READY, DRAINING), "websecure": (READY,)}, 1)

    assert (both.count("ready"), both.count("draining")) == (2, 1)


def test_both_halves_agree_on_schema_and_server_keys():
    assert json.loads(snapshot(READY).to_json())["schema"] == edge.SCHEMA
    assert READY.as_json().keys() == edge._SERVER_KEYS
