"""What each kind of trouble does: every row of the table has its proof, and every error and warning its row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from haproxy_edge import kube, reflector, services, troubles
from haproxy_edge.troubles import TABLE

TESTS = Path(__file__).parents[2]


def defined_tests() -> set[str]:
    found: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        found.update(re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE))
    return found


def test_every_row_is_proven_by_a_test_that_is_there():
    assert {row.proof for row in TABLE} - defined_tests() == set()


def told() -> str:
    return " ".join(row.seen_as for row in TABLE)


@pytest.mark.parametrize("module", [kube, reflector], ids=lambda module: module.__name__)
def test_every_error_of_the_api_has_a_row(module):
    named = set(re.findall(r'(?:ApiError|Gone)\(\s*"([a-z-]+)"', Path(module.__file__).read_text()))
    named |= set(re.findall(r'condition = "([a-z-]+)"', Path(module.__file__).read_text()))

    assert named
    assert [one for one in sorted(named - {"ok"}) if f"`{one}`" not in told()] == []


def test_every_warning_of_the_engine_s_own_has_a_row():
    fired = {troubles.EMPTY, troubles.EMPTIED, troubles.SLICE, troubles.OUTSIDE, troubles.STALE, troubles.FRESH}

    assert [one for one in sorted(fired) if f"`{one}`" not in told()] == []
    assert not re.findall(r'alarms\.\w+\([^)]*"[a-z]+",', Path(services.__file__).read_text())
