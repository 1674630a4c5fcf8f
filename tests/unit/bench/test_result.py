"""A kept result is whole, or it is refused."""

from __future__ import annotations

import json

import pytest

from bench.machine import facts, number_of, version
from bench.result import Malformed, Result, Table
from tests.unit.bench.material import result


def test_a_result_comes_back_from_json_as_it_was():
    assert Result.from_json(result().to_json()).to_json() == result().to_json()


def test_a_result_comes_back_from_a_file_and_leaves_nothing_beside_it(tmp_path):
    result().save(tmp_path / "kept/growth.json")
    loaded = Result.load(tmp_path / "kept/growth.json")
    assert (loaded.figures, loaded.plots[0].series[0].points) == (result().figures, result().plots[0].series[0].points)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["growth.json"]


def broken(change) -> str:
    given = json.loads(result().to_json())
    change(given)
    return json.dumps(given)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a result"),
        ("[]", "not a result"),
        (broken(lambda given: given.pop("title")), "title"),
        (broken(lambda given: given.update(more=1)), "more"),
        (broken(lambda given: given["figures"][0].update(measured=2)), "endpoints, n\\^k: 2"),
        (broken(lambda given: given["tables"][0]["rows"].append([1])), "1 cells below 2 columns"),
        (broken(lambda given: given["plots"][0].update(kind="pie")), "'pie' is none of bars"),
        (broken(lambda given: given["plots"][0]["series"][0].update(points=[])), "has no points"),
    ],
    ids=["cut off", "a list", "no title", "a field too many", "met by word only", "a short row", "a pie", "no points"],
)
def test_what_is_no_result_is_refused_with_the_reason(text, said):
    with pytest.raises(Malformed, match=said):
        Result.from_json(text)


def test_a_file_that_is_no_result_is_named_with_the_way_out(tmp_path):
    (tmp_path / "storm.json").write_text("{}")
    with pytest.raises(Malformed, match=r"storm\.json: .*make bench ARGS='--only storm'"):
        Result.load(tmp_path / "storm.json")


def test_a_value_that_json_does_not_know_keeps_the_file_that_was_there(tmp_path):
    result().save(tmp_path / "growth.json")
    nan = Table("By size", ["ms"], [[float("nan")]])
    with pytest.raises(ValueError):
        result(tables=[nan]).save(tmp_path / "growth.json")
    assert Result.load(tmp_path / "growth.json").tables[0].columns == ["servers", "ms"]


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("HAProxy version 2.6.12-1+deb12u2 2025/04/25 - https://haproxy.org/", "2.6.12-1+deb12u2"),
        ("nginx version: nginx/1.22.1", "1.22.1"),
        ("OpenSSH_9.2p1 Debian-2+deb12u7, OpenSSL 3.0.17 1 Jul 2025", "9.2p1"),
        ("wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer", "4.1.0-3+b2"),
        ("no number", ""),
    ],
)
def test_a_version_is_found_in_what_a_program_says(said, number):
    assert version(said) == number


@pytest.mark.parametrize("release", ["6.1", "6.1-fc-v657", "6.1-18-amd64", "6.1+"])
def test_of_a_kernel_only_the_number_is_told_and_not_whose_build_it_is(release):
    assert number_of(release) == "6.1"


def test_the_machine_names_processor_memory_kernel_and_salt():
    assert {"processor", "memory", "kernel", "Python", "Salt"} <= set(facts())
