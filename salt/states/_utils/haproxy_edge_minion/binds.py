"""Where HAProxy's raw bind words listen, read from the words alone.

Pure. It must never judge: words it does not understand listen nowhere that it knows of, and whether they are right is
HAProxy's to say. Two spellings of one place must never pass for two.

Source: HAProxy configuration manual, sections 4.2 "bind" and 11 "Address formats".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

_FAMILIES = ("ipv4", "ipv6")
_PORTS = range(1, 65_536)


@dataclass(frozen=True)
class Place:
    """One TCP address of a bind; ``host`` is empty for all addresses. ``only`` is HAProxy's ``v6only``."""

    family: str
    host: str
    port: int
    only: bool = False

    @property
    def loopback(self) -> str:
        """Where a connection from this very host reaches it."""
        return self.host or ("::1" if self.family == "ipv6" else "127.0.0.1")


def places(bind: str) -> Iterator[Place]:
    """The TCP places of raw HAProxy bind words; sockets of other kinds and ranges of ports are left out."""
    for family, host, port in identities(bind):
        if family in _FAMILIES and port.isdecimal() and int(port) in _PORTS:
            yield Place(family, host, int(port), "v6only" in bind.split())


def identities(bind: str) -> Iterator[tuple[str, str, str]]:
    """(family, host, port) of each address, of whatever kind: alike for two that are one place."""
    for address in bind.partition(" ")[0].split(","):
        family, at, rest = address.partition("@")
        family, rest = (family, rest) if at else ("", address)
        host, colon, port = rest.rpartition(":")
        host, port = (host.strip("[]"), port) if colon else (rest, "")
        yield family or ("ipv6" if ":" in host else "ipv4"), _canonical(host), port


def _canonical(host: str) -> str:
    """Empty for all addresses; what is no address, as it stands."""
    try:
        address = ip_address(host)
    except ValueError:
        return "" if host == "*" else host
    return "" if address.is_unspecified else str(address)
