"""A small client for any Kubernetes API, on the standard library: what the lab, its demo and its tests write with.

One kept-alive connection for requests, one of its own for each watch. It can reach into a network namespace: the
socket is made there, by a thread that enters it for that moment. It must never retry a write.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

from lab.kubeapi.namespaces import inside
from lab.kubeapi.resources import by_kind, object_path

TIMEOUT_SECONDS = 30.0
TOKEN_SECONDS = 86_400
MERGE_PATCH = "application/merge-patch+json"


class ApiFailure(Exception):
    """An answer that is no success: ``code``, the Status body, and the response headers."""

    def __init__(self, what: str, code: int, body: dict[str, Any], headers: Message) -> None:
        super().__init__(f"{what}: {code}: {body.get('message', body)}")
        self.code, self.status, self.headers = code, body, headers
        self.reason = str(body.get("reason", ""))


class _Connection(http.client.HTTPSConnection):
    """HTTPS out of a network namespace, without Nagle's delay."""

    def __init__(self, host: str, port: int, *, context: ssl.SSLContext, namespace: str | None, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._tls, self._namespace = context, namespace

    def connect(self) -> None:
        with inside(self._namespace):
            raw = socket.create_connection((self.host, self.port), self.timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._tls.wrap_socket(raw, server_hostname=self.host)


class ApiClient:
    """Requests with one bearer token; ``token`` None asks anonymously. May be used by several threads."""

    def __init__(
        self,
        url: str,
        *,
        ca_file: Path,
        token: str | None,
        namespace: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), int(parts.port or 443)
        self._token, self._namespace, self._timeout = token, namespace, timeout
        self._context = ssl.create_default_context(cafile=str(ca_file))
        self._lock = threading.Lock()
        self._connection: _Connection | None = None

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """The JSON of a success; raises `ApiFailure`, or OSError when there is no answer."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        with self._lock:
            try:
                code, headers, text = self._exchange(method, _url(path, query), data, content_type)
            except BaseException:
                self._drop()
                raise
        found = _object(text)
        if code >= 300:
            raise ApiFailure(f"{method} {path}", code, found, headers)
        return found

    def _exchange(self, method: str, url: str, data: bytes | None, content_type: str) -> tuple[int, Message, bytes]:
        fresh = self._connection is None
        if self._connection is None:
            self._connection = self._connect(self._timeout)
        try:
            self._connection.request(method, url, data, self._headers(content_type))
            response = self._connection.getresponse()
        except (ConnectionError, http.client.RemoteDisconnected):
            # an idle connection the server has closed meanwhile; it has not read the request
            self._drop()
            if fresh:
                raise
            return self._exchange(method, url, data, content_type)
        return response.status, response.headers, response.read()

    def _headers(self, content_type: str) -> dict[str, str]:
        token = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        return {"Accept": "application/json", "Content-Type": content_type, **token}

    def _connect(self, timeout: float) -> _Connection:
        namespace = self._namespace
        return _Connection(self._host, self._port, context=self._context, namespace=namespace, timeout=timeout)

    def _drop(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None

    def close(self) -> None:
        """Close the kept connection; the next request opens another."""
        with self._lock:
            self._drop()

    def watch(
        self, path: str, query: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> Iterator[dict[str, Any]]:
        """Events until the server ends the watch. ``timeout``: seconds of silence before TimeoutError."""
        connection = self._connect(timeout or self._timeout)
        with contextlib.closing(connection):
            url = _url(path, {"watch": "true", **(query or {})})
            connection.request("GET", url, None, self._headers("application/json"))
            response = connection.getresponse()
            if response.status != 200:
                raise ApiFailure(f"WATCH {path}", response.status, _object(response.read()), response.headers)
            while line := response.readline():
                yield json.loads(line)

    # objects

    def get(self, path: str) -> dict[str, Any]:
        return self.request("GET", path)

    def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """The items of a collection, without following chunks."""
        return list(self.request("GET", path, query=query)["items"])

    def create(self, path: str, item: dict[str, Any]) -> dict[str, Any]:
        """POST to a collection."""
        return self.request("POST", path, item)

    def replace(self, path: str, item: dict[str, Any]) -> dict[str, Any]:
        """PUT to an object's own path."""
        return self.request("PUT", path, item)

    def patch(self, path: str, change: Any, *, content_type: str = MERGE_PATCH) -> dict[str, Any]:
        return self.request("PATCH", path, change, content_type=content_type)

    def delete(self, path: str) -> dict[str, Any]:
        return self.request("DELETE", path)

    def apply(self, item: dict[str, Any]) -> dict[str, Any]:
        """Create, or replace what is there, at the place the object itself names."""
        path = object_path(item)
        try:
            return self.create(path.rpartition("/")[0], item)
        except ApiFailure as failure:
            if failure.reason != "AlreadyExists":
                raise
        return self.replace(path, _over(self.get(path), item))

    def apply_file(self, path: Path) -> list[dict[str, Any]]:
        """`apply` for every document of a YAML file."""
        documents = yaml.safe_load_all(path.read_text())
        return [self.apply(item) for item in documents if item]

    def token(self, service_account: str, namespace: str, *, seconds: int = TOKEN_SECONDS) -> str:
        """A fresh token of a service account, by TokenRequest."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        return str(self.create(path, body)["status"]["token"])

    def allowed(self, verb: str, group: str, resource: str, namespace: str) -> bool:
        """What a SelfSubjectAccessReview answers."""
        about = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
        review = by_kind("authorization.k8s.io/v1", "SelfSubjectAccessReview")
        assert review is not None
        body = {"apiVersion": review.api_version, "kind": review.kind, "spec": {"resourceAttributes": about}}
        return bool(self.create(review.collection(None), body)["status"]["allowed"])


def _url(path: str, query: Mapping[str, Any] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"message": text.decode(errors="replace")}


def _over(old: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    """The object with what an update must repeat: the version it is based on, a Service's address."""
    metadata = {**item["metadata"], "resourceVersion": old["metadata"]["resourceVersion"]}
    kept = {key: old["spec"][key] for key in ("clusterIP", "clusterIPs") if key in old.get("spec", {})}
    return {**item, "metadata": metadata, **({"spec": {**kept, **item.get("spec", {})}} if kept else {})}
