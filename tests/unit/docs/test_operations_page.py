"""The page of operations says what the runner gives: every check of the doctor, every key of the JSON."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from haproxy_edge.changes import newest_first
from haproxy_edge.doctor import examine
from haproxy_edge.doctor.finding import STATES, ok
from haproxy_edge.records import Frozen
from haproxy_edge.status import status
from haproxy_edge_minion import returns
from haproxy_edge_minion.outcome import EdgeError

from tests import reports
from tests.reports import NOW
from tests.unit.runner.faults import FAULTS, an_engine
from tests.unit.runner.material import change, facts, report

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/operations.md").read_text()


def cells(heading: str) -> dict[str, str]:
    """First and second cells of the table under a heading."""
    section = re.split(r"\n##+ ", PAGE.partition(f"# {heading}\n")[2])[0]
    return dict(re.findall(r"^\| `([^`]+)` \| (.*?) \|", section, re.MULTILINE))


def listed(heading: str) -> list[str]:
    """First cells of the table under a heading."""
    return list(cells(heading))


def named(cell: str) -> list[str]:
    """What a cell names as code."""
    return re.findall(r"`([^`]+)`", cell)


ROWS = {**status({"default": report()}, now=NOW), "changes": newest_first({"default": [change(1)]})}


def test_every_function_of_an_edge_is_listed_and_none_that_there_is_not():
    module = ast.parse((ROOT / "salt/states/_modules/haproxy_edge.py").read_text())
    defined = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    assert set(listed("On one edge")) == {name for name in defined if not name.startswith("_")}


def test_every_check_of_the_doctor_is_listed_and_none_that_there_is_not():
    worlds = [
        facts(),
        *(facts(**changes) for changes, _, _ in FAULTS.values()),
        facts(**an_engine(frozen={"all": Frozen(NOW - 60, "me")})),
    ]
    assert set(listed("The doctor")) == {finding.check for world in worlds for finding in examine(world)}


@pytest.mark.parametrize("rows", ["engines", "services", "edges", "changes"])
def test_every_key_of_a_row_is_listed(rows):
    assert listed(f"`{rows}`") == list(ROWS[rows][0])


def test_every_key_inside_of_a_row_is_named_in_its_cell():
    (watch,) = ROWS["engines"][0]["watches"]
    assert named(cells("`engines`")["watches"]) == list(watch)
    reloaded = report(edges={"edge1": reports.edge(reload={"at": NOW, "reason": "first"})})
    (edge,) = status({"default": reloaded}, now=NOW)["edges"]
    assert named(cells("`edges`")["reload"]) == list(edge["reload"])


def test_every_key_of_a_plan_is_listed():
    def prepare() -> None:
        raise EdgeError("haproxy.bind: missing port")

    assert set(listed("`edges` of a plan")) == set(returns.planned(None, prepare))


def test_every_key_and_state_of_a_finding_is_listed():
    assert listed("`findings`") == list(vars(ok("pods", "edge1", "they answer")))
    assert set(named(cells("`findings`")["state"])) == set(STATES)
