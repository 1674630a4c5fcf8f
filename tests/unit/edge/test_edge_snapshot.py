"""Snapshots are checked as if the master could be wrong."""

import json
import socket
from ipaddress import IPv6Address

import pytest
from haproxy_edge_minion.snapshot import MAX_SERVERS, SnapshotError, check
from hypothesis import example, given

from tests.unit.edge.bad_snapshots import BAD_SNAPSHOTS, many
from tests.unit.edge.material import ipv6_addresses, raw, server, snapshot


def test_a_good_snapshot_gives_its_servers():
    found = check(snapshot(server(), server("fd42::7", node="")))
    assert [one.name for one in found.ports["websecure"]] == ["traefik-1:10.42.0.7:8443", "traefik-1:fd42::7:8443"]
    assert [one.socket_address for one in found.ports["websecure"]] == ["10.42.0.7:8443", "[fd42::7]:8443"]


def test_a_server_without_a_pod_is_called_endpoint():
    (found,) = check(snapshot(server(pod=""))).ports["websecure"]
    assert found.name == "endpoint:10.42.0.7:8443"


def test_empty_ports_mean_an_empty_service():
    assert check(snapshot()).ports == {}


@pytest.mark.parametrize(("bad", "field"), BAD_SNAPSHOTS)
def test_a_bad_snapshot_is_refused_whole_naming_the_field(bad, field):
    with pytest.raises(SnapshotError) as refusal:
        check(json.dumps(bad))
    assert str(refusal.value).startswith(f"{field}: ")


@given(ipv6_addresses)
@example(IPv6Address("::1:5"))
@example(IPv6Address("::ffff:10.42.0.7"))
def test_an_ipv6_address_is_taken_only_as_haproxy_writes_it(address):
    """Else what runs would for ever look as if it were at another address, and each reconcile reload."""
    written = socket.inet_ntop(socket.AF_INET6, address.packed)
    try:
        check(snapshot(server(str(address))))
    except SnapshotError as refusal:
        assert address.is_multicast or int(address) >> 32 in (0, 0xFFFF), refusal
    else:
        assert written == str(address)


@pytest.mark.parametrize("text", ["", "[]", "null", '{"schema": 1', "[" * 100_000, None, 7])
def test_what_is_not_a_json_mapping_is_refused(text):
    with pytest.raises(SnapshotError, match="snapshot"):
        check(text)


def test_the_maximum_of_servers_is_taken_and_one_more_at_another_port_is_refused():
    most = many(MAX_SERVERS)
    assert len(check(snapshot(*most)).ports["websecure"]) == MAX_SERVERS
    with pytest.raises(SnapshotError, match=f"ports: '{MAX_SERVERS + 1}': more than {MAX_SERVERS} servers"):
        check(json.dumps(raw({"a": most, "b": most[:1]})))


def test_the_digest_says_nothing_of_the_generation():
    one, two = (check(snapshot(server(), generation=generation)) for generation in (1, 2))
    assert (one.digest, one.generation, two.generation) == (two.digest, 1, 2)
