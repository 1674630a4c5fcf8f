"""The kinds this API serves, and how a URL path names one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

RBAC_GROUP = "rbac.authorization.k8s.io"
DISCOVERY_GROUP = "discovery.k8s.io"

STORED_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Resource:
    """One kind; ``group`` is "" for the core. ``stored`` is false where a POST is a question, not an object."""

    group: str
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    stored: bool = True
    generation: bool = False
    creates_on_update: bool = False
    version: str = "v1"

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """As error messages name it: ``endpointslices.discovery.k8s.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def root(self) -> str:
        """The path of its group and version."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def verbs(self) -> tuple[str, ...]:
        return STORED_VERBS if self.stored else ("create",)

    def collection(self, namespace: str | None) -> str:
        """The path of all its objects, or of those in one namespace."""
        inside = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{self.root}{inside}/{self.plural}"


NAMESPACES = Resource("", "namespaces", "Namespace", namespaced=False, short=("ns",))
SERVICES = Resource("", "services", "Service", short=("svc",), creates_on_update=True)
ENDPOINTS = Resource("", "endpoints", "Endpoints", short=("ep",), creates_on_update=True)
CONFIG_MAPS = Resource("", "configmaps", "ConfigMap", short=("cm",))
SECRETS = Resource("", "secrets", "Secret")
SERVICE_ACCOUNTS = Resource("", "serviceaccounts", "ServiceAccount", short=("sa",))
ENDPOINT_SLICES = Resource(DISCOVERY_GROUP, "endpointslices", "EndpointSlice", generation=True)
PERSISTENT_VOLUME_CLAIMS = Resource("", "persistentvolumeclaims", "PersistentVolumeClaim", short=("pvc",))
DEPLOYMENTS = Resource("apps", "deployments", "Deployment", short=("deploy",), generation=True)
NETWORK_POLICIES = Resource("networking.k8s.io", "networkpolicies", "NetworkPolicy", short=("netpol",), generation=True)
ROLES = Resource(RBAC_GROUP, "roles", "Role", creates_on_update=True)
ROLE_BINDINGS = Resource(RBAC_GROUP, "rolebindings", "RoleBinding", creates_on_update=True)
CLUSTER_ROLES = Resource(RBAC_GROUP, "clusterroles", "ClusterRole", namespaced=False, creates_on_update=True)
CLUSTER_ROLE_BINDINGS = Resource(
    RBAC_GROUP, "clusterrolebindings", "ClusterRoleBinding", namespaced=False, creates_on_update=True
)
SELF_REVIEWS = Resource(
    "authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False, stored=False
)

RESOURCES = (
    NAMESPACES,
    SERVICES,
    ENDPOINTS,
    CONFIG_MAPS,
    SECRETS,
    SERVICE_ACCOUNTS,
    ENDPOINT_SLICES,
    PERSISTENT_VOLUME_CLAIMS,
    DEPLOYMENTS,
    NETWORK_POLICIES,
    ROLES,
    ROLE_BINDINGS,
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
    SELF_REVIEWS,
)
SUBRESOURCES = {SERVICE_ACCOUNTS: ("token",)}

_BY_PLURAL = {(r.root, r.plural): r for r in RESOURCES}
_BY_KIND = {(r.api_version, r.kind): r for r in RESOURCES}


@dataclass(frozen=True)
class Target:
    """What a resource path points at; ``namespace`` and ``name`` are "" where the path has none."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def by_kind(api_version: str, kind: str) -> Resource | None:
    """The resource of an object's ``apiVersion`` and ``kind``."""
    return _BY_KIND.get((api_version, kind))


def object_path(item: dict[str, Any]) -> str:
    """Where an object lives, from what it says of itself. Raises KeyError for a kind this package does not know."""
    resource = _BY_KIND[(item["apiVersion"], item["kind"])]
    metadata = item["metadata"]
    return f"{resource.collection(metadata.get('namespace') or 'default')}/{metadata['name']}"


def parse(path: str) -> Target | None:
    """The target of a path, or None when it names no resource served here."""
    parts = [part for part in path.split("/") if part]
    size = 2 if parts[:1] == ["api"] else 3
    if parts[:1] not in (["api"], ["apis"]) or len(parts) <= size:
        return None
    root, rest = "/" + "/".join(parts[:size]), parts[size:]
    if rest[0] == "namespaces" and len(rest) > 2 and (root, rest[2]) in _BY_PLURAL:
        return _target(_BY_PLURAL[(root, rest[2])], rest[1], rest[3:], namespaced=True)
    resource = _BY_PLURAL.get((root, rest[0]))
    return _target(resource, "", rest[1:], namespaced=False) if resource else None


def _target(resource: Resource, namespace: str, rest: list[str], *, namespaced: bool) -> Target | None:
    if len(rest) > 2 or (namespaced and not resource.namespaced) or (rest and resource.namespaced and not namespaced):
        return None
    name, subresource = [*rest, "", ""][:2]
    if subresource and subresource not in SUBRESOURCES.get(resource, ()):
        return None
    return Target(resource, namespace, name, subresource)
