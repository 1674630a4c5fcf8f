"""The page of operations says what the runner gives: every check of the doctor, every key of the JSON."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from haproxy_edge.doctor import examine
from haproxy_edge.status import status
from haproxy_edge.timeline import timeline

from tests.unit.runner.reports import NOW, facts, report
from tests.unit.runner.test_doctor_checks import FAULTS, an_engine
from tests.unit.runner.test_runner_parts import change

PAGE = (Path(__file__).parents[3] / "docs/operations.md").read_text()


def listed(heading: str) -> list[str]:
    """First cells of the table under a heading."""
    section = re.split(r"\n##+ ", PAGE.partition(f"# {heading}\n")[2])[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


ROWS = {**status({"default": report()}, now=NOW), "changes": timeline({"default": [change(1)]})}


def test_every_check_of_the_doctor_is_listed_and_none_that_there_is_not():
    worlds = [
        facts(),
        *(facts(**changes) for changes, _, _ in FAULTS.values()),
        facts(**an_engine(frozen={"all": None})),
    ]
    assert set(listed("The doctor")) == {finding.check for world in worlds for finding in examine(world)}


@pytest.mark.parametrize("rows", ["engines", "services", "edges", "changes"])
def test_every_key_of_a_row_is_listed(rows):
    assert listed(f"`{rows}`") == list(ROWS[rows][0])
