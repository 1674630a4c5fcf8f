"""The lab's commands: what is passed on is left to the program, and a lab that is not there, or is, is said to be."""

from __future__ import annotations

import os

import pytest

from lab import __main__ as command_line
from lab import demo, topology
from lab.__main__ import _parser
from lab.master import CHECKOUT

PASSED_ON = ["salt", "salt-run", "salt-key", "kubectl", "client"]


@pytest.fixture
def root(monkeypatch):
    """Whoever runs the tests; nothing may be started by them."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "execvp", lambda *_: pytest.fail("nothing to pass on to"))

    def said(*words):
        monkeypatch.setattr("sys.argv", ["lab", *words])
        return command_line.main()

    return said


@pytest.mark.parametrize("program", PASSED_ON)
def test_each_program_of_the_lab_says_that_no_lab_is_up(program, root, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command_line, "RUN", tmp_path / "no lab")
    assert root(program, "anything") == 1
    assert "the lab is not up: make lab" in capsys.readouterr().err


@pytest.mark.parametrize("program", PASSED_ON)
def test_a_shell_of_the_lab_has_its_own_of_each_program(program):
    wrapper = CHECKOUT / "lab" / program
    assert os.access(wrapper, os.X_OK) and f"-m lab {program} " in wrapper.read_text()


def test_a_lab_that_is_up_is_not_thrown_away_by_starting_one(root, monkeypatch, capsys):
    monkeypatch.setattr(topology.Lab, "is_up", lambda _: True)
    monkeypatch.setattr(demo, "start", lambda _: pytest.fail("started anew"))
    assert root("up") == 0
    out, err = capsys.readouterr()
    assert "it is up already" in err and demo.HOW_TO_PLAY in out


def test_taking_the_lab_down_says_so(root, monkeypatch, capsys):
    monkeypatch.setattr(topology, "down", lambda: None)
    assert root("down") == 0
    assert "the lab is down" in capsys.readouterr().err


@pytest.mark.parametrize("program", PASSED_ON)
@pytest.mark.parametrize(
    "words", [["-n", "kube-system", "get", "pods"], ["get", "--help"], ["--help"], []], ids=" ".join
)
def test_options_are_the_program_s(program, words):
    assert _parser().parse_args([program, *words]).arguments == words
