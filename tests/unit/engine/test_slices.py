"""From the slices of a service to its servers: conditions, many slices at once, families, ports."""

from __future__ import annotations

import json
from ipaddress import IPv6Address

import pytest
from haproxy_edge.snapshot import Snapshot
from haproxy_edge_minion import snapshot as edge
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.edge.material import ipv6_addresses
from tests.unit.engine.material import SERVICE, a_slice, endpoint, merge, places, states

OLD, NEW = "10.42.0.7", "10.42.0.8"
LEAVING = {"ready": False, "serving": True, "terminating": True}
GONE_SOON = {"ready": False, "serving": False, "terminating": True}


def text_of(slices, generation=1):
    return Snapshot("default", SERVICE, merge(slices).ports, generation).to_json()


@pytest.mark.field_failure("conditions misread")
@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        pytest.param({}, "ready", id="nil ready means ready"),
        pytest.param({"ready": None, "serving": None, "terminating": None}, "ready", id="null ready means ready"),
        pytest.param({"ready": True}, "ready", id="ready"),
        pytest.param({"ready": True, "serving": False}, "ready", id="ready although serving says no"),
        pytest.param({"ready": False}, "draining", id="listed but not ready"),
        pytest.param(LEAVING, "draining", id="terminating and still serving"),
        pytest.param(GONE_SOON, "draining", id="terminating and not serving"),
        pytest.param({"ready": False, "serving": True}, "draining", id="serving before it is ready"),
    ],
)
def test_conditions_are_read_as_the_api_means_them(conditions, state):
    merged = merge([a_slice(endpoint(OLD, **conditions), endpoint(NEW, ready=True))])

    assert states(merged.ports) == {OLD: state, NEW: "ready"}


@pytest.mark.field_failure("conditions misread")
def test_conditions_that_are_null_mean_ready():
    merged = merge([a_slice({"addresses": [OLD], "conditions": None})])

    assert states(merged.ports) == {OLD: "ready"}


@pytest.mark.field_failure("conditions misread")
def test_when_all_terminate_those_that_still_serve_are_ready():
    merged = merge([a_slice(endpoint(OLD, **LEAVING), endpoint(NEW, **GONE_SOON))])

    assert states(merged.ports) == {OLD: "ready", NEW: "draining"}


@pytest.mark.field_failure("conditions misread")
def test_serving_ones_of_one_slice_drain_when_another_slice_has_a_ready_one():
    merged = merge([a_slice(endpoint(OLD, **LEAVING)), a_slice(endpoint(NEW), name="traefik-2")])

    assert states(merged.ports) == {OLD: "draining", NEW: "ready"}


@pytest.mark.field_failure("conditions misread")
def test_nothing_ready_and_nothing_serving_stays_draining():
    merged = merge([a_slice(endpoint(OLD, ready=False))])

    assert states(merged.ports) == {OLD: "draining"}


@pytest.mark.field_failure("only some of the slices, or some twice")
def test_all_slices_all_ports_and_all_endpoints_are_merged():
    both = (("web", 8000), ("websecure", 8443))
    merged = merge([a_slice(endpoint(f"10.42.0.{n}"), name=f"traefik-{n}", ports=both) for n in (1, 2, 3)])

    assert places(merged.ports) == {
        "web": ["10.42.0.1:8000", "10.42.0.2:8000", "10.42.0.3:8000"],
        "websecure": ["10.42.0.1:8443", "10.42.0.2:8443", "10.42.0.3:8443"],
    }
    assert merged.warnings == ()


def test_one_port_name_may_have_two_numbers():
    old = a_slice(endpoint(OLD), name="old", ports=(("websecure", 8443),))
    new = a_slice(endpoint(NEW), name="new", ports=(("websecure", 9443),))

    assert places(merge([new, old]).ports) == {"websecure": [f"{OLD}:8443", f"{NEW}:9443"]}


@pytest.mark.field_failure("only some of the slices, or some twice")
def test_an_endpoint_listed_twice_is_one_server():
    merged = merge([a_slice(endpoint(), endpoint()), a_slice(endpoint(), name="traefik-2")])

    assert places(merged.ports) == {"websecure": [f"{OLD}:8443"]}


@pytest.mark.field_failure("only some of the slices, or some twice")
@pytest.mark.parametrize("first", ["old", "new"])
def test_an_endpoint_that_moves_between_slices_is_ready_if_either_says_so(first):
    slices = {"old": a_slice(endpoint(OLD, ready=False), name="a"), "new": a_slice(endpoint(OLD), name="b")}
    ordered = [slices.pop(first), *slices.values()]

    assert states(merge(ordered).ports) == {OLD: "ready"}


@pytest.mark.field_failure("only some of the slices, or some twice")
def test_ipv4_and_ipv6_slices_count_and_ipv4_comes_first():
    v6 = a_slice(endpoint("FD42:0::7"), name="a", addressType="IPv6")

    assert places(merge([v6, a_slice(endpoint(OLD))]).ports) == {"websecure": [f"{OLD}:8443", "fd42::7:8443"]}


def test_servers_are_sorted_by_family_address_and_port_as_numbers():
    listed = [("fd42::2", 1), ("10.0.0.10", 1), ("10.0.0.9", 20), ("10.0.0.9", 3), ("fd42::10", 1)]
    slices = [a_slice(endpoint(at), name=f"{at} {port}", ports=[("web", port)]) for at, port in listed]

    assert places(merge(slices).ports) == {
        "web": ["10.0.0.9:3", "10.0.0.9:20", "10.0.0.10:1", "fd42::2:1", "fd42::10:1"],
    }


def test_an_ipv4_address_written_as_ipv6_is_an_ipv4_address():
    """Python 3.13 writes ``::ffff:10.42.0.7`` otherwise than 3.11 does: an edge would refuse the whole snapshot."""
    merged = merge([a_slice(endpoint("::ffff:10.42.0.7"))])

    assert places(merged.ports) == {"websecure": [f"{OLD}:8443"]}


def test_only_the_first_address_of_an_endpoint_counts():
    merged = merge([a_slice({"addresses": [OLD, NEW]})])

    assert places(merged.ports) == {"websecure": [f"{OLD}:8443"]}


@pytest.mark.field_failure("only some of the slices, or some twice")
def test_slices_of_names_are_refused_with_a_warning_and_the_others_count():
    names = a_slice(endpoint("traefik.example"), name="by-name", addressType="FQDN")
    merged = merge([names, a_slice(endpoint())])

    assert places(merged.ports) == {"websecure": [f"{OLD}:8443"]}
    (warning,) = merged.warnings
    assert "by-name" in warning
    assert "FQDN" in warning


@pytest.mark.parametrize("protocol", ["UDP", "SCTP"])
def test_ports_that_are_not_tcp_are_left_out_in_silence(protocol):
    ports = [{"name": "quic", "port": 8443, "protocol": protocol}, {"name": "websecure", "port": 8443}]
    merged = merge([{**a_slice(endpoint()), "ports": ports}])

    assert (list(merged.ports), merged.warnings) == (["websecure"], ())


@pytest.mark.field_failure("only some of the slices, or some twice", "growth past a limit")
def test_no_number_of_endpoints_is_too_many():
    everywhere = [endpoint(f"10.42.{n // 250}.{n % 250 + 1}", pod=f"traefik-{n}") for n in range(1200)]
    slices = [a_slice(*everywhere[at : at + 100], name=f"traefik-{at}") for at in range(0, 1200, 100)]
    merged = merge(slices)

    assert len({server.address for server in merged.ports["websecure"]}) == 1200
    assert len(edge.check(text_of(slices)).ports["websecure"]) == 1200


def test_a_pod_keeps_its_name_its_node_and_its_zone():
    merged = merge([a_slice({**endpoint(), "zone": "rack-2"})])

    (server,) = merged.ports["websecure"]
    assert (server.pod, server.node, server.zone) == ("traefik-1", "k3s-1", "rack-2")


addresses = st.integers(0, 40).map(lambda n: f"10.42.0.{n + 1}") | st.integers(0, 9).map(lambda n: f"fd42::{n + 1:x}")
some_endpoints = st.builds(
    endpoint,
    addresses,
    pod=st.sampled_from(["traefik-1", "traefik-2", "", None]),
    node=st.sampled_from(["k3s-1", "k3s-2", None]),
    ready=st.sampled_from([True, False, None]),
    serving=st.sampled_from([True, False, None]),
)
some_slices = st.lists(
    st.tuples(
        st.lists(some_endpoints, max_size=6),
        st.sampled_from([(("websecure", 8443),), (("websecure", 9443), ("web", 8000)), ()]),
    ),
    max_size=5,
).map(lambda parts: [a_slice(*listed, name=f"slice-{n}", ports=ports) for n, (listed, ports) in enumerate(parts)])


@pytest.mark.field_failure("a reload for nothing new")
@given(some_slices, st.randoms(use_true_random=False))
def test_the_order_of_slices_endpoints_and_ports_changes_no_byte(slices, chance):
    before = text_of(slices)
    shuffled = json.loads(json.dumps(slices))
    for item in shuffled:
        chance.shuffle(item["endpoints"])
        chance.shuffle(item["ports"])
    chance.shuffle(shuffled)

    assert text_of(shuffled) == before


@given(some_slices)
def test_every_snapshot_passes_the_check_of_the_edge(slices):
    ports = merge(slices).ports
    checked = edge.check(text_of(slices))

    assert {name: [server.address for server in servers] for name, servers in checked.ports.items()} == {
        name: [server.address for server in servers] for name, servers in ports.items()
    }


@given(ipv6_addresses)
@example(IPv6Address("::1:5"))
@example(IPv6Address("::ffff:10.42.0.7"))
def test_an_address_that_an_edge_refuses_is_left_out_and_said(address):
    slices = [a_slice(endpoint(str(address)))]
    merged = merge(slices)
    edge.check(text_of(slices))

    assert bool(merged.ports) != bool(merged.warnings)
