"""Check a snapshot from the master as if the master could be wrong.

Pure. A snapshot is taken whole or refused whole, with a message that names the field; nothing that passes here can
inject a line into the configuration or a command into HAProxy's socket.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, NamedTuple

# what a snapshot may hold; ``haproxy_edge.snapshot`` says the same to the master, and a test compares them
SCHEMA = 1
STATES = ("ready", "draining")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
CLUSTER = re.compile(_LABEL)
SERVICE = re.compile(f"{_LABEL}/{_LABEL}")
PORT_NAME = re.compile(f"({_LABEL})?")
NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,252})?")
DEFAULT_CLUSTER = "default"

MAX_SERVERS = 20_000
_KEYS = frozenset(("schema", "cluster", "service", "generation", "digest", "ports"))

# first bytes of 224.0.0.0/4
_MULTICAST_IPV4 = range(224, 240)

# first 12 bytes of ::/96 and ::ffff:0:0/96: HAProxy's inet_ntop writes these otherwise than Python does, and what runs
# would for ever look as if it were at another address
_IPV4_AS_IPV6 = (bytes(12), bytes(10) + b"\xff\xff")

# version, packed address, port: what servers are sorted by
SortKey = tuple[int, bytes, int]


class SnapshotError(ValueError):
    """A snapshot that is not to be used; the message names the field and its value."""


class Server(NamedTuple):
    """One endpoint; identity is (address, port). A tuple, because there are thousands in each run."""

    pod: str
    address: str
    port: int
    state: str
    node: str
    zone: str

    @property
    def name(self) -> str:
        """Its name in HAProxy: a pod that returns at another address never meets its draining self."""
        return f"{self.pod or 'endpoint'}:{self.address}:{self.port}"

    @property
    def socket_address(self) -> str:
        """``10.42.0.7:8443`` or ``[fd42::7]:8443``."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


_SERVER_KEYS = frozenset(Server._fields)


@dataclass(frozen=True)
class Snapshot:
    """The servers of one service per port name; ``text`` is the JSON it came in."""

    cluster: str
    service: str
    generation: int
    digest: str
    ports: Mapping[str, tuple[Server, ...]]
    text: str


def check(text: str) -> Snapshot:
    """Raises `SnapshotError` at the first field that is wrong."""
    try:
        raw = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise SnapshotError(f"snapshot: not JSON: {error}") from error
    raw = _mapping(raw, "snapshot", _KEYS)
    _expect(raw["schema"] == SCHEMA and raw["schema"] is not True, "schema", raw["schema"], f"only {SCHEMA} is known")
    cluster = _matching(raw["cluster"], "cluster", CLUSTER)
    service = _matching(raw["service"], "service", SERVICE)
    generation = _integer(raw["generation"], "generation", 1, 2**63 - 1)
    ports = _ports(raw["ports"])
    digest = _digest(raw)
    _expect(raw["digest"] == digest, "digest", raw["digest"], f"the content has {digest}")
    return Snapshot(cluster, service, generation, digest, ports, text)


def _ports(raw: Any) -> dict[str, tuple[Server, ...]]:
    _expect(isinstance(raw, dict), "ports", raw, "not a mapping")
    ports = {_matching(name, "ports", PORT_NAME): _servers(name, servers) for name, servers in raw.items()}
    total = sum(map(len, ports.values()))
    _expect(total <= MAX_SERVERS, "ports", total, f"more than {MAX_SERVERS} servers")
    return ports


def _servers(port_name: str, raw: Any) -> tuple[Server, ...]:
    where = f"ports.{port_name}"
    _expect(isinstance(raw, list) and len(raw) <= MAX_SERVERS, where, type(raw).__name__, "not a list of servers")
    servers, order = [], []
    for index, item in enumerate(raw):
        try:
            server, sort_key = _server(item)
        except SnapshotError as error:
            raise SnapshotError(f"{where}[{index}]{error}") from None
        servers.append(server)
        order.append(sort_key)
    _expect(
        all(a < b for a, b in itertools.pairwise(order)), where, len(order), "not sorted by address and port, or twice"
    )
    return tuple(servers)


def _server(raw: Any) -> tuple[Server, SortKey]:
    """Fields in messages begin with a dot: where the server stands is for the caller to say, and only if need be."""
    raw = _mapping(raw, "", _SERVER_KEYS)
    _expect(raw["state"] in STATES, ".state", raw["state"], f"not one of {', '.join(STATES)}")
    version, packed = _address(raw["address"], ".address")
    server = Server(
        pod=_matching(raw["pod"], ".pod", NAME),
        address=raw["address"],
        port=_integer(raw["port"], ".port", 1, 65535),
        state=raw["state"],
        node=_matching(raw["node"], ".node", NAME),
        zone=_matching(raw["zone"], ".zone", NAME),
    )
    return server, (version, packed, server.port)


def _digest(raw: Mapping[str, Any]) -> str:
    content = {key: raw[key] for key in ("schema", "cluster", "service", "ports")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _mapping(value: Any, where: str, keys: frozenset[str]) -> dict[str, Any]:
    _expect(isinstance(value, dict), where, type(value).__name__, "not a mapping")
    if value.keys() != keys:
        missing, unknown = sorted(keys - value.keys()), [key for key in value if key not in keys]
        _expect(not missing, f"{where}.{'.'.join(missing[:1])}", "", "missing")
        _expect(not unknown, where, unknown, "unknown")
    found: dict[str, Any] = value
    return found


def _matching(value: Any, where: str, pattern: re.Pattern[str]) -> str:
    _expect(isinstance(value, str) and pattern.fullmatch(value), where, value, "characters that are not allowed")
    return str(value)


def _integer(value: Any, where: str, lowest: int, highest: int) -> int:
    good = isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest
    _expect(good, where, value, f"not a whole number from {lowest} to {highest}")
    return int(value)


def _address(value: Any, where: str) -> tuple[int, bytes]:
    """(version, packed); the C library's own parser is strict for IPv4 and 10 times as fast."""
    try:
        packed = socket.inet_pton(socket.AF_INET, value)
    except (OSError, TypeError, ValueError):
        return 6, _packed_ipv6(value, where)
    _expect_place(packed == b"\0\0\0\0" or packed[0] in _MULTICAST_IPV4, value, where)
    return 4, packed


def _packed_ipv6(value: Any, where: str) -> bytes:
    try:
        address = IPv6Address(value) if isinstance(value, str) and "%" not in value else None
    except ValueError:
        address = None
    _expect(address is not None and str(address) == value, where, value, "not a canonical IP address")
    assert address is not None
    _expect_place(address.packed[:12] in _IPV4_AS_IPV6 or address.is_multicast, value, where)
    return address.packed


def _expect_place(special: bool, value: Any, where: str) -> None:
    # to HAProxy an unspecified address means the one the client asked for: the edge itself, in a circle
    _expect(not special, where, value, "not an address to connect to")


def _expect(good: object, where: str, value: object, problem: str) -> None:
    if not good:
        raise SnapshotError(f"{where}: {str(value)[:100]!r}: {problem}")
