"""The tables by which a newcomer finds a module: all are in CONTRIBUTING.md, and the way leads through no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.doc_tables import section

ROOT = Path(__file__).parents[3]
PACKAGES = ("engine/haproxy_edge", "salt/states/_utils/haproxy_edge_minion")
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).glob("*.py")) if path.stem != "__init__"]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_module_stands_in_the_table_of_the_house(module):
    table = section((ROOT / "CONTRIBUTING.md").read_text(), "The house")
    assert f"`{module.name}`" in table, f"CONTRIBUTING.md, The house: say in a row what {module.name} is for"


def test_the_way_of_one_change_goes_through_files_that_are_there():
    way = section((ROOT / "docs/architecture.md").read_text(), "The way of one change")
    there = {path.name for folder in ("engine", "salt") for path in (ROOT / folder).rglob("*.*")}
    named = set(re.findall(r"`([a-z_]+\.(?:py|sls))`", way))
    assert named, "the table of steps names no file"
    assert named <= there, named - there
