"""The engine and its option `metrics`: nothing is loaded without it, and nothing stops the engine with it."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import urllib.request

import pytest
from haproxy_edge.engines import k8s_endpoints
from haproxy_edge.options import check

from lab.cluster import free_port
from lab.processes import wait_for
from tests.unit.engine.material import World

LOADED = "import sys, haproxy_edge.engines.k8s_endpoints; print([m for m in {names} if m in sys.modules])"


def options(**given):
    return check({"services": ["kube-system/traefik"], **given})


def test_nothing_of_it_is_loaded_without_the_option():
    names = ["prometheus_client", "http.server", "haproxy_edge.page_server", "haproxy_edge.metrics"]
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(names=names)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_no_thread_is_started_without_the_option():
    before = threading.active_count()
    k8s_endpoints._serve_page(World().daemon, options())
    assert threading.active_count() == before


def test_without_the_package_the_engine_goes_on_and_says_what_to_do(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    for name in [name for name in sys.modules if name.startswith(("prometheus_client.", "haproxy_edge.page_server"))]:
        monkeypatch.delitem(sys.modules, name)
    before = threading.active_count()
    with caplog.at_level(logging.ERROR):
        k8s_endpoints._serve_page(World().daemon, options(metrics="127.0.0.1:9105"))
    (message,) = caplog.messages
    assert message.startswith("metrics: 127.0.0.1:9105: ")
    assert "salt-pip install prometheus_client; the engine goes on without" in message
    assert threading.active_count() == before


@pytest.fixture
def port():
    return free_port()


def test_with_it_the_daemon_of_this_process_is_what_is_shown(port):
    world = World()
    world.fleet = ["edge1", "edge2"]
    world.run(1)
    # a daemon thread that ends with the process, as in the engine
    k8s_endpoints._serve_page(world.daemon, options(metrics=f"127.0.0.1:{port}"))

    def scraped():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return ""

    wait_for(scraped, 60, "the page to be served")
    assert 'haproxy_edge_edges_expected{cluster="default"} 2.0' in scraped()
