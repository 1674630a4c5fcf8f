"""The resources that are served, and how a URL path names them."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Resource:
    """One kind. ``group`` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


RESOURCES = (
    Resource("", "v1", "namespaces", "Namespace", namespaced=False),
    Resource("", "v1", "services", "Service"),
    Resource("", "v1", "endpoints", "Endpoints"),
    Resource("", "v1", "configmaps", "ConfigMap"),
    Resource("", "v1", "secrets", "Secret"),
    Resource("", "v1", "serviceaccounts", "ServiceAccount"),
    Resource("", "v1", "pods", "Pod"),
    Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    Resource("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False),
    Resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
)
_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[a-z0-9.]+)/(?P<version>v[a-z0-9]+))"
    r"(?:/namespaces/(?P<namespace>[a-z0-9-]+)(?=/[a-z]))?"
    r"/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?"
)


@dataclass(frozen=True)
class Request:
    """What a path asks for; ``name`` empty means the collection, ``namespace`` empty all of them."""

    resource: Resource
    namespace: str
    name: str
    subresource: str


def parse(path: str) -> Request | None:
    """None for a path that names no resource served here."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    group, version = match["group"] or "", match["core"] or match["version"]
    for resource in RESOURCES:
        if (resource.group, resource.version, resource.plural) == (group, version, match["plural"]):
            return Request(resource, match["namespace"] or "", match["name"] or "", match["sub"] or "")
    return None


def discovery(path: str) -> dict[str, object] | None:
    """The documents kubectl asks first; None for other paths."""
    groups = sorted({resource.group for resource in RESOURCES if resource.group})
    if path == "/version":
        return {"major": "1", "minor": "36", "gitVersion": "v1.36.0-lab", "platform": "linux/amd64"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(group) for group in groups]}
    for prefix, group in [("/api/v1", ""), *((f"/apis/{group}/v1", group) for group in groups)]:
        if path == prefix:
            served = [_described(resource) for resource in RESOURCES if resource.group == group]
            version = f"{group}/v1" if group else "v1"
            return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": served}
    return None


def _group(group: str) -> dict[str, object]:
    version = {"groupVersion": f"{group}/v1", "version": "v1"}
    return {"name": group, "versions": [version], "preferredVersion": version}


def _described(resource: Resource) -> dict[str, object]:
    return {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
    }
