"""Who asks, and whether they may: bearer tokens and RBAC.

Source: "Authenticating" and "Using RBAC Authorization" in the Kubernetes documentation.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lab.apiserver.resources import RESOURCES, Request
from lab.apiserver.storage import ApiFailure, Storage

ADMIN = "admin"
_BY_PLURAL = {resource.plural: resource for resource in RESOURCES}


@dataclass(frozen=True)
class User:
    """``name`` as RBAC subjects name it."""

    name: str
    groups: tuple[str, ...] = ()

    @property
    def is_admin(self) -> bool:
        return "system:masters" in self.groups


class Access:
    """Tokens are signed with ``secret``, so they outlive a restart of the server."""

    def __init__(self, storage: Storage, *, admin_token: str, secret: bytes) -> None:
        self._storage = storage
        self._admin_token = admin_token
        self._secret = secret

    def mint(self, namespace: str, service_account: str, seconds: int) -> tuple[str, float]:
        """(token, when it expires in seconds since 1970)."""
        expires = time.time() + seconds
        claims = json.dumps({"namespace": namespace, "name": service_account, "exp": expires}).encode()
        body = base64.urlsafe_b64encode(claims).decode().rstrip("=")
        return f"{body}.{self._signature(body)}", expires

    def authenticate(self, header: str) -> User:
        """Raises 401 without a good token."""
        token = header.removeprefix("Bearer ").strip()
        if token and hmac.compare_digest(token, self._admin_token):
            return User(ADMIN, ("system:masters",))
        body, _, signature = token.partition(".")
        if not body or not hmac.compare_digest(signature, self._signature(body)):
            raise ApiFailure(401, "Unauthorized", "Unauthorized")
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if claims["exp"] < time.time():
            raise ApiFailure(401, "Unauthorized", "Unauthorized")
        namespace, name = claims["namespace"], claims["name"]
        return User(f"system:serviceaccount:{namespace}:{name}", ("system:serviceaccounts", "system:authenticated"))

    def authorize(self, user: User, verb: str, request: Request) -> None:
        """Raises 403 where no rule allows it."""
        if not self.allowed(
            user, verb, request.resource.group, _with_sub(request), namespace=request.namespace, name=request.name
        ):
            where = f' in the namespace "{request.namespace}"' if request.namespace else " at the cluster scope"
            raise ApiFailure(
                403,
                "Forbidden",
                f'{request.resource.plural} is forbidden: User "{user.name}" cannot {verb} resource '
                f'"{_with_sub(request)}" in API group "{request.resource.group}"{where}',
            )

    def allowed(self, user: User, verb: str, group: str, resource: str, *, namespace: str, name: str) -> bool:
        """Whether any rule bound to the user covers it."""
        return user.is_admin or any(_covers(rule, verb, group, resource, name) for rule in self._rules(user, namespace))

    def _rules(self, user: User, namespace: str) -> Iterator[dict[str, Any]]:
        bindings = self._all("clusterrolebindings", "")
        if namespace:
            bindings += self._all("rolebindings", namespace)
        for binding in bindings:
            if any(_is(subject, user) for subject in binding.get("subjects") or []):
                yield from self._role(binding["roleRef"], namespace)

    def _role(self, reference: dict[str, str], namespace: str) -> list[dict[str, Any]]:
        of_namespace = reference["kind"] == "Role"
        resource = _BY_PLURAL["roles" if of_namespace else "clusterroles"]
        try:
            role = self._storage.get(resource, namespace if of_namespace else "", reference["name"])
        except ApiFailure:
            return []
        return role.get("rules") or []

    def _all(self, plural: str, namespace: str) -> list[dict[str, Any]]:
        return self._storage.list(_BY_PLURAL[plural], namespace, lambda item: True)[1]

    def _signature(self, body: str) -> str:
        return hmac.new(self._secret, body.encode(), hashlib.sha256).hexdigest()


def _with_sub(request: Request) -> str:
    return f"{request.resource.plural}/{request.subresource}" if request.subresource else request.resource.plural


def _is(subject: dict[str, str], user: User) -> bool:
    if subject["kind"] == "ServiceAccount":
        return user.name == f"system:serviceaccount:{subject.get('namespace')}:{subject['name']}"
    return subject["name"] == user.name if subject["kind"] == "User" else subject["name"] in user.groups


def _covers(rule: dict[str, Any], verb: str, group: str, resource: str, name: str) -> bool:
    def among(value: str, listed: list[str]) -> bool:
        return value in listed or "*" in listed

    names = rule.get("resourceNames") or []
    return (
        among(verb, rule.get("verbs") or [])
        and among(group, rule.get("apiGroups") or [])
        and among(resource, rule.get("resources") or [])
        and (not names or name in names)
    )
