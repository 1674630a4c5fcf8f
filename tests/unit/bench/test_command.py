"""A bench as a command: what its end tells, and that an interrupt leaves nothing half taken down."""

from __future__ import annotations

import json
import os
import signal

import pytest

from bench import command
from bench.figures import figure
from lab.processes import LabError


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in command._INTERRUPTS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_goal_that_is_missed_is_no_failure_and_the_last_line_tells_it(capsys):
    assert command.run("bench.x", lambda say: [figure("x", "<= 1", 2, "ms")]) == 0
    (told,) = json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]
    assert (told["name"], told["met"]) == ("x", False)


def test_what_could_not_be_measured_prints_no_figure(capsys):
    def measure(say):
        say("trying")
        raise LabError("no engine")

    assert command.run("bench.x", measure) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and "trying" in captured.err and captured.err.endswith("bench.x: no engine\n")


@pytest.mark.parametrize("number", command._INTERRUPTS, ids=["SIGTERM", "SIGINT"])
def test_an_interrupt_ends_the_measuring_and_not_the_taking_down(capsys, number):
    done = []

    def measure(say):
        try:
            os.kill(os.getpid(), number)
            done.append("measured")
        finally:
            with command.undisturbed():
                os.kill(os.getpid(), number)
                done.append("taken down")

    assert command.run("bench.x", measure) == 1
    assert done == ["taken down"]
    assert capsys.readouterr().err == "bench.x: interrupted\n"
