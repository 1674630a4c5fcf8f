"""Two thousand random steps, half of them on the HAProxy of each release; `make soak` goes on for 50,000."""

import pytest
from hypothesis import settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from tests.functional.edge.binaries import RELEASES, haproxy
from tests.functional.edge.machine import SETTINGS, EdgeMachine

STEPS = 1000


@pytest.mark.field_failure(
    "what runs is not what the file says", "a server deleted with live sessions, its name used again"
)
@pytest.mark.timeout(900)  # the release's image may have to be built first
@pytest.mark.root
@pytest.mark.parametrize("release", RELEASES)
def test_after_any_step_file_process_and_snapshots_are_one(release):
    machine = type("Machine", (EdgeMachine,), {"haproxy": haproxy(release), "steps": 0, "breaches": []})
    while machine.steps < STEPS:
        try:
            run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=5))
        except Flaky:
            # a race: the same steps went well the second time, and hypothesis tells only that
            pytest.fail("\n".join(machine.breaches))
