"""The runner as Salt loads it: its functions, their documentation, and what it says where nothing is there yet."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import salt.config
import salt.loader
import salt.output
from haproxy_edge.salt_adapter import SaltCache
from haproxy_edge.store import Store

from tests import reports
from tests.reports import NOW, TRAEFIK
from tests.unit.runner.material import report

PAGE = (Path(__file__).parents[3] / "docs/operations.md").read_text()
KEY = re.compile(r"`(\w+)`")


@pytest.fixture
def opts(tmp_path):
    """Of a master that has never been started."""
    here = {name: str(tmp_path / name) for name in ("cachedir", "pki_dir", "sock_dir")}
    engines = [{"k8s_endpoints": {"services": [TRAEFIK]}}]
    return {**salt.config.master_config(None), **here, "engines": engines, "key_cache": ""}


@pytest.fixture
def runner(opts, monkeypatch):
    monkeypatch.setattr("time.time", lambda: NOW)
    return salt.loader.runner(opts)


def test_the_loader_offers_the_documented_functions_and_nothing_that_is_only_imported(runner):
    ours = {name.partition(".")[2] for name in runner if name.startswith("haproxy_edge.")}
    documented = set(re.findall(r"salt-run haproxy_edge\.(\w+)", PAGE))
    assert ours == documented


def test_each_function_has_a_cli_example_of_its_own(runner):
    for name in runner:
        if name.startswith("haproxy_edge."):
            assert f"salt-run {name}" in runner[name].__doc__


def documented_keys():
    """By function, of the two tables of the page: those of every function, and its own."""
    common, _, own = PAGE.partition("\nEvery function gives:\n")[2].partition("\n| function |")
    rows = [line.split("|")[1:3] for line in own.partition("\n\n")[0].splitlines()[2:]]
    shared = set(re.findall(r"^\| `(\w+)` \|", common, re.MULTILINE))
    return {name: shared | set(KEY.findall(keys)) for names, keys in rows for name in KEY.findall(names)}


def test_every_function_gives_the_documented_keys_and_also_where_nothing_is_there_yet(runner):
    arguments = {"render": ["edge1"]}
    given = {name: set(runner[f"haproxy_edge.{name}"](*arguments.get(name, []))) for name in documented_keys()}
    assert given == documented_keys()
    assert {f"haproxy_edge.{name}" for name in given} == {name for name in runner if name.startswith("haproxy_edge.")}


def test_before_anything_ran_status_says_so_in_words(runner):
    told = runner["haproxy_edge.status"]()
    assert (told["retcode"], told["services"], told["edges"]) == (1, [], [])
    assert "no engine has ever reported" in told["problems"][0]


def test_status_is_read_from_the_store_by_real_salt(runner, opts):
    fresh = report(
        at=NOW - 1, edges={"edge1": reports.edge(heard_at=NOW - 1)}, watches=[reports.watch(last_contact=NOW - 1)]
    )
    Store(SaltCache(opts)).save_report("default", fresh)
    told = runner["haproxy_edge.status"]("edge1")
    assert (told["retcode"], [row["edge"] for row in told["edges"]]) == (0, ["edge1"])
    assert json.loads(json.dumps(told)) == told
    shown = salt.output.out_format(told, "haproxy_edge", opts)
    assert shown.splitlines()[0].split() == [
        "SERVICE",
        "STATE",
        "READY",
        "DRAINING",
        "VIEW",
        "EDGES",
        "BEHIND",
        "GENERATION",
    ]


def test_a_freeze_outlives_the_process_that_made_it(runner, opts):
    runner["haproxy_edge.freeze"](TRAEFIK)
    assert set(Store(SaltCache(opts)).frozen("default")) == {TRAEFIK}
    assert runner["haproxy_edge.thaw"]()["retcode"] == 0
    assert Store(SaltCache(opts)).frozen("default") == {}


def test_a_bad_limit_is_answered_in_words(runner):
    told = runner["haproxy_edge.history"](limit="abc")
    assert (told["retcode"], told["changes"], "limit=abc" in told["problems"][0]) == (1, [], True)


@pytest.mark.parametrize("function", ["plan", "traefik_values"])
def test_without_an_edge_it_points_to_the_doctor(runner, function):
    told = runner[f"haproxy_edge.{function}"]()
    assert (told["retcode"], "haproxy_edge.doctor" in told["problems"][0]) == (1, True)


def test_a_fleet_that_cannot_be_told_is_not_called_an_empty_one(runner, opts):
    accepted, grains = Path(opts["pki_dir"]) / "minions", Path(opts["cachedir"]) / "grains"
    for folder in (accepted, grains):
        folder.mkdir(parents=True)
    (accepted / "web1").write_text("-----BEGIN PUBLIC KEY-----\n")
    (grains / "web1.p").write_bytes(b"\xc1 not msgpack")

    for function in ("plan", "resync"):
        told = runner[f"haproxy_edge.{function}"]()
        assert (told["retcode"], "cannot be told" in told["problems"][0]) == (1, True)
    findings = runner["haproxy_edge.doctor"]()["findings"]
    assert ["cannot be told" in one["found"] for one in findings if one["check"] == "target"] == [True]


def test_the_doctor_of_a_master_that_was_never_started_names_all_that_is_missing(runner):
    told = runner["haproxy_edge.doctor"]()
    wrong = {finding["check"] for finding in told["findings"] if finding["state"] == "wrong"}
    assert {"ext-pillar", "reactor", "states", "engine-running", "api-reachable", "target"} <= wrong
    assert told["retcode"] == 1


def test_a_store_that_cannot_be_read_is_one_line_and_no_traceback(runner, opts):
    bank = Path(opts["cachedir"]) / "haproxy_edge/default/engine"
    bank.mkdir(parents=True)
    (bank / "report.p").write_bytes(b"\xc1 not msgpack")
    told = runner["haproxy_edge.status"]()
    assert (told["retcode"], told["problems"][0].startswith("store: ")) == (1, True)
