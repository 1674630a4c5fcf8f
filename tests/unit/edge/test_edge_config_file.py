"""The judge of a configuration: asked cheaply first, and in full before anything is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from haproxy_edge_minion.config_file import ConfigFile
from haproxy_edge_minion.files import Paths
from haproxy_edge_minion.outcome import EdgeError
from haproxy_edge_minion.spec import Spec

TEXT = "global\n    maxconn 4000\n"


@pytest.fixture
def judged(tmp_path):
    """Judge a text by a program of which ``knows`` are the exit statuses, by the number of files it is given."""

    def judge(text: str, knows: dict[int, int]) -> list[int]:
        """How many files it was given each time."""
        calls = tmp_path / "calls"
        cases = "; ".join(f"{count}) exit {status}" for count, status in knows.items()).replace("; ", ";; ")
        program = tmp_path / "haproxy"
        program.write_text(
            f"#!/bin/sh\nfiles=$(( ($# - 1) / 2 ))\necho $files >> {calls}\ncase $files in {cases};; esac\n"
        )
        program.chmod(0o755)
        try:
            ConfigFile(Paths(haproxy=program), lambda path: None).check(text, Spec.nothing())
        finally:
            found = [int(line) for line in calls.read_text().split()]
            calls.unlink()
        return found

    return judge


def test_a_good_one_is_judged_once_and_without_the_systems_certificates(judged):
    assert judged(TEXT, {2: 0, 1: 1}) == [2]


def test_a_haproxy_that_does_not_know_the_cheaper_look_judges_in_full(judged):
    assert judged(TEXT, {2: 1, 1: 0}) == [2, 1]


def test_only_the_full_look_refuses(judged):
    with pytest.raises(EdgeError, match="exit status 2"):
        judged(TEXT, {2: 1, 1: 2})


def test_a_template_that_speaks_of_the_http_client_is_judged_as_it_stands(judged):
    assert judged(f"{TEXT}    httpclient.ssl.ca-file /etc/ssl/own.pem\n", {2: 1, 1: 0}) == [1]


def test_nothing_is_left_open_by_a_look(judged):
    before = set(Path("/proc/self/fd").iterdir())
    judged(TEXT, {2: 0})
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_a_judge_that_does_not_end_is_a_problem_that_names_the_time_and_what_to_suspect(tmp_path, monkeypatch):
    monkeypatch.setattr("haproxy_edge_minion.config_file._CHECK_TIMEOUT", 0.05)
    program = tmp_path / "haproxy"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    with pytest.raises(EdgeError, match=r"has not ended after 0\.05 s; suspect are host names in bind, log and extra"):
        ConfigFile(Paths(haproxy=program), lambda path: None).check(TEXT, Spec.nothing())
