"""The server of metrics and page, over real connections: who may look, how many, and that nobody costs it a thread."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import socket
import threading

import pytest
from haproxy_edge import page_server
from haproxy_edge.page_server import PageServer, Sources, address_of, is_ours

from lab.processes import wait_for
from tests import reports


class Watched:
    """A running server on a report that a test can change."""

    def __init__(self, host="127.0.0.1"):
        self.report = reports.report()
        self.server = PageServer(
            (host, 0), Sources(lambda: self.report, lambda most: [reports.change()][-most:], lambda: reports.NOW)
        )
        self.host, self.port = self.server.server_address[:2]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def ask(self, path="/", method="GET", **headers):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read().decode()

    def open_stream(self):
        """(connection, file to read lines from) of a page that stays."""
        connection = socket.create_connection((self.host, self.port), timeout=60)
        connection.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return connection, connection.makefile("r")

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def page():
    threads = threading.active_count()
    watched = Watched()
    yield watched
    watched.close()
    wait_for(lambda: threading.active_count() <= threads, 60, "every thread of the server to end")


def events(lines):
    """What arrives on a stream, one content after another."""
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


@pytest.mark.parametrize(
    ("path", "kind", "holds"),
    [
        ("/", "text/html; charset=utf-8", "<main>"),
        ("/page.css", "text/css; charset=utf-8", "prefers-color-scheme"),
        ("/page.js", "text/javascript; charset=utf-8", "EventSource"),
        ("/report.json", "application/json", '"cluster": "default"'),
        ("/metrics", "text/plain; version=", "haproxy_edge_edges_expected{"),
    ],
)
def test_a_look_is_answered(page, path, kind, holds):
    answer, body = page.ask(path)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith(kind)
    assert holds in body
    head, nothing = page.ask(path, "HEAD")
    assert (head.status, nothing) == (200, "")


def test_openmetrics_is_spoken_to_who_asks_for_it(page):
    answer, body = page.ask("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")


def test_options_of_the_engine_are_not_told(page):
    _, body = page.ask("/report.json")
    assert "kubeconfig" not in body and json.loads(body)["history"][0]["edges"] == {"edge1": 0.12, "edge2": 0.21}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_whoever_wants_more_than_a_look_is_refused(page, method):
    answer, body = page.ask("/report.json", method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert "cluster" not in body


@pytest.mark.parametrize("path", ["/", "/report.json", "/metrics", "/events"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9105", "localhost.evil.example", "127.0.0.1.evil.example", ""]
)
def test_who_asks_for_another_machine_is_refused(page, path, host):
    answer, body = page.ask(path, Host=host)
    assert answer.status == 403
    assert "ask by an address of this machine" in body


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:9105", "LOCALHOST", "127.0.0.1:1", "[::1]:9105", "10.0.0.5:9105", socket.gethostname()],
)
def test_this_machine_is_known_by_its_names_and_by_any_address(page, host):
    assert page.ask("/metrics", Host=host)[0].status == 200


def test_a_name_given_by_the_option_is_one_of_ours():
    names = page_server.own_names("master.example")
    assert is_ours("master.example:9105", names) and not is_ours("other.example:9105", names)


@pytest.mark.parametrize(
    ("option", "address"),
    [
        ("127.0.0.1:9105", ("127.0.0.1", 9105)),
        ("[::1]:9105", ("::1", 9105)),
        ("master.example:1", ("master.example", 1)),
    ],
)
def test_the_option_is_an_address(option, address):
    assert address_of(option) == address


def test_it_listens_on_ipv6_where_the_option_says_so():
    with contextlib.closing(Watched("::1")) as page:
        assert page.ask("/metrics")[0].status == 200


@pytest.mark.parametrize("path", ["/../engine.py", "/page/../../daemon.py", "/favicon.ico", "/index.html"])
def test_any_other_path_is_not_found(page, path):
    assert page.ask(path)[0].status == 404


def test_every_answer_forbids_scripts_of_others_and_being_kept(page):
    for path in ("/", "/report.json", "/metrics", "/nothing"):
        headers = page.ask(path)[0].headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in headers


def test_the_page_needs_nothing_from_elsewhere():
    for name in ("index.html", "page.css", "page.js"):
        text = page_server.resources.files("haproxy_edge").joinpath("page", name).read_text()
        assert "https://" not in text and "//cdn" not in text
        assert text.count("http://") == text.count("http://www.w3.org/2000/svg")


def test_an_open_page_hears_of_a_change_as_it_happens(page):
    connection, lines = page.open_stream()
    with connection, lines:
        seen = events(lines)
        assert next(seen)["report"]["edges"]["edge1"]["behind_since"] is None
        page.report = reports.report(edges={"edge1": reports.edge(behind_since=reports.NOW)})
        assert next(seen)["report"]["edges"]["edge1"]["behind_since"] == reports.NOW


def test_time_alone_is_no_change_until_the_page_is_old():
    report, moment = reports.report(), [0.0]
    recent = page_server.Recent(Sources(lambda: report, lambda most: []), lambda: moment[0])
    first = recent()
    moment[0] += page_server._LOOK_EVERY
    report = reports.report(at=reports.NOW + 1, cycled_at=reports.NOW + 1)
    assert recent() is first
    moment[0] += page_server._SEND_EVERY
    assert recent() is not first


def test_the_engine_is_asked_once_however_many_look():
    asked = []
    recent = page_server.Recent(Sources(lambda: asked.append(1) or reports.report(), lambda most: []), lambda: 0.0)
    assert len({id(recent()) for _ in range(50)}) == 1
    assert len(asked) == 1


def test_too_many_pages_are_refused_and_a_scrape_still_finds_room(page):
    with contextlib.ExitStack() as stack:
        for _ in range(page_server._MOST_STREAMS):
            connection, lines = page.open_stream()
            stack.enter_context(connection)
            stack.enter_context(lines)
            next(events(lines))
        answer, body = page.ask("/events")
        assert (answer.status, "poll /report.json" in body) == (503, True)
        assert page.ask("/metrics")[0].status == 200
    wait_for(lambda: page.ask("/report.json")[0].status == 200, 60, "room for more")


def test_a_page_that_is_closed_leaves_no_thread_behind(page):
    before = threading.active_count()
    for _ in range(3 * page_server._MOST_STREAMS):
        connection, lines = page.open_stream()
        next(events(lines))
        lines.close()
        connection.close()
        wait_for(lambda: threading.active_count() <= before, 60, "the thread of a closed page to end")


def test_who_connects_and_says_nothing_holds_up_nobody(page, monkeypatch):
    monkeypatch.setattr(page_server.PageRequest, "timeout", 0.5)
    with contextlib.ExitStack() as stack:
        for _ in range(page_server._MOST_CONNECTIONS):
            stack.enter_context(socket.create_connection((page.host, page.port)))
        wait_for(lambda: _is_served(page), 60, "silent clients to be sent away")


def _is_served(page):
    try:
        return page.ask("/metrics")[0].status == 200
    except (OSError, http.client.HTTPException):
        return False


def test_a_port_in_use_is_one_error_in_the_log_and_is_tried_again(page, caplog):
    tries = []

    def sleep(seconds):
        tries.append(seconds)
        if len(tries) == 3:
            raise SystemExit

    with pytest.raises(SystemExit), caplog.at_level(logging.ERROR):
        page_server.serve_forever(f"127.0.0.1:{page.port}", page.server.sources, sleep=sleep)
    assert len(caplog.messages) == 1
    assert f"metrics: 127.0.0.1:{page.port}: [Errno 98]" in caplog.messages[0]


def test_a_defect_of_the_report_is_an_error_for_who_looks_and_nothing_else(page):
    good = page.report
    page.report = None
    assert page.ask("/metrics")[0].status == 500
    page.report = good
    assert page.ask("/metrics")[0].status == 200
