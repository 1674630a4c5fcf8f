"""Metrics and status page of the real engine, on what really happens in the lab."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import pytest

from lab import fabric
from lab.browser import Browser
from lab.processes import wait_for
from lab.prometheus import EDGES, ENGINE, Prometheus, dashboard_queries
from lab.topology import PILLAR

DASHBOARD = Path(__file__).parents[2] / "deploy/grafana/haproxy-edge.json"
URL = f"http://{ENGINE}/"


@pytest.fixture
def page():
    with Browser(fabric.namespace("master")) as browser:
        browser.look(width=1280, height=900)
        browser.open(URL)
        browser.wait_for("byId('live-word').textContent === 'live'")
        yield browser
        assert browser.complaints == []


@pytest.fixture
def prometheus(world):
    """Scrapes the engine and, as pillar says, HAProxy on every edge."""
    exported = {"haproxy": {**PILLAR["haproxy"], "metrics_bind": f"0.0.0.0:{EDGES}"}}
    world.lab.set_pillar({edge.name: exported for edge in world.lab.edges})
    world.apply()
    started = Prometheus([edge.ipv4 for edge in world.lab.edges])
    started.start()
    yield started
    started.stop()


def _rows(browser, selector):
    return browser.evaluate(f"[...document.querySelectorAll('{selector}')].map(e => e.innerText)")


def _all_well(browser, edges):
    browser.wait_for(f"byId('verdict-word').textContent === 'All {edges} edges follow the cluster'", 60)


def test_the_page_shows_a_change_as_it_goes_to_every_edge(world, page):
    _all_well(page, len(world.lab.edges))
    before = page.evaluate("document.querySelector('.change').dataset.key")
    with world.one_more():
        page.wait_for(f"document.querySelector('.change').dataset.key !== {before!r}", 60)
        page.wait_for("document.querySelector('.change').querySelector('.took b')", 60)
        confirmed = page.evaluate("document.querySelector('.change').querySelectorAll('circle').length")
        assert confirmed == len(world.lab.edges)
        assert "added" in _rows(page, ".change .chip")[0]
    assert {row.split()[0] for row in _rows(page, "#edge-rows tr")} == {edge.name for edge in world.lab.edges}


def test_the_page_says_who_is_behind_and_that_it_came_back(world, page):
    sleeper = world.lab.edges[0]
    with contextlib.ExitStack() as stack:
        with sleeper.asleep():
            stack.enter_context(world.one_more())
            page.wait_for(f"byId('verdict-word').textContent === '1 of {len(world.lab.edges)} edges behind'", 60)
            assert _rows(page, "#edge-rows tr")[0].startswith(sleeper.name)
        _all_well(page, len(world.lab.edges))


def test_every_query_of_the_dashboard_gives_data(world, prometheus):
    # one change while it is scraped: what has never moved has no rate
    with world.one_more() as pods:
        world.await_servers(pods)
    queries = dashboard_queries(DASHBOARD)

    def without_data():
        answers = prometheus.ask(list(queries.values()))
        return [name for name, values in zip(queries, answers, strict=True) if not any(map(math.isfinite, values))]

    wait_for(lambda: not without_data(), 60, f"data for every query of the dashboard; without: {without_data()}")

    # and nothing of that was an alarm
    assert prometheus.values('ALERTS{alertstate="firing"}') == []
