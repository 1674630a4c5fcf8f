"""The page of the architecture names what is kept, said and fired: events, banks, an edge's files, an order's words."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from haproxy_edge.event_filter import WARNING
from haproxy_edge.outbox import Order
from haproxy_edge.store import ROOT as TAG_ROOT
from haproxy_edge_minion.files import Paths

from tools.doc_tables import section

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/architecture.md").read_text()
MASTER = [path.read_text() for path in ROOT.glob("engine/haproxy_edge/**/*.py")]
EDGE = [path.read_text() for path in ROOT.glob("salt/states/_*/**/*.py")]
# the program is HAProxy's, not kept by us
NOT_KEPT = {"haproxy", "state"}


def first_cells(heading: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", section(PAGE, heading), re.MULTILINE))


def row(heading: str, name: str) -> set[str]:
    """What the row of that name has as code."""
    (line,) = re.findall(rf"^\| `?{name}`? \| (.*)$", section(PAGE, heading), re.MULTILINE)
    return set(re.findall(r"`([^`]+)`", line))


def kept(kind: str) -> set[str]:
    return set(re.findall(rf"^\| {kind} \| `([^`]+)`", section(PAGE, "Events and banks"), re.MULTILINE))


def test_every_file_of_an_edge_is_listed_and_none_that_there_is_not():
    names = {field.name for field in fields(Paths)} | {
        name for name in vars(Paths) if isinstance(getattr(Paths, name), property)
    }
    files = {str(getattr(Paths(), name)) for name in names - NOT_KEPT}
    listed = {path.rstrip("/") for path in first_cells("On an edge")}
    assert listed - {"/etc/salt/minion.d/haproxy-edge.conf"} == files


def test_every_bank_of_the_store_is_listed_and_none_that_there_is_not():
    named = {name for text in MASTER for name in re.findall(r'f"\{ROOT\}/((?:\{cluster\}/)?[a-z]+)"', text)}
    banks = {f"{TAG_ROOT}/{name}".replace("{cluster}", "<cluster>") for name in named} - {WARNING}
    assert kept("bank") == banks


@pytest.mark.parametrize("event", ["doorbell/hot", "doorbell/state", "ack/<minion id>", "warning"])
def test_an_event_is_listed(event):
    assert f"`{TAG_ROOT}/{event}`" in section(PAGE, "Events and banks")


def test_the_words_of_an_order_are_those_of_the_code():
    assert row("Words", "order") == {field.name for field in fields(Order)}


def test_every_step_that_an_edge_times_is_named():
    laps = {step for text in EDGE for step in re.findall(r'watch\.lap\("([a-z]+)"\)', text)}
    assert row("An acknowledgement", "steps_ms`, `ms") - {"haproxy -c"} == laps
