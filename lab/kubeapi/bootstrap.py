"""What a fresh cluster holds: the namespaces and the default roles every authenticated user leans on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.kubeapi.resources import RBAC_GROUP

SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")

_DISCOVERY = [
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
]
_PUBLIC = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_REVIEW = {
    "apiGroups": ["authorization.k8s.io"],
    "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    "verbs": ["create"],
}
_EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}


def objects() -> Iterator[dict[str, Any]]:
    """In the order they can be created."""
    for name in SYSTEM_NAMESPACES:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    masters, everyone = ["system:masters"], ["system:authenticated", "system:unauthenticated"]
    yield from _role("cluster-admin", [_EVERYTHING, _paths(["*"], "*")], masters)
    yield from _role("system:discovery", [_paths(_DISCOVERY, "get")], ["system:authenticated"])
    yield from _role("system:basic-user", [_REVIEW], ["system:authenticated"])
    yield from _role("system:public-info-viewer", [_paths(_PUBLIC, "get")], everyone)


def _paths(paths: list[str], verb: str) -> dict[str, Any]:
    return {"nonResourceURLs": paths, "verbs": [verb]}


def _role(name: str, rules: list[dict[str, Any]], groups: list[str]) -> Iterator[dict[str, Any]]:
    version = f"{RBAC_GROUP}/v1"
    yield {"apiVersion": version, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
    yield {
        "apiVersion": version,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": RBAC_GROUP, "kind": "Group", "name": group} for group in groups],
    }
