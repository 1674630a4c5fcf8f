"""Endpoints outside of the networks a service may have its pods in are left out.

Pure. Whoever may edit EndpointSlices in the cluster can otherwise point an edge at any address it can reach.
Nothing is taken away in silence; whether a port may lose all it has by that is for `services` to decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from haproxy_edge.snapshot import Ports, Server

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Inside:
    """What may be served, the endpoints that may not, and the ports that have none left by that."""

    ports: Ports
    refused: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()


def inside(ports: Ports, networks: Iterable[str] | None) -> Inside:
    """``networks``: CIDRs; None: every address is right."""
    if networks is None:
        return Inside(ports)
    allowed = tuple(map(_network, networks))
    kept = {name: tuple(server for server in servers if _is_in(server, allowed)) for name, servers in ports.items()}
    refused = {
        f"{server.address} ({server.pod or 'no pod'})"
        for name, servers in ports.items()
        for server in set(servers) - set(kept[name])
    }
    emptied = tuple(name for name, servers in ports.items() if servers and not kept[name])
    return Inside(kept, tuple(sorted(refused)), emptied)


def _is_in(server: Server, allowed: tuple[Network, ...]) -> bool:
    # a network never holds an address of the other family
    return any(_address(server.address) in network for network in allowed)


@lru_cache(maxsize=4096)
def _address(text: str) -> IPv4Address | IPv6Address:
    return ip_address(text)


@lru_cache(maxsize=256)
def _network(text: str) -> Network:
    return ip_network(text)
