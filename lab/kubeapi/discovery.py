"""What the API says of itself: groups, resources, version, and the OpenAPI that ``kubectl apply`` asks for."""

from __future__ import annotations

from typing import Any

from lab.kubeapi.resources import RESOURCES, SUBRESOURCES, Resource

VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0+haproxy-edge-lab",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
_GROUPS = sorted({resource.group for resource in RESOURCES if resource.group})
_TOKEN_REQUEST = {"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"}


def document(path: str) -> dict[str, Any] | None:
    """The answer to a discovery path, None when it is none."""
    path = path.rstrip("/")
    if path in _FIXED:
        return _FIXED[path]()
    if path.startswith("/openapi/v3/"):
        return _openapi_of(path.removeprefix("/openapi/v3"))
    if path.startswith("/apis/") and path.removeprefix("/apis/") in _GROUPS:
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(path.removeprefix("/apis/"))}
    return _resource_list(path)


def _versions() -> dict[str, Any]:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def _group_list() -> dict[str, Any]:
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in _GROUPS]}


def _group(name: str) -> dict[str, Any]:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resource_list(path: str) -> dict[str, Any] | None:
    found = [resource for resource in RESOURCES if resource.root == path]
    if not found:
        return None
    entries = [entry for resource in found for entry in _entries(resource)]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": found[0].api_version, "resources": entries}


def _entries(resource: Resource) -> list[dict[str, Any]]:
    entry = {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
        **({"shortNames": list(resource.short)} if resource.short else {}),
    }
    extra = [
        {
            "name": f"{resource.plural}/{sub}",
            "singularName": "",
            "namespaced": resource.namespaced,
            **_TOKEN_REQUEST,
            "verbs": ["create"],
        }
        for sub in SUBRESOURCES.get(resource, ())
    ]
    return [entry, *extra]


def _openapi_index() -> dict[str, Any]:
    roots = sorted({resource.root for resource in RESOURCES})
    return {"paths": {root[1:]: {"serverRelativeURL": f"/openapi/v3{root}"} for root in roots}}


def _openapi_of(root: str) -> dict[str, Any] | None:
    """Only that a patch knows ``fieldValidation``: what kubectl asks before it leaves validation to the server."""
    found = [resource for resource in RESOURCES if resource.root == root and resource.stored]
    if not found:
        return None
    paths = {f"{resource.collection('{namespace}')}/{{name}}": {"patch": _patch(resource)} for resource in found}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]}, "paths": paths}


def _patch(resource: Resource) -> dict[str, Any]:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    parameter = {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}
    return {
        "parameters": [parameter],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-group-version-kind": kind,
    }


_FIXED = {
    "/version": lambda: dict(VERSION),
    "/api": _versions,
    "/apis": _group_list,
    "/openapi/v3": _openapi_index,
}
