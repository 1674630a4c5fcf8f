"""Metrics and the status page over HTTP, from inside of the engine's process.

It only reads: the report it is given, and three files of the page. It must never hold the engine up, nor cost anything
while nobody looks: one thread sleeps in ``select`` until somebody connects, and each connection has a thread for as
long as it lasts, up to a limit. A page of another site must not read it through a browser: names that are not this
machine's are refused (DNS rebinding), and nothing allows another origin.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry

from haproxy_edge.metrics import Collector
from haproxy_edge.report import unchanged
from haproxy_edge.said import Said

log = logging.getLogger(__name__)

# connections at a time, and how many of them may be pages that stay: a scrape always finds room
_MOST_CONNECTIONS, _MOST_STREAMS = 16, 8
# of the history, as many changes as the page can draw from
_CHANGES = 20
# seconds: a client that neither sends nor takes; two looks at the report while pages stay open, and what they get
# although nothing changed: the age of the view
_CLIENT_TIMEOUT, _LOOK_EVERY, _SEND_EVERY = 10.0, 0.25, 5.0
# seconds between two tries to listen where something else does
_RETRY = 10.0

_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Sources:
    """Where the page's content comes from: called from the server's threads, and only read.

    ``report`` is of this moment (see `report`), ``history`` gives as many of the last changes, oldest first.
    """

    report: Callable[[], Mapping[str, Any]]
    history: Callable[[int], list[dict[str, Any]]]
    wall: Callable[[], float] = time.time


def address_of(option: str) -> tuple[str, int]:
    """The option ``metrics`` as (host, port); it has been checked."""
    host, _, port = option.rpartition(":")
    return host.strip("[]"), int(port)


def is_ours(header: str | None, names: frozenset[str]) -> bool:
    """Whether a ``Host`` header names this machine: by any address, which no name server can have turned, or by one
    of ``names``."""
    host = (header or "").strip().lower()
    if not host.endswith("]"):
        bare, colon, port = host.rpartition(":")
        host = bare if colon and port.isdigit() else host
    host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host in names
    return True


def own_names(host: str) -> frozenset[str]:
    """What this machine may be called by: where it listens, its name with and without domain, and localhost."""
    name = socket.gethostname().lower()
    return frozenset({host.lower(), name, name.partition(".")[0], "localhost"} - {""})


def content(sources: Sources) -> dict[str, Any]:
    """What the page shows: report without the engine's options, the last changes, and the time it is now."""
    report = {key: value for key, value in sources.report().items() if key != "options"}
    return {"report": report, "history": sources.history(_CHANGES), "now": sources.wall()}


class Recent:
    """What all open pages are shown: one and the same bytes until something has changed, or they are old.

    However many look, the engine is asked once in `_LOOK_EVERY`.
    """

    def __init__(self, sources: Sources, clock: Callable[[], float] = time.monotonic) -> None:
        self._sources = sources
        self._clock = clock
        self._lock = threading.Lock()
        self._content: dict[str, Any] | None = None
        self._json = b""
        self._looked_at = self._sent_at = float("-inf")

    def __call__(self) -> bytes:
        """As JSON; the same object while it is the same."""
        with self._lock:
            now = self._clock()
            if now >= self._looked_at + _LOOK_EVERY:
                self._looked_at = now
                self._look(content(self._sources), now)
            return self._json

    def _look(self, latest: dict[str, Any], now: float) -> None:
        before = self._content
        if before and now < self._sent_at + _SEND_EVERY and unchanged(before["report"], latest["report"]):
            return
        self._content, self._sent_at = latest, now
        self._json = json.dumps(latest).encode()


class PageServer(ThreadingHTTPServer):
    """Bound when made; `OSError` where that cannot be."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, address: tuple[str, int], sources: Sources) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sources = sources
        self.names = own_names(address[0])
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(Collector(sources.report, sources.wall))
        self.recent = Recent(sources)
        self.is_closed = False
        self.streams = threading.BoundedSemaphore(_MOST_STREAMS)
        self._connections = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(address, PageRequest)

    def server_bind(self) -> None:
        # not HTTPServer's, which asks a name server for this machine's full name
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def server_close(self) -> None:
        """Listen no more; pages that are open are told so."""
        self.is_closed = True
        super().server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread of its own for the connection, or none when there are too many."""
        if not self._connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing; a defect is a line in the log, not on standard error."""
        log.debug("a request from %s ended early", client_address, exc_info=True)


class PageRequest(BaseHTTPRequestHandler):
    """One request: a file of the page, its content once or as it changes, or the metrics."""

    server: PageServer
    timeout = _CLIENT_TIMEOUT
    server_version, sys_version = "haproxy-edge", ""

    def parse_request(self) -> bool:
        """Refuse what is not a look, and who asks for another machine, before anything is answered."""
        if not super().parse_request():
            return False
        if self.command not in ("GET", "HEAD"):
            self._say(HTTPStatus.METHOD_NOT_ALLOWED, "read only: GET or HEAD\n", Allow="GET, HEAD")
            return False
        if not is_ours(self.headers.get("Host"), self.server.names):
            names = ", ".join(sorted(self.server.names))
            self._say(HTTPStatus.FORBIDDEN, f"ask by an address of this machine, or by one of: {names}\n")
            return False
        return True

    def do_GET(self) -> None:
        """One look. A defect of ours is an answer and a line in the log."""
        try:
            self._show(self.path.partition("?")[0])
        except OSError:
            log.debug("%s went away", self.client_address)
        except Exception as error:
            log.exception("metrics: %s cannot be answered", self.path)
            self._say(HTTPStatus.INTERNAL_SERVER_ERROR, f"{error!r}; the master's log has more\n")

    do_HEAD = do_GET

    def _show(self, path: str) -> None:
        if path in _FILES:
            name, kind = _FILES[path]
            self._answer(resources.files("haproxy_edge").joinpath("page", name).read_bytes(), kind)
        elif path == "/report.json":
            self._answer(json.dumps(content(self.server.sources)).encode(), "application/json")
        elif path == "/metrics":
            encoder, kind = choose_encoder(self.headers.get("Accept", ""))
            self._answer(encoder(self.server.registry), kind)
        elif path == "/events":
            self._stream()
        else:
            self._say(HTTPStatus.NOT_FOUND, "there are /, /report.json, /events and /metrics\n")

    def _stream(self) -> None:
        """The content now and at every change, as Server-Sent Events, until the client is gone."""
        if self.command == "HEAD" or not self.server.streams.acquire(blocking=False):
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, "too many pages are open: poll /report.json\n")
            return
        try:
            self._begin(HTTPStatus.OK, "text/event-stream")
            self._send_changes()
        finally:
            self.server.streams.release()

    def _send_changes(self) -> None:
        sent = b""
        said = select.poll()
        said.register(self.connection, select.POLLIN)
        # a client that asked has nothing more to say: what can be read is its end
        while not self.server.is_closed and not said.poll(_LOOK_EVERY * 1000 if sent else 0):
            latest = self.server.recent()
            if latest is not sent:
                self.wfile.write(b"data: " + latest + b"\n\n")
                sent = latest

    def _say(self, status: HTTPStatus, text: str, **headers: str) -> None:
        self._answer(text.encode(), "text/plain; charset=utf-8", status, headers)

    def _answer(
        self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
    ) -> None:
        self._begin(status, kind, {"Content-Length": str(len(body)), **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _begin(self, status: HTTPStatus, kind: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **_HEADERS, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Every scrape would be a line on standard error."""
        log.debug(format, *arguments)


def serve_forever(option: str, sources: Sources, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Listen at the option's address for as long as the process lives; tried again while something else listens."""
    said = Said()
    while True:
        try:
            with PageServer(address_of(option), sources) as server:
                said.over(option)
                log.info("metrics and status page at http://%s/", option)
                # no poll: the thread wakes only for a connection
                server.serve_forever(poll_interval=None)  # type: ignore[arg-type]
        except OSError as error:
            if said.is_new(option, str(error)):
                log.error("metrics: %s: %s; the engine goes on without, tried again every %g s", option, error, _RETRY)
        sleep(_RETRY)
