"""Snapshots that could do harm, each with the field by which it is refused."""

from __future__ import annotations

from typing import Any

import pytest
from haproxy_edge_minion.snapshot import MAX_SERVERS

from tests.unit.edge.material import raw, server


def with_server(**changes: Any) -> dict[str, Any]:
    """A good server, and one that is so changed."""
    return raw({"websecure": [server("10.42.0.6"), {**server("10.42.0.7"), **changes}]})


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in raw({}).items() if name != key}


def many(count: int) -> list[dict[str, Any]]:
    """Servers in their order."""
    return [server(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(1, count + 1)]


BAD_SNAPSHOTS = [
    pytest.param({**raw({}), "schema": 2}, "schema", id="unknown schema"),
    pytest.param({**raw({}), "schema": True}, "schema", id="schema that only equals 1"),
    pytest.param(without("generation"), "snapshot.generation", id="missing generation"),
    pytest.param(without("digest"), "snapshot.digest", id="missing digest"),
    pytest.param(without("ports"), "snapshot.ports", id="missing ports"),
    pytest.param({**raw({}), "more": 1}, "snapshot", id="unknown key"),
    pytest.param({**raw({}), "generation": 0}, "generation", id="generation 0"),
    pytest.param({**raw({}), "generation": 1.5}, "generation", id="generation 1.5"),
    pytest.param({**raw({}), "generation": "1"}, "generation", id="generation as text"),
    pytest.param(raw({}, service="traefik"), "service", id="service without namespace"),
    pytest.param(raw({}, service="a/b\nc"), "service", id="newline in service"),
    pytest.param(raw({}, cluster="no spaces"), "cluster", id="cluster"),
    pytest.param({**raw({}), "digest": "sha256:0"}, "digest", id="digest too short"),
    pytest.param({**raw({}), "digest": "sha256:" + "0" * 64}, "digest", id="digest of something else"),
    pytest.param({**raw({}), "ports": []}, "ports", id="ports not a mapping"),
    pytest.param(raw({"websecure": None}), "ports.websecure", id="servers null"),
    pytest.param(raw({"web secure": []}), "ports", id="port name with a space"),
    pytest.param(raw({"websecure": ["x"]}), "ports.websecure[0]", id="server not a mapping"),
    pytest.param(with_server(port=0), "ports.websecure[1].port", id="port 0"),
    pytest.param(with_server(port=70000), "ports.websecure[1].port", id="port 70000"),
    pytest.param(with_server(port="8443"), "ports.websecure[1].port", id="port as text"),
    pytest.param(with_server(port=True), "ports.websecure[1].port", id="port true"),
    pytest.param(with_server(state="terminating"), "ports.websecure[1].state", id="unknown state"),
    pytest.param(with_server(state=["ready"]), "ports.websecure[1].state", id="state a list"),
    pytest.param(with_server(address="traefik.example"), "ports.websecure[1].address", id="a name"),
    pytest.param(with_server(address="10.042.0.7"), "ports.websecure[1].address", id="leading zero"),
    pytest.param(with_server(address="FD42::7"), "ports.websecure[1].address", id="capitals"),
    pytest.param(with_server(address="fd42:0::7"), "ports.websecure[1].address", id="not the shortest"),
    pytest.param(with_server(address="0.0.0.0"), "ports.websecure[1].address", id="the edge itself"),
    pytest.param(with_server(address="ff02::1"), "ports.websecure[1].address", id="multicast"),
    pytest.param(with_server(address="::1:5"), "ports.websecure[1].address", id="IPv4-compatible"),
    pytest.param(with_server(address="::0.1.0.5"), "ports.websecure[1].address", id="IPv4-compatible, with dots"),
    pytest.param(with_server(address="::ffff:a2a:7"), "ports.websecure[1].address", id="IPv4-mapped"),
    pytest.param(with_server(address="::ffff:10.42.0.7"), "ports.websecure[1].address", id="IPv4-mapped, with dots"),
    pytest.param(with_server(address="fe80::1%eth0"), "ports.websecure[1].address", id="scope"),
    pytest.param(with_server(address=167772167), "ports.websecure[1].address", id="address as a number"),
    pytest.param(with_server(address="10.42.0.7;shutdown"), "ports.websecure[1].address", id="command in address"),
    pytest.param(with_server(pod='a"b'), "ports.websecure[1].pod", id="quote in pod"),
    pytest.param(with_server(pod="a b"), "ports.websecure[1].pod", id="space in pod"),
    pytest.param(with_server(pod="a\n    server evil 10.0.0.1:1"), "ports.websecure[1].pod", id="another line in pod"),
    pytest.param(with_server(pod="a\n"), "ports.websecure[1].pod", id="newline at the end of pod"),
    pytest.param(with_server(node="a\x1bb"), "ports.websecure[1].node", id="control character in node"),
    pytest.param(with_server(node="a\x00"), "ports.websecure[1].node", id="null character in node"),
    pytest.param(with_server(zone="ü"), "ports.websecure[1].zone", id="not ASCII"),
    pytest.param(raw({"a": [server("10.0.0.2"), server("10.0.0.1")]}), "ports.a", id="not sorted"),
    pytest.param(raw({"a": [server(), server(pod="other")]}), "ports.a", id="the same place twice"),
    pytest.param(raw({"websecure": many(MAX_SERVERS + 1)}), "ports.websecure", id="more than the maximum"),
]
