"""From EndpointSlices (or Endpoints) to the servers of a service, whatever shape the API sends them in.

Pure. Null lists, null names and missing ports are normal input; a bad part is left out with a warning that names
slice and field, and the rest is used. Nothing from the API may reach an edge that has not passed a check here.

Sources: EndpointSlice v1 (``discovery.k8s.io/v1``) and Endpoints v1 in the Kubernetes API reference; the meaning of
nil conditions is documented at ``EndpointConditions``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from haproxy_edge.snapshot import NAME, PORT_NAME, Ports, Server

SERVICE_LABEL = "kubernetes.io/service-name"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"

Object = Mapping[str, Any]


@dataclass(frozen=True)
class _Candidate:
    server: Server
    # and not ready
    still_serving: bool
    order: tuple[int, int, int]


@dataclass(frozen=True)
class Slice:
    """What one slice says, checked. Reading is the costly part, so a watch reads each slice once per change."""

    name: str
    candidates: tuple[tuple[str, _Candidate], ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Merged:
    """What all slices of a service say together."""

    ports: Ports
    warnings: tuple[str, ...]


def read(item: Object) -> Slice:
    """One EndpointSlice as the API sends it; never raises."""
    warnings: list[str] = []
    candidates = tuple(_candidates(item, warnings))
    return Slice(name_of(item), candidates, tuple(warnings))


def merge(slices: Iterable[Slice]) -> Merged:
    """All slices of one service as servers per port name.

    Where nothing is ready but something still serves while it terminates, those serve: better a leaving pod than none.
    """
    warnings: list[str] = []
    found: dict[str, dict[tuple[str, int], _Candidate]] = defaultdict(dict)
    for one in sorted(slices, key=lambda one: one.name):
        warnings += one.warnings
        for port_name, candidate in one.candidates:
            _keep_better(found[port_name], candidate)
    ports = {name: _settle(by_address.values()) for name, by_address in sorted(found.items())}
    return Merged(ports, tuple(dict.fromkeys(warnings)))


def endpoints_as_slices(endpoints: Object) -> list[dict[str, Any]]:
    """An Endpoints object in the shape of slices, one per subset and kind of address."""
    metadata, name = metadata_of(endpoints), name_of(endpoints)
    shaped = []
    for index, subset in enumerate(_mappings(endpoints.get("subsets"))):
        shaped.append(
            {
                "metadata": {
                    "name": f"{name}/subsets/{index}",
                    "namespace": metadata.get("namespace"),
                    "labels": {SERVICE_LABEL: name},
                    "annotations": metadata.get("annotations"),
                },
                "endpoints": [*_addresses(subset, "addresses", True), *_addresses(subset, "notReadyAddresses", False)],
                "ports": subset.get("ports"),
            }
        )
    return shaped


def _addresses(subset: Object, field: str, ready: bool) -> list[dict[str, Any]]:
    return [
        {
            "addresses": [address.get("ip")],
            "conditions": {"ready": ready},
            "nodeName": address.get("nodeName"),
            "targetRef": address.get("targetRef"),
        }
        for address in _mappings(subset.get(field))
    ]


def metadata_of(item: Object) -> Object:
    """The metadata of any object; empty where there is none."""
    metadata = item.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def name_of(item: Object) -> str:
    """The name of any object; empty where there is none."""
    return str(metadata_of(item).get("name") or "")


def _mappings(value: Any) -> list[Object]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _candidates(item: Object, warnings: list[str]) -> Iterator[tuple[str, _Candidate]]:
    name = name_of(item)
    if item.get("addressType") == "FQDN":
        warnings.append(f"slice {name!r}: addressType: FQDN is refused: an edge takes addresses only")
        return
    if _over_capacity(item):
        warnings.append(f"slice {name!r}: truncated at 1,000 addresses by Kubernetes: use EndpointSlices")
    ports = list(_ports(item, name, warnings))
    for index, endpoint in enumerate(_list(item, "endpoints", name, warnings)):
        where = f"slice {name!r}: endpoints[{index}]"
        yield from _of_endpoint(endpoint, ports, where, warnings)


def _over_capacity(item: Object) -> bool:
    annotations = metadata_of(item).get("annotations")
    return isinstance(annotations, Mapping) and annotations.get(OVER_CAPACITY) == "truncated"


def _list(item: Object, field: str, name: str, warnings: list[str]) -> list[Any]:
    value = item.get(field)
    if value is None or isinstance(value, list):
        return value or []
    warnings.append(f"slice {name!r}: {field}: {type(value).__name__} is not a list")
    return []


def _ports(item: Object, name: str, warnings: list[str]) -> Iterator[tuple[str, int]]:
    for index, port in enumerate(_list(item, "ports", name, warnings)):
        where = f"slice {name!r}: ports[{index}]"
        if not isinstance(port, Mapping):
            warnings.append(f"{where}: {type(port).__name__} is not a port")
            continue
        port_name, number = port.get("name") or "", port.get("port")
        if (port.get("protocol") or "TCP") != "TCP":
            continue
        if not isinstance(port_name, str) or not PORT_NAME.fullmatch(port_name):
            warnings.append(f"{where}.name: {port_name!r} is not a port name")
        elif isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 65536:
            # nil means "all ports" in the API; an edge needs one
            warnings.append(f"{where}.port: {number!r} is not a port number")
        else:
            yield port_name, number


def _of_endpoint(
    endpoint: Any, ports: list[tuple[str, int]], where: str, warnings: list[str]
) -> Iterator[tuple[str, _Candidate]]:
    if not isinstance(endpoint, Mapping):
        warnings.append(f"{where}: {type(endpoint).__name__} is not an endpoint")
        return
    conditions = endpoint.get("conditions")
    conditions = conditions if isinstance(conditions, Mapping) else {}
    ready = conditions.get("ready") is not False
    serving = ready if conditions.get("serving") is None else conditions["serving"] is not False
    target = endpoint.get("targetRef")
    names = {
        "pod": _plain(target.get("name") if isinstance(target, Mapping) else None, f"{where}.targetRef.name", warnings),
        "node": _plain(endpoint.get("nodeName"), f"{where}.nodeName", warnings),
        "zone": _plain(endpoint.get("zone"), f"{where}.zone", warnings),
    }
    for address in _addresses_to_use(endpoint.get("addresses"), where, warnings):
        for port_name, port in ports:
            server = Server(address=str(address), port=port, state="ready" if ready else "draining", **names)
            yield port_name, _Candidate(server, serving and not ready, (address.version, int(address), port))


def _addresses_to_use(addresses: Any, where: str, warnings: list[str]) -> Iterator[IPv4Address | IPv6Address]:
    if addresses is not None and not isinstance(addresses, list):
        warnings.append(f"{where}.addresses: {type(addresses).__name__} is not a list")
        return
    # all addresses of one endpoint are the same pod; the API asks consumers to use the first
    for address in (addresses or [])[:1]:
        try:
            parsed = ip_address(address if isinstance(address, str) else "")
            # Pythons differ in how they write ::ffff:10.42.0.7, and an edge refuses what it would write otherwise
            parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        except ValueError:
            warnings.append(f"{where}.addresses: {address!r} is not an IP address")
            continue
        if "%" in str(parsed) or parsed.is_multicast or parsed.is_unspecified or _is_ipv4_compatible(parsed):
            warnings.append(f"{where}.addresses: {address!r} is not an address to connect to")
        else:
            yield parsed


def _is_ipv4_compatible(address: IPv4Address | IPv6Address) -> bool:
    """Of ``::/96``, deprecated by RFC 4291 2.5.5.1: HAProxy writes it otherwise than Python, so an edge refuses it."""
    return address.version == 6 and int(address) < 2**32


def _plain(value: Any, where: str, warnings: list[str]) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, str) and NAME.fullmatch(value):
        return value
    warnings.append(f"{where}: {value!r} is not a name; left empty")
    return ""


def _keep_better(by_address: dict[tuple[str, int], _Candidate], candidate: _Candidate) -> None:
    """One endpoint may stand in two slices for a while: ready wins, then serving; names decide the rest, not order."""
    key = (candidate.server.address, candidate.server.port)
    known = by_address.get(key)
    if known is None or _rank(candidate) > _rank(known):
        by_address[key] = candidate


def _rank(candidate: _Candidate) -> tuple[bool, bool, str, str, str]:
    server = candidate.server
    return (server.state == "ready", candidate.still_serving, server.pod, server.node, server.zone)


def _settle(candidates: Iterable[_Candidate]) -> tuple[Server, ...]:
    in_order = sorted(candidates, key=lambda candidate: candidate.order)
    if any(candidate.server.state == "ready" for candidate in in_order):
        return tuple(candidate.server for candidate in in_order)
    return tuple(
        replace(candidate.server, state="ready") if candidate.still_serving else candidate.server
        for candidate in in_order
    )
