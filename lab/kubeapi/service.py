"""One request in, one answer out: the verbs of the API over the store. Knows nothing of sockets, threads or faults."""

from __future__ import annotations

import base64
import copy
import datetime
import json
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from lab.kubeapi import patching, protobuf, status, validation
from lab.kubeapi import resources as kinds
from lab.kubeapi.access import MIN_TOKEN_SECONDS, Attributes, Authorizer, Identity, Tokens
from lab.kubeapi.resources import Resource, Target
from lab.kubeapi.selectors import fields, labels
from lab.kubeapi.status import Failure
from lab.kubeapi.store import Store, Stored, encode

_PROTECTED = ("default", "kube-public", "kube-system")
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_PATCHES = {
    "application/merge-patch+json": patching.merge,
    "application/strategic-merge-patch+json": patching.strategic,
    "application/json-patch+json": patching.json_patch,
}


@dataclass(frozen=True)
class Request:
    """One HTTP request, read whole. ``query`` holds the first value of each parameter."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def dry_run(self) -> bool:
        return self.query.get("dryRun") == "All"


@dataclass(frozen=True)
class Answer:
    """A status code and a JSON body."""

    code: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def answer(code: int, value: Any) -> Answer:
    """An answer from a JSON value."""
    return Answer(code, encode(value))


def failed(failure: Failure) -> Answer:
    """An answer from a failure."""
    return Answer(failure.code, encode(failure.status()), failure.headers)


class Service:
    """The resource paths. Authorization has been done when a method here runs."""

    def __init__(self, *, store: Store, tokens: Tokens, authorizer: Authorizer, clock: Callable[[], float]) -> None:
        self.store, self._tokens, self._authorizer, self._clock = store, tokens, authorizer, clock

    def handle(self, request: Request, target: Target, identity: Identity) -> Answer:
        """Raises `Failure`."""
        if not target.resource.stored:
            return self._review(request, identity)
        if target.subresource:
            return self._mint(request, target)
        method = self._named if target.name else self._collection
        return method(request, target)

    def _collection(self, request: Request, target: Target) -> Answer:
        if request.method == "GET":
            return self._list(request, target)
        if request.method == "POST":
            return self._create(request, target)
        if request.method == "DELETE":
            return self._delete_collection(request, target)
        raise status.method_not_allowed()

    def _named(self, request: Request, target: Target) -> Answer:
        if request.method == "GET":
            return Answer(200, self._existing(target).body)
        if request.method == "PUT":
            return self._replace(request, target)
        if request.method == "PATCH":
            return self._patch(request, target)
        if request.method == "DELETE":
            return self._delete(request, target)
        raise status.method_not_allowed()

    # reading

    def _existing(self, target: Target) -> Stored:
        stored = self.store.get(target.resource, target.namespace, target.name)
        if stored is None:
            raise status.not_found(target.resource, target.name)
        return stored

    def _list(self, request: Request, target: Target) -> Answer:
        query, resource = request.query, target.resource
        wanted, chosen = labels(query.get("labelSelector", "")), fields(query.get("fieldSelector", ""))
        limit = _number(query.get("limit", ""), "limit")
        version, start, objects = self._listing(query, resource, limit)
        found = [
            stored
            for stored in objects
            if stored.key > start
            and (not target.namespace or stored.key[0] == target.namespace)
            and wanted(stored.item)
            and chosen(stored.item)
        ]
        selected = bool(query.get("labelSelector") or query.get("fieldSelector"))
        return _page(resource, version, found, limit, counted=not selected)

    def _listing(
        self, query: dict[str, str], resource: Resource, limit: int
    ) -> tuple[int, tuple[str, str], tuple[Stored, ...]]:
        if query.get("continue"):
            version, start = _read_continue(query["continue"])
            return version, start, self.store.page(resource, version)
        asked = _number(query.get("resourceVersion", ""), "resourceVersion")
        if asked > self.store.version:
            raise status.too_large(asked, self.store.version)
        if query.get("resourceVersionMatch") == "Exact" and asked < self.store.version:
            return asked, ("", ""), self.store.page(resource, asked)
        objects = self.store.keep_page(resource) if limit else self.store.all(resource)
        return self.store.version, ("", ""), objects

    # writing

    def _create(self, request: Request, target: Target) -> Answer:
        item = _decode(request, target)
        metadata = item["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(5))
        if not metadata.get("name"):
            cause = {"reason": "FieldValueRequired", "field": "metadata.name"}
            raise status.invalid(
                target.resource, "", [{**cause, "message": "Required value: name or generateName is required"}]
            )
        if metadata.get("resourceVersion"):
            raise Failure(500, "InternalError", "resourceVersion should not be set on objects to be created")
        if self.store.get(target.resource, target.namespace, metadata["name"]):
            raise status.already_exists(target.resource, metadata["name"])
        return self._add(target.resource, item, dry_run=request.dry_run)

    def _add(self, resource: Resource, item: dict[str, Any], *, dry_run: bool) -> Answer:
        metadata = item["metadata"]
        if resource.namespaced and not self.store.get(kinds.NAMESPACES, "", metadata["namespace"]):
            raise status.not_found(kinds.NAMESPACES, metadata["namespace"])
        self._checked(resource, item, None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = _timestamp(self._clock())
        if resource.generation:
            metadata["generation"] = 1
        return self._stored(201, resource, item, dry_run=dry_run)

    def _replace(self, request: Request, target: Target) -> Answer:
        item = _decode(request, target)
        old = self.store.get(target.resource, target.namespace, target.name)
        if old is not None:
            return self._update(target.resource, item, old, dry_run=request.dry_run)
        if not target.resource.creates_on_update or item["metadata"].get("resourceVersion"):
            raise status.not_found(target.resource, target.name)
        return self._add(target.resource, item, dry_run=request.dry_run)

    def _patch(self, request: Request, target: Target) -> Answer:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip()
        if content_type not in _PATCHES:
            raise status.unsupported_media_type(content_type, ", ".join(_PATCHES))
        old = self._existing(target)
        patch = _json(request.body, "")
        patched = _PATCHES[content_type](copy.deepcopy(old.item), patch)
        if not isinstance(patched, dict) or not isinstance(patched.get("metadata"), dict):
            raise status.bad_request("the patch leaves no object")
        if patched["metadata"].get("name") != target.name:
            raise status.bad_request("metadata.name: the name of an object cannot be patched")
        return self._update(target.resource, patched, old, dry_run=request.dry_run)

    def _update(self, resource: Resource, item: dict[str, Any], old: Stored, *, dry_run: bool) -> Answer:
        metadata, before = item["metadata"], old.item["metadata"]
        if metadata.get("uid") not in (None, "", before["uid"]):
            why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {before['uid']}"
            raise status.conflict(resource, before["name"], why)
        if metadata.get("resourceVersion") not in (None, "", before["resourceVersion"]):
            raise status.conflict(resource, before["name"])
        _keep_system_fields(metadata, before)
        self._checked(resource, item, old.item)
        if resource.generation and _meant(item) != _meant(old.item):
            metadata["generation"] = before["generation"] + 1
        if item == old.item:
            return Answer(200, old.body)  # the original writes nothing either: same resourceVersion, no event
        return self._stored(200, resource, item, dry_run=dry_run)

    def _checked(self, resource: Resource, item: dict[str, Any], old: dict[str, Any] | None) -> None:
        validation.default(resource, item)
        causes = validation.validate(resource, item, old)
        if causes:
            raise status.invalid(resource, item["metadata"]["name"], causes)

    def _stored(self, code: int, resource: Resource, item: dict[str, Any], *, dry_run: bool) -> Answer:
        return answer(code, item) if dry_run else Answer(code, self.store.put(resource, item).body)

    def seed(self, item: dict[str, Any]) -> None:
        """Create one object of the bootstrap."""
        resource = kinds.by_kind(item["apiVersion"], item["kind"])
        assert resource is not None
        self._add(resource, copy.deepcopy(item), dry_run=False)

    def force(self, item: dict[str, Any]) -> None:
        """Store an object no validation would let pass, for tests of what must survive it."""
        resource = kinds.by_kind(item["apiVersion"], item["kind"])
        assert resource is not None
        metadata = {"uid": str(uuid.uuid4()), "creationTimestamp": _timestamp(self._clock()), **item["metadata"]}
        self.store.put(resource, {**item, "metadata": metadata})

    # deleting

    def _delete(self, request: Request, target: Target) -> Answer:
        stored = self._existing(target)
        metadata = stored.item["metadata"]
        _preconditions(request, target, metadata)
        if target.resource is kinds.NAMESPACES and target.name in _PROTECTED:
            message = f'namespaces "{target.name}" is forbidden: this namespace may not be deleted'
            raise Failure(403, "Forbidden", message, details={"name": target.name, "kind": "namespaces"})
        if not request.dry_run:
            self._remove(target.resource, stored)
        return answer(200, status.success(target.resource, target.name, metadata["uid"]))

    def _remove(self, resource: Resource, stored: Stored) -> None:
        if resource is kinds.NAMESPACES:
            # here the server does at once what a cluster leaves to its namespace controller
            for inner in kinds.RESOURCES:
                for one in self.store.all(inner, stored.item["metadata"]["name"]) if inner.namespaced else ():
                    self.store.remove(inner, one)
        self.store.remove(resource, stored)

    def _delete_collection(self, request: Request, target: Target) -> Answer:
        wanted = labels(request.query.get("labelSelector", ""))
        chosen = fields(request.query.get("fieldSelector", ""))
        found = [
            one for one in self.store.all(target.resource, target.namespace) if wanted(one.item) and chosen(one.item)
        ]
        for stored in found if not request.dry_run else ():
            self._remove(target.resource, stored)
        return _page(target.resource, self.store.version, found, 0, counted=False)

    # questions

    def _mint(self, request: Request, target: Target) -> Answer:
        if request.method != "POST":
            raise status.method_not_allowed()
        account = self._existing(Target(target.resource, target.namespace, target.name))
        asked = _question(request, protobuf.token_request)
        seconds = int((asked.get("spec") or {}).get("expirationSeconds") or 3600)
        if seconds < MIN_TOKEN_SECONDS:
            message = "may not specify a duration less than 10 minutes"
            cause = {"reason": "FieldValueInvalid", "field": "spec.expirationSeconds"}
            raise status.invalid(_TOKEN_REQUEST, "", [{**cause, "message": f"Invalid value: {seconds}: {message}"}])
        token, until = self._tokens.mint(account.item, seconds)
        spec = {
            "audiences": ["https://kubernetes.default.svc"],
            **(asked.get("spec") or {}),
            "expirationSeconds": seconds,
        }
        named = {"name": target.name, "namespace": target.namespace, "creationTimestamp": _timestamp(self._clock())}
        found = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": named, "spec": spec}
        return answer(201, {**found, "status": {"token": token, "expirationTimestamp": _timestamp(until)}})

    def _review(self, request: Request, identity: Identity) -> Answer:
        if request.method != "POST":
            raise status.method_not_allowed()
        asked = _question(request, protobuf.access_review)
        allowed = self._authorizer.allows(identity, _attributes(asked.get("spec") or {}))
        return answer(201, {**asked, "status": {"allowed": allowed}})


_TOKEN_REQUEST = Resource("authentication.k8s.io", "tokenrequests", "TokenRequest")


def _attributes(spec: dict[str, Any]) -> Attributes:
    if path := spec.get("nonResourceAttributes"):
        return Attributes(path.get("verb", ""), path=path.get("path", ""))
    about = spec.get("resourceAttributes") or {}
    names = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Attributes(**{name: about.get(name, "") for name in names})


def _page(resource: Resource, version: int, found: list[Stored], limit: int, *, counted: bool) -> Answer:
    page = found[:limit] if limit else found
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if len(page) < len(found):
        metadata["continue"] = _write_continue(version, page[-1].key)
        if counted:
            metadata["remainingItemCount"] = len(found) - len(page)
    head = encode({"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata})
    return Answer(200, head[:-1] + b',"items":[' + b",".join(stored.list_item for stored in page) + b"]}")


def _write_continue(version: int, key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(encode({"rv": version, "start": key})).decode()


def _read_continue(token: str) -> tuple[int, tuple[str, str]]:
    try:
        read = json.loads(base64.urlsafe_b64decode(token))
        return int(read["rv"]), (read["start"][0], read["start"][1])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise status.bad_request(f"continue key is not valid: {error}") from error


def _number(text: str, name: str) -> int:
    if text and not text.isdigit():
        raise status.bad_request(f'{name}: Invalid value: "{text}": must be a whole number')
    return int(text or 0)


def _json(body: bytes, content_type: str) -> Any:
    try:
        return yaml.safe_load(body) if "yaml" in content_type else json.loads(body)
    except (ValueError, yaml.YAMLError) as error:
        raise status.bad_request(f"the object provided is unrecognized: couldn't get version/kind; {error}") from error


def _question(request: Request, read: Callable[[bytes], dict[str, Any]]) -> dict[str, Any]:
    content_type = request.headers.get("content-type", "")
    if content_type.startswith(protobuf.CONTENT_TYPE):
        return read(request.body)
    found = _json(request.body or b"{}", content_type)
    if not isinstance(found, dict):
        raise status.bad_request("the object provided is unrecognized")
    return found


def _decode(request: Request, target: Target) -> dict[str, Any]:
    """The object of a request, its kind, name and namespace agreeing with the path."""
    resource = target.resource
    content_type = request.headers.get("content-type", "")
    if "protobuf" in content_type or "cbor" in content_type:
        raise status.unsupported_media_type(content_type, "application/json, application/yaml")
    item = _json(request.body, content_type)
    if not isinstance(item, dict) or not isinstance(item.setdefault("metadata", {}), dict):
        raise status.bad_request(f"the object provided is unrecognized (must be of type {resource.kind})")
    if item.setdefault("kind", resource.kind) != resource.kind:
        raise status.bad_request(f"the object provided is unrecognized (must be of type {resource.kind})")
    if item.setdefault("apiVersion", resource.api_version) != resource.api_version:
        raise status.bad_request("the API version in the data does not match the expected API version")
    _agree(item["metadata"], "name", target.name, "the name of the object does not match the name on the URL")
    if resource.namespaced:
        problem = "the namespace of the provided object does not match the namespace sent on the request"
        _agree(item["metadata"], "namespace", target.namespace, problem)
    return {"kind": item["kind"], "apiVersion": item["apiVersion"], **item}


def _agree(metadata: dict[str, Any], key: str, wanted: str, problem: str) -> None:
    if not wanted:
        return
    if metadata.get(key) not in (None, "", wanted):
        raise status.bad_request(problem)
    metadata[key] = wanted


def _keep_system_fields(metadata: dict[str, Any], before: dict[str, Any]) -> None:
    for key in ("uid", "creationTimestamp", "resourceVersion", "generation", "generateName"):
        if key in before:
            metadata[key] = before[key]


def _meant(item: dict[str, Any]) -> dict[str, Any]:
    """What the generation counts: the content and the labels, no other metadata."""
    return {**item, "metadata": item["metadata"].get("labels") or {}}


def _preconditions(request: Request, target: Target, metadata: dict[str, Any]) -> None:
    options = _json(request.body, request.headers.get("content-type", "")) if request.body else {}
    for key, wanted in (options.get("preconditions") or {}).items():
        if metadata.get(key) != wanted:
            why = f"Precondition failed: {key} in precondition: {wanted}, in object meta: {metadata.get(key)}"
            raise status.conflict(target.resource, target.name, why)


def _timestamp(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
