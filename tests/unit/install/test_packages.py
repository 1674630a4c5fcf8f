"""The wheel's list of packages is written by hand; what it forgets would be missed only where it is installed."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
ENGINE = ROOT / "engine"


def test_every_package_of_the_engine_is_in_the_wheel():
    there = {str(path.parent.relative_to(ENGINE)).replace("/", ".") for path in ENGINE.glob("haproxy_edge/**/*.py")}
    listed = re.search(r"^packages = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    assert listed is not None
    assert set(re.findall(r'"([\w.]+)"', listed[1])) == there | {"haproxy_edge.share"}
