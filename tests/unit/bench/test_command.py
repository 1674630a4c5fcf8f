"""A bench as a command: what its end tells, and that an interrupt leaves nothing half taken down."""

from __future__ import annotations

import json
import os
import signal

import pytest

from bench import command
from bench.machine import facts
from bench.result import Result
from lab.figures import figure
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


def test_a_part_keeps_what_it_found_with_the_machine_and_how_it_was_asked(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    asked = []

    def measure(say, quick):
        asked.append(quick)
        return Result("growth", "How cost grows", [figure("x", "<= 1", 1, "ms")])

    out = tmp_path / "growth.json"
    assert command.run_part("growth", "About.", measure, ["--quick", "--out", str(out)]) == 0
    kept = Result.load(out)
    assert (asked, kept.quick, kept.machine) == ([True], True, facts())
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["figures"][0]["name"] == "x"


def test_a_part_without_root_says_so_and_measures_nothing(capsys, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert command.run_part("growth", "About.", lambda say, quick: Result("growth", "", []), []) == 1
    assert "needs root" in capsys.readouterr().err
