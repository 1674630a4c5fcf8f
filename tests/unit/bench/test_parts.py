"""All benchmarks in turn: one that fails loses no other, and nothing is kept of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from bench import __main__ as command
from bench import page, parts
from bench.parts import PARTS, ROOT, Part, told_by
from bench.result import Malformed, Result
from lab.figures import figure
from tests.unit.bench.material import result


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(page, "write", lambda results: [])
    return tmp_path / "kept"


def part_that(monkeypatch, **outcomes):
    def measure(part, out, *, quick):
        outcome = outcomes[part.name]
        if isinstance(outcome, Exception):
            raise outcome
        outcome.save(out)

    monkeypatch.setattr(command, "measure", measure)


def test_a_part_that_fails_loses_no_other_and_keeps_what_it_had(kept, monkeypatch, capsys):
    result(part="storm", title="before").save(kept / "storm.json")
    part_that(monkeypatch, storm=Malformed("exit status 1"), growth=result())
    assert command.main(["--only", "storm", "--only", "growth"]) == 1
    captured = capsys.readouterr()
    assert "storm (exit status 1)" in captured.err
    assert Result.load(kept / "storm.json").title == "before"
    assert Result.load(kept / "growth.json").title == "How cost grows"
    assert len(json.loads(captured.out.splitlines()[-1])["figures"]) == 4


def test_a_quick_run_prints_its_figures_and_keeps_nothing(kept, monkeypatch, capsys):
    part_that(monkeypatch, growth=result(quick=True))
    monkeypatch.setattr(page, "write", lambda results: pytest.fail("written"))
    assert command.main(["--quick", "--only", "growth"]) == 0
    assert not kept.exists()
    assert len(json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]) == 2


def test_the_page_alone_measures_nothing(kept, monkeypatch, capsys):
    result().save(kept / "growth.json")
    monkeypatch.setattr(command, "measure", lambda *_, **__: pytest.fail("measured"))
    assert command.main(["--page"]) == 0
    assert len(json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]) == 2


def test_a_kept_file_that_is_no_result_is_named(kept, capsys):
    kept.mkdir()
    (kept / "growth.json").write_text("{}")
    assert command.main(["--page"]) == 1
    assert "growth.json" in capsys.readouterr().err


def printing(monkeypatch, text, status=0):
    """A part whose module prints ``text``."""
    code = f"import sys; print({text!r}); sys.exit({status})"
    real = parts._run
    monkeypatch.setattr(parts, "_run", lambda command: real([sys.executable, "-c", code]))


def test_figures_and_notes_of_a_part_that_only_prints_are_kept_with_the_machine(tmp_path, monkeypatch):
    line = json.dumps({"figures": [vars(figure("idle", "<= 1", 0.4, "%"))], "notes": ["no resync"]})
    printing(monkeypatch, f"a table\n{line}")
    parts.measure(Part("engine", "The engine"), tmp_path / "engine.json", quick=False)
    found = Result.load(tmp_path / "engine.json")
    assert (found.title, [one.measured for one in found.figures]) == ("The engine", [0.4])
    assert found.notes == ["no resync"]
    assert found.machine["Python"]


def test_a_part_that_ends_with_an_error_is_not_kept(tmp_path, monkeypatch):
    printing(monkeypatch, json.dumps({"figures": []}), status=1)
    with pytest.raises(Malformed, match="exit status 1"):
        parts.measure(Part("engine", "The engine"), tmp_path / "engine.json", quick=False)
    assert not (tmp_path / "engine.json").exists()


@pytest.mark.parametrize("printed", ["", "no json", "[]", '{"figures": [{"name": "x"}]}'])
def test_a_last_line_without_figures_is_refused(printed):
    with pytest.raises(Malformed, match="no JSON of figures"):
        told_by(printed)


@pytest.mark.parametrize("name", PARTS)
def test_every_part_is_a_module(name):
    assert (ROOT / "bench" / f"{name}.py").is_file()


def test_a_part_needs_nothing_on_its_path_but_the_checkout():
    modules = ", ".join([*(f"bench.{name}" for name in PARTS), "chaos.__main__"])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", f"import {modules}"], cwd=ROOT, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-500:]
