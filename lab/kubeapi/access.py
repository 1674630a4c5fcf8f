"""Who a request comes from and what it may do: bearer tokens, and the rules of Role and ClusterRole evaluated."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lab.kubeapi import resources as kinds
from lab.kubeapi.status import Failure, unauthorized
from lab.kubeapi.store import Store

MASTERS = "system:masters"
MIN_TOKEN_SECONDS = 600


@dataclass(frozen=True)
class Identity:
    """A user and its groups."""

    name: str
    groups: tuple[str, ...]


ADMIN = Identity("admin", (MASTERS, "system:authenticated"))
ANONYMOUS = Identity("system:anonymous", ("system:unauthenticated",))


@dataclass(frozen=True)
class Attributes:
    """One question to the authorizer; ``path`` is set when it is about no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


def service_account(namespace: str, name: str) -> Identity:
    """The identity of a pod's or an engine's service account."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return Identity(f"system:serviceaccount:{namespace}:{name}", groups)


class Tokens:
    """Mints and checks tokens: the admin's, and signed ones bound to a service account and a time."""

    def __init__(self, *, store: Store, admin_token: str, key: bytes, clock: Callable[[], float]) -> None:
        self._store, self._admin, self._key, self._clock = store, admin_token, key, clock

    def identify(self, header: str) -> Identity:
        """The identity behind an Authorization header. Raises a 401 `Failure`."""
        if not header:
            return ANONYMOUS
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise unauthorized()
        if hmac.compare_digest(token.strip().encode(), self._admin.encode()):
            return ADMIN
        return self._account(token.strip())

    def _account(self, token: str) -> Identity:
        claims = self._claims(token)
        bound = claims["kubernetes.io"]
        namespace, account = bound["namespace"], bound["serviceaccount"]
        stored = self._store.get(kinds.SERVICE_ACCOUNTS, namespace, account["name"])
        # a token ends with its time and with its account, also when another of that name follows
        if not stored or stored.item["metadata"]["uid"] != account["uid"] or claims["exp"] <= self._clock():
            raise unauthorized()
        return service_account(namespace, account["name"])

    def _claims(self, token: str) -> dict[str, Any]:
        signed, _, signature = token.rpartition(".")
        if not signed or not hmac.compare_digest(signature.encode(), self._sign(signed).encode()):
            raise unauthorized()
        payload = signed.split(".")[1]
        return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))

    def mint(self, account: dict[str, Any], seconds: int) -> tuple[str, int]:
        """A token for a ServiceAccount object, and the Unix time it ends."""
        metadata, now = account["metadata"], int(self._clock())
        bound = {
            "namespace": metadata["namespace"],
            "serviceaccount": {"name": metadata["name"], "uid": metadata["uid"]},
        }
        claims = {
            "sub": service_account(metadata["namespace"], metadata["name"]).name,
            "iat": now,
            "exp": now + seconds,
            "kubernetes.io": bound,
        }
        signed = f"{_segment({'alg': 'HS256', 'typ': 'JWT'})}.{_segment(claims)}"
        return f"{signed}.{self._sign(signed)}", now + seconds

    def _sign(self, text: str) -> str:
        return _base64(hmac.new(self._key, text.encode(), hashlib.sha256).digest())


def _segment(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Authorizer:
    """RBAC: additive rules, nothing denied that a rule allows, everything else denied."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def allows(self, identity: Identity, asked: Attributes) -> bool:
        """Whether some bound rule covers the question."""
        if MASTERS in identity.groups:
            return True
        return any(_covers(rule, asked) for rule in self._rules(identity, asked.namespace))

    def check(self, identity: Identity, asked: Attributes) -> None:
        """Raises a 403 `Failure` worded as the API does."""
        if not self.allows(identity, asked):
            raise _forbidden(identity, asked)

    def _rules(self, identity: Identity, namespace: str) -> Iterator[dict[str, Any]]:
        for stored in self._store.all(kinds.CLUSTER_ROLE_BINDINGS):
            yield from self._bound(stored.item, identity, "")
        for stored in self._store.all(kinds.ROLE_BINDINGS, namespace) if namespace else ():
            yield from self._bound(stored.item, identity, namespace)

    def _bound(self, binding: dict[str, Any], identity: Identity, namespace: str) -> list[dict[str, Any]]:
        if not any(_is_subject(subject, identity) for subject in binding.get("subjects") or []):
            return []
        reference = binding["roleRef"]
        kind = kinds.ROLES if reference["kind"] == "Role" else kinds.CLUSTER_ROLES
        role = self._store.get(kind, namespace if kind is kinds.ROLES else "", reference["name"])
        return (role.item.get("rules") or []) if role else []


def _is_subject(subject: dict[str, Any], identity: Identity) -> bool:
    kind, name = subject.get("kind"), subject.get("name", "")
    if kind == "ServiceAccount":
        return identity.name == service_account(subject.get("namespace", ""), name).name
    return name in identity.groups if kind == "Group" else kind == "User" and name == identity.name


def _covers(rule: dict[str, Any], asked: Attributes) -> bool:
    if not _among(rule.get("verbs"), asked.verb):
        return False
    if asked.path:
        return any(_path_matches(pattern, asked.path) for pattern in rule.get("nonResourceURLs") or [])
    resources, names = rule.get("resources") or [], rule.get("resourceNames") or []
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    any_of_it = bool(asked.subresource) and f"*/{asked.subresource}" in resources
    if not _among(rule.get("apiGroups"), asked.group) or not (_among(resources, resource) or any_of_it):
        return False
    return not names or asked.name in names


def _among(values: list[str] | None, value: str) -> bool:
    return values is not None and ("*" in values or value in values)


def _path_matches(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def _forbidden(identity: Identity, asked: Attributes) -> Failure:
    if asked.path:
        message = f'forbidden: User "{identity.name}" cannot {asked.verb} path "{asked.path}"'
        return Failure(403, "Forbidden", message, details={})
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    qualified = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    message = (
        f'{qualified}{f" {json.dumps(asked.name)}" if asked.name else ""} is forbidden: User "{identity.name}" '
        f'cannot {asked.verb} resource "{resource}" in API group "{asked.group}" {where}'
    )
    group = {"group": asked.group} if asked.group else {}
    name = {"name": asked.name} if asked.name else {}
    return Failure(403, "Forbidden", message, details={**name, **group, "kind": asked.resource})
