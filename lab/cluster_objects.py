"""EndpointSlices and Endpoints as a cluster's controllers would write them. Pure.

What they write is documented, and sometimes odd: an edge must be tried against that and not against what would be tidy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

# the port names of Traefik's service in k3s, and one for the plain TCP backend of the lab's pods
PORTS = {"websecure": 8443, "web": 8000, "tcp": 9000}


@dataclass(frozen=True)
class Endpoint:
    """One pod of a service, with its conditions; None is what the API calls nil."""

    pod: str
    address: str
    node: str | None = "node-1"
    ready: bool | None = True
    serving: bool | None = True
    terminating: bool | None = False

    def leaving(self) -> Endpoint:
        """As a pod is listed that was told to end and still accepts."""
        return Endpoint(self.pod, self.address, self.node, ready=False, serving=True, terminating=True)


def endpoint_slice(
    service: str,
    endpoints: Iterable[Endpoint],
    *,
    name: str | None = None,
    ports: Mapping[str, int] | None = None,
    family: str = "IPv4",
) -> dict[str, Any]:
    """``service`` is namespace/name."""
    namespace, _, plain = service.partition("/")
    numbers = PORTS if ports is None else ports
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name or f"{plain}-{family.lower()}",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": plain},
        },
        "addressType": family,
        "endpoints": [_endpoint(endpoint, namespace) for endpoint in endpoints],
        "ports": [{"name": name, "port": number, "protocol": "TCP"} for name, number in numbers.items()],
    }


def slices_by_family(service: str, endpoints: Iterable[Endpoint]) -> list[dict[str, Any]]:
    """One slice for IPv4 and one for IPv6, as the controller keeps them; a family without endpoints stays, empty."""
    listed = list(endpoints)
    return [
        endpoint_slice(service, [item for item in listed if ip_address(item.address).version == version], family=family)
        for family, version in (("IPv4", 4), ("IPv6", 6))
    ]


def endpoints(service: str, listed: Iterable[Endpoint]) -> dict[str, Any]:
    """The legacy kind."""
    namespace, _, plain = service.partition("/")
    addresses = [{"ip": item.address, "nodeName": item.node, "targetRef": _target(item, namespace)} for item in listed]
    numbers = [{"name": name, "port": number, "protocol": "TCP"} for name, number in PORTS.items()]
    subsets = [{"addresses": addresses, "ports": numbers}] if addresses else None
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": plain, "namespace": namespace},
        "subsets": subsets,
    }


def _endpoint(endpoint: Endpoint, namespace: str) -> dict[str, Any]:
    conditions = {"ready": endpoint.ready, "serving": endpoint.serving, "terminating": endpoint.terminating}
    return {
        "addresses": [endpoint.address],
        "conditions": {name: value for name, value in conditions.items() if value is not None},
        "nodeName": endpoint.node,
        "targetRef": _target(endpoint, namespace),
    }


def _target(endpoint: Endpoint, namespace: str) -> dict[str, str]:
    return {"kind": "Pod", "name": endpoint.pod, "namespace": namespace}
