"""Defaults and checks on what is written, as strict as the original: a test must not pass because this one is lenient.

Limits and messages follow ``pkg/apis/{discovery,core,rbac}/validation`` of Kubernetes. Unknown fields are kept (the
original drops them); values of a wrong type are a 400, values out of range a 422 with every cause.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any

from lab.kubeapi import resources as kinds
from lab.kubeapi.status import Cause, bad_request

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_FQDN = re.compile(r"([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z0-9]([-a-z0-9]*[a-z0-9])?\.?")

MAX_ENDPOINTS, MAX_ADDRESSES, MAX_PORTS = 1_000, 100, 20_000
_ADDRESS_TYPES = ("IPv4", "IPv6", "FQDN")
_PROTOCOLS = ("SCTP", "TCP", "UDP")


class Problems:
    """Collects the causes of one 422."""

    def __init__(self) -> None:
        self.causes: list[Cause] = []

    def _add(self, reason: str, field: str, message: str) -> None:
        self.causes.append({"reason": reason, "message": message, "field": field})

    def required(self, field: str, why: str = "") -> None:
        self._add("FieldValueRequired", field, f"Required value{': ' + why if why else ''}")

    def invalid(self, field: str, value: Any, why: str) -> None:
        self._add("FieldValueInvalid", field, f'Invalid value: "{value}": {why}')

    def unsupported(self, field: str, value: Any, known: tuple[str, ...]) -> None:
        text = ", ".join(f'"{one}"' for one in known)
        self._add("FieldValueNotSupported", field, f'Unsupported value: "{value}": supported values: {text}')

    def duplicate(self, field: str, value: Any) -> None:
        self._add("FieldValueDuplicate", field, f'Duplicate value: "{value}"')

    def too_many(self, field: str, count: int, limit: int) -> None:
        self._add("FieldValueTooMany", field, f"Too many: {count}: must have at most {limit} items")


def _typed(value: Any, kind: type, field: str) -> None:
    if value is not None and (not isinstance(value, kind) or (isinstance(value, bool) and kind is int)):
        raise bad_request(f"json: cannot unmarshal {type(value).__name__} into field {field}")


def _elements(owner: dict[str, Any], key: str, field: str, kind: type = dict) -> list[Any]:
    """The list at ``key``, checked and with null objects read as empty ones, as the original decodes them."""
    _typed(owner.get(key), list, field)
    for element in owner.get(key) or []:
        _typed(element, kind, field)
    return [kind() if element is None else element for element in owner.get(key) or []]


def default(resource: kinds.Resource, item: dict[str, Any]) -> None:
    """Fill in what the API fills in, in place."""
    if resource is kinds.ENDPOINT_SLICES:
        _default_slice(item)
    elif resource is kinds.ENDPOINTS:
        for subset in _elements(item, "subsets", "subsets"):
            for port in _elements(subset, "ports", "subsets.ports"):
                port.setdefault("protocol", "TCP")
    elif resource is kinds.SERVICES:
        _default_service(item)
    elif resource in (kinds.ROLE_BINDINGS, kinds.CLUSTER_ROLE_BINDINGS):
        for subject in _elements(item, "subjects", "subjects"):
            if subject.get("kind") in ("User", "Group"):
                subject.setdefault("apiGroup", kinds.RBAC_GROUP)
    elif resource is kinds.NAMESPACES:
        _default_namespace(item)


def _default_slice(item: dict[str, Any]) -> None:
    # the typed original always writes these three, null or not
    item.setdefault("addressType", "")
    for key in ("endpoints", "ports"):
        item[key] = _elements(item, key, key) if item.get(key) is not None else None
    for endpoint in item["endpoints"] or []:
        endpoint.setdefault("addresses", None)
        _typed(endpoint.get("conditions"), dict, "conditions")
        given = endpoint.get("conditions") or {}
        endpoint["conditions"] = {key: value for key, value in given.items() if value is not None}
    for port in item["ports"] or []:
        port["name"] = port.get("name") or ""
        port["protocol"] = port.get("protocol") or "TCP"


def _default_service(item: dict[str, Any]) -> None:
    spec = item.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in _elements(spec, "ports", "spec.ports"):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    item.setdefault("status", {"loadBalancer": {}})


def _default_namespace(item: dict[str, Any]) -> None:
    item.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    item["status"] = {"phase": "Active"}
    item["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = item["metadata"]["name"]


def validate(resource: kinds.Resource, item: dict[str, Any], old: dict[str, Any] | None) -> list[Cause]:
    """Every cause to refuse a defaulted object; ``old`` is what it replaces."""
    problems = Problems()
    _name(resource, item["metadata"]["name"], problems)
    _labels(item["metadata"], problems)
    if check := _CHECKS.get(resource):
        check(item, old, problems)
    return problems.causes


def _name(resource: kinds.Resource, name: str, problems: Problems) -> None:
    if resource.group == kinds.RBAC_GROUP:
        if name in (".", "..") or "/" in name or "%" in name:
            problems.invalid("metadata.name", name, "may not contain '/' or '%'")
    elif resource in (kinds.NAMESPACES, kinds.SERVICES):
        _dns_label(name, "metadata.name", problems)
    else:
        _subdomain(name, "metadata.name", problems)


def _labels(metadata: dict[str, Any], problems: Problems) -> None:
    for key, value in (metadata.get("labels") or {}).items():
        _typed(value, str, f"metadata.labels.{key}")
        if not _QUALIFIED.fullmatch(key):
            problems.invalid("metadata.labels", key, "name part must consist of alphanumeric characters")
        if not _LABEL_VALUE.fullmatch(value or ""):
            problems.invalid("metadata.labels", value, "a valid label must be empty or consist of alphanumerics")


def _dns_label(value: str, field: str, problems: Problems) -> None:
    if not _LABEL.fullmatch(value):
        problems.invalid(field, value, "a lowercase RFC 1123 label must consist of lower case alphanumerics or '-'")


def _subdomain(value: str, field: str, problems: Problems) -> None:
    if len(value) > 253 or not _SUBDOMAIN.fullmatch(value):
        problems.invalid(field, value, "a lowercase RFC 1123 subdomain must consist of lower case alphanumerics")


def _slice(item: dict[str, Any], old: dict[str, Any] | None, problems: Problems) -> None:
    kind = item["addressType"]
    _typed(kind, str, "addressType")
    if not kind:
        problems.required("addressType")
    elif kind not in _ADDRESS_TYPES:
        problems.unsupported("addressType", kind, _ADDRESS_TYPES)
    if old and old.get("addressType") != kind:
        problems.invalid("addressType", kind, "field is immutable")
    endpoints = item["endpoints"] or []
    if len(endpoints) > MAX_ENDPOINTS:
        problems.too_many("endpoints", len(endpoints), MAX_ENDPOINTS)
    else:
        for index, endpoint in enumerate(endpoints):
            _slice_endpoint(endpoint, kind, f"endpoints[{index}]", problems)
    _slice_ports(item["ports"] or [], problems)


def _slice_endpoint(endpoint: dict[str, Any], kind: str, field: str, problems: Problems) -> None:
    addresses = _elements(endpoint, "addresses", f"{field}.addresses", str)
    if not addresses:
        problems.required(f"{field}.addresses", "must contain at least 1 address")
    elif len(addresses) > MAX_ADDRESSES:
        problems.too_many(f"{field}.addresses", len(addresses), MAX_ADDRESSES)
    for number, address in enumerate(addresses):
        _address(address, kind, f"{field}.addresses[{number}]", problems)
    for name in ("ready", "serving", "terminating"):
        _typed(endpoint["conditions"].get(name), bool, f"{field}.conditions.{name}")
    for name in ("hostname", "nodeName", "zone"):
        _typed(endpoint.get(name), str, f"{field}.{name}")
    if endpoint.get("hostname"):
        _dns_label(endpoint["hostname"], f"{field}.hostname", problems)
    if endpoint.get("nodeName"):
        _subdomain(endpoint["nodeName"], f"{field}.nodeName", problems)


def _address(address: str, kind: str, field: str, problems: Problems) -> None:
    """``kind`` is an addressType, or "" where any IP address will do."""
    if kind == "FQDN":
        if not _FQDN.fullmatch(address):
            problems.invalid(field, address, "should be a domain with at least two segments separated by dots")
        return
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        problems.invalid(field, address, "must be a valid IP address")
        return
    if kind in ("IPv4", "IPv6") and f"IPv{parsed.version}" != kind:
        problems.invalid(field, address, f"must be a valid {kind} address")
    if parsed.is_unspecified:
        problems.invalid(field, address, f"may not be unspecified ({address})")
    if parsed.is_loopback:
        problems.invalid(field, address, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if parsed.is_link_local:
        problems.invalid(field, address, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")


def _slice_ports(ports: list[dict[str, Any]], problems: Problems) -> None:
    if len(ports) > MAX_PORTS:
        problems.too_many("ports", len(ports), MAX_PORTS)
        return
    seen: set[str] = set()
    for index, port in enumerate(ports):
        _port(port, f"ports[{index}]", problems, number=port.get("port"))
        if port["name"] in seen:
            problems.duplicate(f"ports[{index}].name", port["name"])
        seen.add(port["name"])


def _port(port: dict[str, Any], field: str, problems: Problems, *, number: Any) -> None:
    _typed(port.get("name"), str, f"{field}.name")
    _typed(number, int, f"{field}.port")
    if port.get("name"):
        _dns_label(port["name"], f"{field}.name", problems)
    if port.get("protocol") not in _PROTOCOLS:
        problems.unsupported(f"{field}.protocol", port.get("protocol"), _PROTOCOLS)
    if number is not None and not 1 <= number <= 65535:
        problems.invalid(f"{field}.port", number, "must be between 1 and 65535, inclusive")


def _endpoints(item: dict[str, Any], _old: dict[str, Any] | None, problems: Problems) -> None:
    for index, subset in enumerate(_elements(item, "subsets", "subsets")):
        _subset(subset, f"subsets[{index}]", problems)


def _subset(subset: dict[str, Any], field: str, problems: Problems) -> None:
    if not subset.get("addresses") and not subset.get("notReadyAddresses"):
        problems.required(field, "must specify `addresses` or `notReadyAddresses`")
    for part in ("addresses", "notReadyAddresses"):
        for number, address in enumerate(_elements(subset, part, f"{field}.{part}")):
            _typed(address.get("ip"), str, f"{field}.{part}[{number}].ip")
            _address(address.get("ip") or "", "", f"{field}.{part}[{number}].ip", problems)
    _named_ports(subset, field, problems)


def _named_ports(owner: dict[str, Any], field: str, problems: Problems) -> None:
    """Ports of Endpoints and Services: a number each, and a name each when there are several."""
    ports = _elements(owner, "ports", f"{field}.ports")
    for number, port in enumerate(ports):
        if len(ports) > 1 and not port.get("name"):
            problems.required(f"{field}.ports[{number}].name")
        _port(port, f"{field}.ports[{number}]", problems, number=port.get("port") or 0)


def _service(item: dict[str, Any], _old: dict[str, Any] | None, problems: Problems) -> None:
    spec = item["spec"]
    if not spec.get("ports") and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        problems.required("spec.ports")
    _named_ports(spec, "spec", problems)


def _role(item: dict[str, Any], _old: dict[str, Any] | None, problems: Problems) -> None:
    for index, rule in enumerate(_elements(item, "rules", "rules")):
        if not rule.get("verbs"):
            problems.required(f"rules[{index}].verbs", "verbs must contain at least one value")
        for key in () if rule.get("nonResourceURLs") else ("apiGroups", "resources"):
            if not rule.get(key):
                problems.required(f"rules[{index}].{key}", "resource rules must supply at least one value")


def _binding(item: dict[str, Any], old: dict[str, Any] | None, problems: Problems) -> None:
    reference = item.get("roleRef") or {}
    if reference.get("apiGroup") != kinds.RBAC_GROUP:
        problems.unsupported("roleRef.apiGroup", reference.get("apiGroup"), (kinds.RBAC_GROUP,))
    if reference.get("kind") not in ("Role", "ClusterRole"):
        problems.unsupported("roleRef.kind", reference.get("kind"), ("Role", "ClusterRole"))
    if not reference.get("name"):
        problems.required("roleRef.name")
    if old and old.get("roleRef") != reference:
        problems.invalid("roleRef", reference, "cannot change roleRef")
    for index, subject in enumerate(_elements(item, "subjects", "subjects")):
        if subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            problems.required(f"subjects[{index}].namespace")


_CHECKS: dict[kinds.Resource, Callable[[dict[str, Any], dict[str, Any] | None, Problems], None]] = {
    kinds.ENDPOINT_SLICES: _slice,
    kinds.ENDPOINTS: _endpoints,
    kinds.SERVICES: _service,
    kinds.ROLES: _role,
    kinds.CLUSTER_ROLES: _role,
    kinds.ROLE_BINDINGS: _binding,
    kinds.CLUSTER_ROLE_BINDINGS: _binding,
}
