"""Snapshots are checked as if the master could be wrong."""

import json

import pytest
from haproxy_edge_minion.snapshot import MAX_SERVERS, SnapshotError, check

from tests.unit.edge.material import raw, server, snapshot


def with_server(**changes):
    return raw({"websecure": [{**server(), **changes}]})


def test_a_good_snapshot_gives_its_servers():
    found = check(snapshot(server(), server("fd42::7", node="")))
    assert [one.name for one in found.ports["websecure"]] == ["traefik-1:10.42.0.7:8443", "traefik-1:fd42::7:8443"]
    assert [one.socket_address for one in found.ports["websecure"]] == ["10.42.0.7:8443", "[fd42::7]:8443"]


def test_a_server_without_a_pod_is_called_endpoint():
    (found,) = check(snapshot(server(pod=""))).ports["websecure"]
    assert found.name == "endpoint:10.42.0.7:8443"


def test_empty_ports_mean_an_empty_service():
    assert check(snapshot()).ports == {}


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        pytest.param({**raw({}), "schema": 2}, "schema", id="unknown schema"),
        pytest.param({**raw({}), "schema": True}, "schema", id="schema that only equals 1"),
        pytest.param({k: v for k, v in raw({}).items() if k != "generation"}, "generation", id="missing key"),
        pytest.param({**raw({}), "more": 1}, "more", id="unknown key"),
        pytest.param({**raw({}), "generation": 0}, "generation", id="generation 0"),
        pytest.param({**raw({}), "generation": 1.5}, "generation", id="generation 1.5"),
        pytest.param(raw({}, service="traefik"), "service", id="service without namespace"),
        pytest.param(raw({}, service="a/b\nc"), "service", id="newline in service"),
        pytest.param(raw({}, cluster="no spaces"), "cluster", id="cluster"),
        pytest.param({**raw({}), "digest": "sha256:0"}, "digest", id="digest of something else"),
        pytest.param({**raw({}), "ports": []}, "ports", id="ports not a mapping"),
        pytest.param(raw({"websecure": None}), "ports.websecure", id="servers null"),
        pytest.param(raw({"web secure": []}), "ports", id="port name with a space"),
        pytest.param(raw({"websecure": ["x"]}), "ports.websecure[0]", id="server not a mapping"),
        pytest.param(with_server(port=0), "ports.websecure[0].port", id="port 0"),
        pytest.param(with_server(port=70000), "ports.websecure[0].port", id="port 70000"),
        pytest.param(with_server(port="8443"), "ports.websecure[0].port", id="port as text"),
        pytest.param(with_server(port=True), "ports.websecure[0].port", id="port true"),
        pytest.param(with_server(state="terminating"), "ports.websecure[0].state", id="unknown state"),
        pytest.param(with_server(state=["ready"]), "ports.websecure[0].state", id="state a list"),
        pytest.param(with_server(address="traefik.example"), "ports.websecure[0].address", id="a name"),
        pytest.param(with_server(address="10.042.0.7"), "ports.websecure[0].address", id="leading zero"),
        pytest.param(with_server(address="FD42::7"), "ports.websecure[0].address", id="not canonical"),
        pytest.param(with_server(address="0.0.0.0"), "ports.websecure[0].address", id="the edge itself"),
        pytest.param(with_server(address="ff02::1"), "ports.websecure[0].address", id="multicast"),
        pytest.param(with_server(address="fe80::1%eth0"), "ports.websecure[0].address", id="scope"),
        pytest.param(with_server(address=167772167), "ports.websecure[0].address", id="address as a number"),
        pytest.param(with_server(address="10.42.0.7 ; x"), "ports.websecure[0].address", id="command in address"),
        pytest.param(with_server(pod='a"b'), "ports.websecure[0].pod", id="quote in pod"),
        pytest.param(with_server(pod="a b"), "ports.websecure[0].pod", id="space in pod"),
        pytest.param(with_server(pod="a\nserver x"), "ports.websecure[0].pod", id="newline in pod"),
        pytest.param(with_server(pod="a\n"), "ports.websecure[0].pod", id="newline at the end of pod"),
        pytest.param(with_server(node="a\x1bb"), "ports.websecure[0].node", id="control character in node"),
        pytest.param(with_server(zone="ü"), "ports.websecure[0].zone", id="not ASCII"),
        pytest.param(raw({"a": [server("10.0.0.2"), server("10.0.0.1")]}), "ports.a", id="not sorted"),
        pytest.param(raw({"a": [server(), server(pod="other")]}), "ports.a", id="the same place twice"),
    ],
)
def test_a_bad_snapshot_is_refused_whole_naming_the_field(bad, field):
    with pytest.raises(SnapshotError) as refusal:
        check(json.dumps(bad))
    assert field in str(refusal.value)


@pytest.mark.parametrize("text", ["", "[]", "null", '{"schema": 1', "[" * 100_000, None, 7])
def test_what_is_not_a_json_mapping_is_refused(text):
    with pytest.raises(SnapshotError, match="snapshot"):
        check(text)


def test_more_servers_than_the_maximum_are_refused_and_the_maximum_is_not():
    many = [server(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(MAX_SERVERS + 1)]
    assert len(check(snapshot(*many[:-1])).ports["websecure"]) == MAX_SERVERS
    with pytest.raises(SnapshotError, match="ports"):
        check(snapshot(*many))
    with pytest.raises(SnapshotError, match="ports"):
        check(json.dumps(raw({"a": many[:MAX_SERVERS], "b": many[:1]})))


def test_the_digest_says_nothing_of_the_generation():
    one, two = (check(snapshot(server(), generation=generation)) for generation in (1, 2))
    assert (one.digest, one.generation, two.generation) == (two.digest, 1, 2)
