"""Every failure of the field is proven away by marked tests where it has to be, and the page lists them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.field_failures import FAILURES, PAGE, TESTS, Failure, listed, proofs


def test_the_page_lists_every_failure_with_its_tests():
    assert listed() in PAGE.read_text(), "to write it: make generated"


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)
def test_a_failure_has_its_proofs_where_it_needs_them(failure: Failure):
    paths = [proof.path for proof in proofs() if proof.failure == failure.name]

    assert [folder for folder in failure.needs if not any(path.startswith(f"{folder}/") for path in paths)] == []


def test_no_mark_names_a_failure_that_there_is_not():
    assert {proof.failure for proof in proofs()} - {failure.name for failure in FAILURES} == set()


@pytest.mark.parametrize("issue", ["2909", "F5Networks"])
def test_a_failure_is_found_by_its_public_issue(issue: str):
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-k", issue, "tests/unit/engine/test_daemon.py"]
    found = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, timeout=60, check=False).stdout

    assert "test_an_api_error_is_never_read_as_no_endpoints[http-401]" in found
    assert "test_the_whole_fleet_is_ordered_at_every_resync" not in found
