"""HTTPS in front of the storage: one thread per connection, JSON in and out, chunked watches.

Beside the API there are two paths for tests, for the administrator alone: ``PUT``/``DELETE /_fault`` and
``POST /_compact``.
"""

from __future__ import annotations

import copy
import datetime
import json
import secrets
import socket
import ssl
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

import yaml

from lab.apiserver.access import Access, User
from lab.apiserver.faults import Faults
from lab.apiserver.resources import RESOURCES, Request, discovery, parse
from lab.apiserver.selectors import BadSelector, matcher
from lab.apiserver.storage import ApiFailure, Storage, expired, merge_patch
from lab.apiserver.validation import validate

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_BOOKMARK_EVERY = 10.0
_WATCH_DEFAULT = 1800
_PATCHES = ("application/merge-patch+json", "application/strategic-merge-patch+json")


class ApiServer(ThreadingHTTPServer):
    """One cluster in memory."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], certificate: Path, key: Path, *, admin_token: str) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)
        self.storage = Storage()
        self.faults = Faults()
        self.access = Access(self.storage, admin_token=admin_token, secret=admin_token.encode())
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        for name in NAMESPACES:
            self.storage.create(RESOURCES[0], "", {"metadata": {"name": name}})

    def finish_request(self, request: Any, client_address: Any) -> None:
        """TLS in the connection's own thread, so that a slow client holds up nobody."""
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            secure = self._context.wrap_socket(request, server_side=True)
        except OSError:
            return
        with secure:
            super().finish_request(secure, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else is."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: ApiServer

    def do_GET(self) -> None:
        self._serve(self._get)

    def do_POST(self) -> None:
        self._serve(self._post)

    def do_PUT(self) -> None:
        self._serve(self._put)

    def do_PATCH(self) -> None:
        self._serve(self._patch)

    def do_DELETE(self) -> None:
        self._serve(self._delete)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: tests read what they need from the objects."""

    def _serve(self, method: Callable[[str, dict[str, str], dict[str, Any]], None]) -> None:
        url = urlsplit(self.path)
        try:
            body = self._body()
            if url.path in ("/healthz", "/readyz", "/livez"):
                return self._send(200, {"status": "ok"})
            self._user = self.server.access.authenticate(self.headers.get("Authorization", ""))
            if not self._user.is_admin and self._failed_on_purpose():
                return None
            method(url.path, dict(parse_qsl(url.query, keep_blank_values=True)), body)
        except ApiFailure as failure:
            self._send(failure.code, failure.status())
        except BadSelector as error:
            self._send(400, ApiFailure(400, "BadRequest", str(error)).status())
        return None

    def _failed_on_purpose(self) -> bool:
        fault = self.server.faults.now
        if fault is None:
            return False
        if fault.kind == "drop":
            self.close_connection = True
            return True
        if fault.kind == "stall":
            self.server.faults.cleared.wait(600)
            self.close_connection = True
            return True
        if fault.kind == "status":
            headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after else {}
            self._send(fault.code, ApiFailure(fault.code, "Fault", "made by the test").status(), headers)
            return True
        return False

    def _body(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length) if length else b""
        body = yaml.safe_load(text) if "yaml" in self.headers.get("Content-Type", "") else json.loads(text or b"{}")
        return dict(body)

    def _send(
        self, code: int, body: dict[str, Any], headers: dict[str, str] | None = None, *, cut: bool = False
    ) -> None:
        text = json.dumps(body).encode() + b"\n"
        if cut:
            text = text[: len(text) // 2]
        self.send_response(code)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(text)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def _get(self, path: str, query: dict[str, str], body: dict[str, Any]) -> None:
        known = discovery(path)
        if known is not None:
            return self._send(200, known)
        request = self._request(path)
        watching = query.get("watch") in ("true", "1")
        verb = "get" if request.name else "watch" if watching else "list"
        self.server.access.authorize(self._user, verb, request)
        if request.name:
            return self._send(200, self.server.storage.get(request.resource, request.namespace, request.name))
        return self._watch(request, query) if watching else self._list(request, query)

    def _list(self, request: Request, query: dict[str, str]) -> None:
        fits = matcher(query.get("labelSelector", ""), query.get("fieldSelector", ""))
        version, items = self.server.storage.list(request.resource, request.namespace, fits)
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        start, limit = int(query.get("continue") or 0), int(query.get("limit") or 0)
        if limit and start + limit < len(items):
            metadata.update({"continue": str(start + limit), "remainingItemCount": len(items) - start - limit})
        page = items[start : start + limit if limit else None]
        kind = "ConfigMapList" if self._faulty("wrong-kind") else f"{request.resource.kind}List"
        listed = {"kind": kind, "apiVersion": request.resource.api_version, "metadata": metadata, "items": page}
        self._send(200, listed, cut=self._faulty("truncated"))

    def _faulty(self, kind: str) -> bool:
        return not self._user.is_admin and self.server.faults.is_kind(kind)

    def _watch(self, request: Request, query: dict[str, str]) -> None:
        fits = matcher(query.get("labelSelector", ""), query.get("fieldSelector", ""))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self._stream(request, query, fits)
        except ApiFailure as failure:
            self._event("ERROR", failure.status())
        self.wfile.write(b"0\r\n\r\n")

    def _stream(self, request: Request, query: dict[str, str], fits: Callable[[Any], bool]) -> None:
        storage, plural = self.server.storage, request.resource.plural
        version = self._start(request, query, fits)
        deadline = time.monotonic() + int(query.get("timeoutSeconds") or _WATCH_DEFAULT)
        bookmarks = query.get("allowWatchBookmarks") in ("true", "1")
        bookmark_at = time.monotonic() + _BOOKMARK_EVERY
        # an ERROR event meets every watch, the other faults those that were open when they began
        faults_begun = -1 if self._faulty("error-event") else self.server.faults.begun
        while (now := time.monotonic()) < deadline:
            seen = storage.version
            events = storage.after(version, plural, min(deadline, bookmark_at, now + 0.5) - now)
            if not self._user.is_admin and self.server.faults.begun != faults_begun:
                self._break_watch()
            for event in events:
                if request.namespace in ("", event.item["metadata"].get("namespace", "")):
                    self._change(event.kind, event.item, event.before, fits)
            version = max([seen, version, *(event.version for event in events)])
            if bookmarks and time.monotonic() >= bookmark_at:
                self._bookmark(request, version)
                bookmark_at += _BOOKMARK_EVERY
        if bookmarks:
            self._bookmark(request, version)

    def _break_watch(self) -> NoReturn:
        if self._faulty("error-event"):
            raise ApiFailure(500, "InternalError", "made by the test")
        if self._faulty("stall"):
            self.server.faults.cleared.wait(600)
        self.close_connection = True
        raise ConnectionResetError

    def _start(self, request: Request, query: dict[str, str], fits: Callable[[Any], bool]) -> int:
        asked = query.get("resourceVersion", "")
        if asked not in ("", "0"):
            if int(asked) < self.server.storage.compacted:
                raise expired(int(asked))
            return int(asked)
        version, items = self.server.storage.list(request.resource, request.namespace, fits)
        for item in items:
            self._event("ADDED", item)
        return version

    def _change(self, kind: str, item: Any, before: Any, fits: Callable[[Any], bool]) -> None:
        """A change may move an object into or out of the selection."""
        was, is_ = before is not None and fits(before), fits(item)
        if kind == "DELETED":
            if was:
                self._event("DELETED", item)
        elif is_:
            self._event("MODIFIED" if was else "ADDED", item)
        elif was:
            self._event("DELETED", item)

    def _bookmark(self, request: Request, version: int) -> None:
        metadata = {"resourceVersion": str(version), "creationTimestamp": None}
        resource = request.resource
        self._event("BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata})

    def _event(self, kind: str, item: dict[str, Any]) -> None:
        line = json.dumps({"type": kind, "object": item}).encode() + b"\n"
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")

    def _post(self, path: str, query: dict[str, str], body: dict[str, Any]) -> None:
        if path == "/_compact" and self._user.is_admin:
            self.server.storage.compact()
            return self._send(200, {})
        if path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
            return self._send(201, self._review(self._user, body))
        request = self._request(path)
        self.server.access.authorize(self._user, "create", request)
        if request.subresource == "token":
            return self._send(201, self._token(request, body))
        validate(request.resource.kind, body)
        return self._send(201, self.server.storage.create(request.resource, self._namespace(request, body), body))

    def _review(self, user: User, body: dict[str, Any]) -> dict[str, Any]:
        asked = (body.get("spec") or {}).get("resourceAttributes") or {}
        resource = "/".join(filter(None, (asked.get("resource", ""), asked.get("subresource", ""))))
        allowed = self.server.access.allowed(
            user,
            asked.get("verb", ""),
            asked.get("group", ""),
            resource,
            namespace=asked.get("namespace", ""),
            name=asked.get("name", ""),
        )
        return {**body, "status": {"allowed": allowed}}

    def _token(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        self.server.storage.get(request.resource, request.namespace, request.name)
        seconds = int((body.get("spec") or {}).get("expirationSeconds") or 3600)
        if seconds < 600:
            raise ApiFailure(422, "Invalid", "spec.expirationSeconds: may not specify a duration less than 10 minutes")
        token, expires = self.server.access.mint(request.namespace, request.name, seconds)
        stamp = datetime.datetime.fromtimestamp(expires, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        status = {"token": token, "expirationTimestamp": stamp}
        return {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {}, "status": status}

    def _put(self, path: str, query: dict[str, str], body: dict[str, Any]) -> None:
        if path == "/_fault" and self._user.is_admin:
            self.server.faults.set(body)
            self.server.storage.wake()
            return self._send(200, {})
        request = self._request(path)
        self.server.access.authorize(self._user, "update", request)
        validate(request.resource.kind, body)
        return self._send(200, self.server.storage.replace(request.resource, request.namespace, request.name, body))

    def _patch(self, path: str, query: dict[str, str], body: dict[str, Any]) -> None:
        request = self._request(path)
        self.server.access.authorize(self._user, "patch", request)
        if self.headers.get_content_type() not in _PATCHES:
            raise ApiFailure(415, "UnsupportedMediaType", f"only {' and '.join(_PATCHES)} are served")
        storage = self.server.storage
        before = storage.get(request.resource, request.namespace, request.name)
        validate(request.resource.kind, merge_patch(copy.deepcopy(before), body))
        self._send(200, storage.patch(request.resource, request.namespace, request.name, body))

    def _delete(self, path: str, query: dict[str, str], body: dict[str, Any]) -> None:
        if path == "/_fault" and self._user.is_admin:
            self.server.faults.clear()
            return self._send(200, {})
        request = self._request(path)
        self.server.access.authorize(self._user, "delete", request)
        return self._send(200, self.server.storage.delete(request.resource, request.namespace, request.name))

    def _namespace(self, request: Request, body: dict[str, Any]) -> str:
        inside = (body.get("metadata") or {}).get("namespace")
        if inside and inside != request.namespace:
            raise ApiFailure(
                400, "BadRequest", "the namespace of the object does not match the namespace of the request"
            )
        return request.namespace

    def _request(self, path: str) -> Request:
        request = parse(path)
        if request is None:
            raise ApiFailure(404, "NotFound", "the server could not find the requested resource")
        return request


def new_token() -> str:
    """For the administrator."""
    return secrets.token_urlsafe(32)
