"""Two thousand random steps on the HAProxy of each release; `make soak` goes on for 50,000."""

import warnings

import pytest
from hypothesis import settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from tests.functional.edge.binaries import RELEASES, haproxy
from tests.functional.edge.machine import SETTINGS, EdgeMachine

STEPS = 1000
# races that the same steps do not meet again, on a machine busy with other things; a defect fails each time.
# `make soak` allows none and tells what it saw
RACES = 1


@pytest.mark.timeout(900)  # the release's image may have to be built first
@pytest.mark.root
@pytest.mark.parametrize("release", RELEASES)
def test_after_any_step_file_process_and_snapshots_are_one(release):
    machine = type("Machine", (EdgeMachine,), {"haproxy": haproxy(release), "steps": 0, "breaches": []})
    races = 0
    while machine.steps < STEPS:
        try:
            run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=5))
        except Flaky:
            races += 1
            warnings.warn("\n".join(machine.breaches), stacklevel=1)
            assert races <= RACES, machine.breaches
    assert machine.steps >= STEPS
