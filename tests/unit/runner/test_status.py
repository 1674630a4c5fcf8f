"""Status says what the engine reported, those who are behind first, and says so when there is no report."""

from __future__ import annotations

import pytest
from haproxy_edge.status import for_people, moment, retcode, status

from tests import reports
from tests.reports import GENERATION, NOW, TRAEFIK
from tests.unit.runner.material import report


def shown(found, **options):
    return status({"default": found}, now=NOW, **options)


def test_a_fleet_in_step_is_all_right():
    rows = shown(report())
    assert retcode(rows) == 0
    assert [row["state"] for row in [*rows["services"], *rows["edges"]]] == ["ok"] * 3
    assert (rows["services"][0]["age"], rows["edges"][0]["heard"]) == (3.0, 40.0)


def test_who_is_behind_comes_first_and_longest_first():
    edges = {
        "a": reports.edge(),
        "b": reports.edge(behind_since=NOW - 10, lacks=[TRAEFIK]),
        "c": reports.edge(behind_since=NOW - 90, problems=["haproxy.bind: refused"]),
    }
    rows = shown(report(edges=edges))
    assert [row["edge"] for row in rows["edges"]] == ["c", "b", "a"]
    assert rows["edges"][0]["error"] == "haproxy.bind: refused"
    assert rows["edges"][1]["behind_in"] == [TRAEFIK]
    assert rows["services"][0]["behind"] == ["b"]
    assert retcode(rows) == 1


def test_an_edge_that_was_never_heard_says_so():
    rows = shown(report(edges={"new": reports.edge(behind_since=NOW, heard_at=None, applied={})}))
    assert (rows["edges"][0]["heard"], rows["edges"][0]["error"]) == (None, "never heard of it")


def test_an_older_number_of_the_same_content_is_not_behind():
    rows = shown(report(edges={"edge1": reports.edge(applied={TRAEFIK: GENERATION - 1})}))
    assert ([row["state"] for row in [*rows["services"], *rows["edges"]]], retcode(rows)) == (["ok", "ok"], 0)


def test_a_view_without_contact_is_stale():
    rows = shown(report(watches=[reports.watch(last_contact=NOW - 301)]))
    assert (rows["services"][0]["state"], retcode(rows)) == ("stale", 1)
    assert shown(report(watches=[reports.watch(last_contact=None)]))["services"][0]["state"] == "stale"


def test_a_frozen_service_is_held_and_that_is_no_failure():
    rows = shown(report(services={TRAEFIK: reports.service(held="frozen", held_since=NOW - 60)}))
    assert (rows["services"][0]["state"], rows["services"][0]["held_for"], retcode(rows)) == ("held", 60.0, 0)


def test_without_a_report_it_says_that_no_engine_ever_ran():
    rows = shown(None)
    assert "no engine has ever reported" in rows["problems"][0]
    assert retcode(rows) == 1


def test_an_old_report_is_shown_with_its_age_as_a_problem():
    rows = shown(report(at=NOW - 600))
    assert "10 min old" in rows["problems"][0]
    assert (len(rows["edges"]), retcode(rows)) == (2, 1)


def test_one_edge_is_shown_with_its_services_and_others_do_not_count():
    edges = {"a": reports.edge(), "b": reports.edge(behind_since=NOW - 10, lacks=[TRAEFIK])}
    rows = shown(report(edges=edges), only="a")
    assert ([row["edge"] for row in rows["edges"]], retcode(rows)) == (["a"], 0)
    assert retcode(shown(report(edges=edges), only="b")) == 1


def test_one_service_is_shown_with_its_edges():
    edges = {"a": reports.edge(), "b": reports.edge(applied={"other/one": 1})}
    rows = shown(report(edges=edges), only=TRAEFIK)
    assert ([row["service"] for row in rows["services"]], [row["edge"] for row in rows["edges"]]) == ([TRAEFIK], ["a"])


@pytest.mark.parametrize(("only", "known"), [("edge9", "edge1, edge2"), ("no/such", TRAEFIK)])
def test_a_name_nobody_has_is_answered_with_those_there_are(only, known):
    rows = shown(report(), only=only)
    assert known in rows["problems"][0]
    assert retcode(rows) == 1


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "never"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172800, "2 d")]
)
def test_ages_for_people(seconds, words):
    assert for_people(seconds) == words


def test_a_moment_is_utc():
    assert moment(0) == "1970-01-01T00:00:00Z"
