"""Whatever shape the API or something in front of it sends: what can be understood is used, nothing is let through."""

from __future__ import annotations

import json
import re

import pytest
from haproxy_edge.slices import endpoints_as_slices
from haproxy_edge.snapshot import Snapshot
from haproxy_edge_minion import snapshot as edge
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.engine.material import SERVICE, a_slice, endpoint, merge, places, states

OLD, NEW = "10.42.0.7", "10.42.0.8"
WEBSECURE = [{"name": "websecure", "port": 8443}]


def with_port(**changes):
    return {**a_slice(endpoint()), "ports": [{**WEBSECURE[0], **changes}, {"name": "web", "port": 8000}]}


@pytest.mark.field_failure("null where a list was expected")
@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param({**a_slice(), "endpoints": None}, {}, id="endpoints null"),
        pytest.param({**a_slice(endpoint()), "ports": None}, {}, id="ports null"),
        pytest.param({"metadata": None, "endpoints": None, "ports": None}, {}, id="metadata null"),
        pytest.param({}, {}, id="nothing at all"),
        pytest.param(a_slice({"addresses": None}), {}, id="addresses null"),
        pytest.param(a_slice({"addresses": []}), {}, id="no addresses"),
        pytest.param(
            {**a_slice(endpoint()), "ports": [{"name": None, "port": 8443}]}, {"": [f"{OLD}:8443"]}, id="port name null"
        ),
        pytest.param(
            {**a_slice(endpoint()), "ports": [{"name": "", "port": 8443}]}, {"": [f"{OLD}:8443"]}, id="port name empty"
        ),
        pytest.param({**a_slice(endpoint()), "ports": [{"port": 8443}]}, {"": [f"{OLD}:8443"]}, id="port without name"),
        pytest.param(
            {**a_slice(endpoint()), "ports": [{"name": "web", "port": 80, "protocol": None}]},
            {"web": [f"{OLD}:80"]},
            id="protocol null",
        ),
        pytest.param(
            a_slice({"addresses": [OLD], "targetRef": None, "nodeName": None, "zone": None}),
            {"websecure": [f"{OLD}:8443"]},
            id="pod, node and zone null",
        ),
    ],
)
def test_null_shapes_are_normal_input(item, expected):
    merged = merge([item])

    assert ({name: at for name, at in places(merged.ports).items() if at}, merged.warnings) == (expected, ())


@pytest.mark.field_failure("null where a list was expected")
def test_a_slice_without_endpoints_beside_a_full_one_changes_nothing():
    merged = merge([{**a_slice(name="empty"), "endpoints": None, "ports": None}, a_slice(endpoint())])

    assert places(merged.ports) == {"websecure": [f"{OLD}:8443"]}


def test_a_service_whose_slices_have_no_ports_is_empty():
    assert merge([{**a_slice(endpoint()), "ports": None}]).ports == {}


@pytest.mark.parametrize(
    ("item", "field"),
    [
        pytest.param({**a_slice(), "endpoints": {}}, "endpoints", id="endpoints a mapping"),
        pytest.param({**a_slice(), "ports": "8443"}, "ports", id="ports a text"),
        pytest.param({**a_slice(), "ports": [8443]}, "ports[0]", id="a port that is a number"),
        pytest.param(a_slice("10.42.0.7"), "endpoints[0]", id="an endpoint that is a text"),
        pytest.param(a_slice({"addresses": OLD}), "endpoints[0].addresses", id="addresses a text"),
        pytest.param(a_slice({"addresses": [None]}), "endpoints[0].addresses", id="an address null"),
        pytest.param(a_slice(endpoint("10.42.0.256")), "endpoints[0].addresses", id="no IP address"),
        pytest.param(a_slice(endpoint("10.42.0.07")), "endpoints[0].addresses", id="leading zero"),
        pytest.param(a_slice(endpoint("fe80::1%eth0")), "endpoints[0].addresses", id="scope"),
        pytest.param(a_slice(endpoint("0.0.0.0")), "endpoints[0].addresses", id="unspecified"),
        pytest.param(a_slice(endpoint("ff02::1")), "endpoints[0].addresses", id="multicast"),
        pytest.param(a_slice(endpoint("::1:5")), "endpoints[0].addresses", id="IPv4-compatible"),
        pytest.param(a_slice(endpoint("10.42.0.7\nserver x")), "endpoints[0].addresses", id="a line in an address"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_said_with_slice_and_field(item, field):
    merged = merge([item, a_slice(endpoint(NEW), name="good")])

    assert places(merged.ports) == {"websecure": [f"{NEW}:8443"]}
    (warning,) = merged.warnings
    assert warning.startswith(f"slice 'traefik-1': {field}: ")


@pytest.mark.parametrize(
    ("item", "field"),
    [
        pytest.param(with_port(port=None), "ports[0].port", id="null, all ports"),
        pytest.param(with_port(port=0), "ports[0].port", id="0"),
        pytest.param(with_port(port=65536), "ports[0].port", id="65536"),
        pytest.param(with_port(port=True), "ports[0].port", id="true"),
        pytest.param(with_port(port="8443"), "ports[0].port", id="a text"),
        pytest.param(with_port(name=7), "ports[0].name", id="a number as name"),
        pytest.param(with_port(name="web secure"), "ports[0].name", id="a space in the name"),
        pytest.param(with_port(name="web\nserver x"), "ports[0].name", id="a line in the name"),
    ],
)
def test_a_port_that_cannot_be_used_does_not_take_the_others_with_it(item, field):
    merged = merge([item])

    assert places(merged.ports) == {"web": [f"{OLD}:8000"]}
    assert [field in warning for warning in merged.warnings] == [True]


@pytest.mark.parametrize("bad", ["a b", "a\nserver x", 'a"b', "a;b", "a\x1bb", "-a", "a" * 254, "ä", 7, ["a"]])
@pytest.mark.parametrize("field", ["pod", "node"])
def test_a_name_that_could_inject_something_is_left_empty_and_the_server_stays(field, bad):
    merged = merge([a_slice(endpoint(**{field: bad}))])

    (server,) = merged.ports["websecure"]
    assert (server.address, getattr(server, field)) == (OLD, "")
    assert len(merged.warnings) == 1


def test_a_warning_is_said_once_however_many_ports_there_are():
    both = (("web", 8000), ("websecure", 8443))
    merged = merge([a_slice(endpoint("nonsense"), ports=both)])

    assert len(merged.warnings) == 1


junk_text = st.text(max_size=12) | st.sampled_from(['a"b', "a\nb", "10.42.0.7", "10.0.0.1;x", "fd42::7", "web", "\x00"])
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | junk_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(junk_text, inner, max_size=3),
    max_leaves=4,
)


def paths(item, at=()):
    """Every place inside of an object."""
    inside = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
    for key, value in inside:
        yield (*at, key)
        yield from paths(value, (*at, key))


@st.composite
def spoilt(draw, good):
    """A good object with junk in one to three places."""
    item = json.loads(json.dumps(good))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(paths(item)) or [("metadata",)]))
        inside = item
        for key in way:
            inside = inside[key]
        inside[last] = draw(junk)
    return item


def an_endpoints(*subsets, **metadata):
    return {
        "kind": "Endpoints",
        "metadata": {"name": "traefik", "namespace": "kube-system", **metadata},
        "subsets": [*subsets],
    }


WHOLE_ENDPOINTS = an_endpoints(
    {
        "addresses": [{"ip": OLD, "nodeName": "k3s-1", "targetRef": {"kind": "Pod", "name": "traefik-1"}}],
        "notReadyAddresses": [{"ip": NEW, "nodeName": "k3s-2"}],
        "ports": WEBSECURE,
    },
    annotations={"endpoints.kubernetes.io/over-capacity": "truncated"},
)
HARMLESS = re.compile(r"[A-Za-z0-9._-]*")


def assert_harmless(slices):
    merged = merge(slices)
    for name, servers in merged.ports.items():
        assert HARMLESS.fullmatch(name)
        for server in servers:
            assert all(HARMLESS.fullmatch(text) for text in (server.pod, server.node, server.zone))
    edge.check(Snapshot("default", SERVICE, merged.ports, 1).to_json())


@pytest.mark.field_failure("null where a list was expected")
@given(st.lists(spoilt({**a_slice({**endpoint(ready=False), "zone": "rack-1"}), "more": 1}), max_size=3))
def test_junk_in_slices_raises_nothing_and_injects_nothing(slices):
    assert_harmless(slices)


@pytest.mark.field_failure("null where a list was expected")
@given(spoilt(WHOLE_ENDPOINTS))
def test_junk_in_endpoints_raises_nothing_and_injects_nothing(item):
    assert_harmless(endpoints_as_slices(item))


def test_endpoints_give_the_same_servers_as_slices():
    address = {"ip": OLD, "nodeName": "k3s-1", "targetRef": {"kind": "Pod", "name": "traefik-1"}}
    item = an_endpoints({"addresses": [address], "ports": WEBSECURE})

    assert merge(endpoints_as_slices(item)).ports == merge([a_slice(endpoint())]).ports


def test_addresses_of_endpoints_that_are_not_ready_drain():
    item = an_endpoints({"addresses": [{"ip": NEW}], "notReadyAddresses": [{"ip": OLD}], "ports": WEBSECURE})

    assert states(merge(endpoints_as_slices(item)).ports) == {OLD: "draining", NEW: "ready"}


@pytest.mark.field_failure("only some of the slices, or some twice")
def test_all_subsets_and_all_their_ports_count():
    subsets = ({"addresses": [{"ip": OLD}], "ports": WEBSECURE}, {"addresses": [{"ip": NEW}], "ports": [{"port": 80}]})

    assert places(merge(endpoints_as_slices(an_endpoints(*subsets))).ports) == {
        "": [f"{NEW}:80"],
        "websecure": [f"{OLD}:8443"],
    }


@pytest.mark.field_failure("null where a list was expected")
@pytest.mark.parametrize(
    "item",
    [
        pytest.param({**an_endpoints(), "subsets": None}, id="subsets null, the service was scaled to 0"),
        pytest.param({"metadata": {"name": "traefik"}}, id="no subsets"),
        pytest.param(an_endpoints(None), id="a subset null"),
        pytest.param(
            an_endpoints({"addresses": None, "notReadyAddresses": None, "ports": WEBSECURE}), id="addresses null"
        ),
        pytest.param(an_endpoints({"addresses": [{"ip": OLD}], "ports": None}), id="ports null"),
        pytest.param(an_endpoints({"addresses": [None], "ports": WEBSECURE}), id="an address null"),
    ],
)
def test_null_shapes_of_endpoints_are_empty_and_no_error(item):
    merged = merge(endpoints_as_slices(item))

    assert not any(merged.ports.values())
    assert merged.warnings == ()


def test_endpoints_cut_off_by_kubernetes_are_warned_about():
    annotations = {"endpoints.kubernetes.io/over-capacity": "truncated"}
    item = an_endpoints({"addresses": [{"ip": OLD}], "ports": WEBSECURE}, annotations=annotations)
    merged = merge(endpoints_as_slices(item))

    assert places(merged.ports) == {"websecure": [f"{OLD}:8443"]}
    assert [("truncated" in warning, "EndpointSlices" in warning) for warning in merged.warnings] == [(True, True)]
