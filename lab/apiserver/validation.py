"""What a real API server would refuse to store, for the kinds the tests write.

Source: the validation described for EndpointSlice v1 in the Kubernetes API reference.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any

from lab.apiserver.storage import ApiFailure

_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_FAMILIES = {"IPv4": 4, "IPv6": 6}


def validate(kind: str, item: dict[str, Any]) -> None:
    """Raises 422 with the field."""
    name = (item.get("metadata") or {}).get("name")
    if name is not None and not _DNS_SUBDOMAIN.fullmatch(str(name)) and not kind.startswith(("Role", "ClusterRole")):
        _refuse(kind, "metadata.name", name)
    if kind == "EndpointSlice":
        _endpoint_slice(item)


def _endpoint_slice(item: dict[str, Any]) -> None:
    family = item.get("addressType")
    if family not in ("IPv4", "IPv6", "FQDN"):
        _refuse("EndpointSlice", "addressType", family)
    endpoints = item.get("endpoints") or []
    if len(endpoints) > 1000:
        _refuse("EndpointSlice", "endpoints", f"{len(endpoints)} items")
    for index, endpoint in enumerate(endpoints):
        addresses = endpoint.get("addresses") or []
        if not 1 <= len(addresses) <= 100:
            _refuse("EndpointSlice", f"endpoints[{index}].addresses", addresses)
        for address in addresses:
            if family in _FAMILIES and not _is_address(address, _FAMILIES[family]):
                _refuse("EndpointSlice", f"endpoints[{index}].addresses", address)
    for index, port in enumerate(item.get("ports") or []):
        _port(f"ports[{index}]", port)


def _port(where: str, port: dict[str, Any]) -> None:
    name, number = port.get("name"), port.get("port")
    if name and not _DNS_LABEL.fullmatch(name):
        _refuse("EndpointSlice", f"{where}.name", name)
    if number is not None and not 0 < number < 65536:
        _refuse("EndpointSlice", f"{where}.port", number)


def _is_address(address: str, version: int) -> bool:
    try:
        return ip_address(address).version == version
    except ValueError:
        return False


def _refuse(kind: str, field: str, value: object) -> None:
    raise ApiFailure(422, "Invalid", f"{kind} is invalid: {field}: Invalid value: {value!r}")
