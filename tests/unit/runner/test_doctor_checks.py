"""Each check of the doctor, on made facts: nothing is wrong in a right world, and one fault is named by its check."""

from __future__ import annotations

import dataclasses

import pytest
from haproxy_edge.doctor import examine
from haproxy_edge.records import Frozen

from tests import reports
from tests.reports import NOW, TRAEFIK
from tests.unit.runner.faults import FAULTS, an_engine, bound, one_edge, reporting
from tests.unit.runner.material import configuration, engine, facts, probe, report


def test_in_a_right_world_nothing_is_wrong_and_nothing_is_left_open():
    assert {finding.state for finding in examine(facts())} == {"ok"}


def test_an_engine_that_runs_with_networks_as_they_are_configured_is_right():
    options = {"services": [TRAEFIK], "allowed_networks": {TRAEFIK: ["10.42.0.0/16"]}}
    one = engine(configuration(engines=[{"k8s_endpoints": options}]))
    (found,) = (finding for finding in examine(facts(engines=[one])) if finding.check == "engine-current")
    assert found.state == "ok"


@pytest.mark.parametrize(("since", "state"), [(2, "ok"), (6, "wrong")])
def test_an_edge_to_which_a_change_is_on_its_way_has_its_time(since, state):
    found = examine(facts(**reporting(edges={"edge1": reports.edge(behind_since=NOW - since)})))
    assert [finding.state for finding in found if finding.check == "in-step"] == [state]


def test_an_engine_that_runs_with_networks_as_configured_is_current():
    given = {"services": [TRAEFIK], "allowed_networks": {TRAEFIK: ["10.42.0.0/16", "fd00::/56"]}}
    found = examine(facts(engines=[engine(configuration(engines=[{"k8s_endpoints": given}]))]))
    assert [finding.state for finding in found if finding.check == "engine-current"] == ["ok"]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_by_its_check_with_a_way_out(name):
    changes, check, words = FAULTS[name]
    found = [finding for finding in examine(facts(**changes)) if finding.state == "wrong"]
    named = [finding for finding in found if finding.check == check and words in finding.found]
    assert named, found
    assert all(finding.mend for finding in found)


def test_a_header_that_is_believed_is_told_from_one_whose_address_does_not_show():
    def said(**more):
        found = examine(facts(**one_edge(probes=[probe(**more)])))
        return next(finding for finding in found if finding.check == "proxy-protocol")

    assert "believed," in said(shown=["::1"]).found
    assert "does not show" in said(shown=["203.0.113.9"]).found


def test_a_client_at_the_edge_s_own_address_proves_nothing():
    seen = one_edge(probes=[probe(client="192.0.2.11", shown=["192.0.2.11"])])
    found = next(finding for finding in examine(facts(**seen)) if finding.check == "proxy-protocol")
    assert (found.state, "does not show" in found.found) == ("ok", True)


def test_unreachable_pods_make_the_header_a_question_and_not_a_fault():
    failed = {"total": 1, "tried": 1, "failed": 1, "first": [{"endpoint": "a", "error": "b"}]}
    seen = one_edge(endpoints=failed, probes=[probe(verdict="refused")])
    found = next(finding for finding in examine(facts(**seen)) if finding.check == "proxy-protocol")
    assert found.state == "unknown"


def test_what_somebody_froze_is_advice():
    found = examine(facts(**an_engine(frozen={"all": Frozen(NOW - 60, "ada")})))
    held = [finding for finding in found if finding.check == "held"]
    assert [(finding.state, "ada" in finding.found) for finding in held] == [("advice", True)]


def test_what_a_rule_holds_is_advice():
    held = report(services={TRAEFIK: reports.service(held="empty", held_since=NOW)})
    found = [finding for finding in examine(facts(**reporting(services=held["services"]))) if finding.check == "held"]
    assert [finding.state for finding in found] == ["advice"]


def test_a_host_with_ipv6_and_no_bind_for_it_gets_advice():
    found = examine(facts(**bound(bind="ipv4@:443", family="ipv4")))
    assert [finding.state for finding in found if finding.check == "ipv6"] == ["advice"]


def test_the_hot_doorbell_is_not_asked_for_where_no_engine_uses_it():
    given = configuration(engines=[{"k8s_endpoints": {"services": [TRAEFIK], "lane": "state"}}])
    given["reactor"] = [entry for entry in given["reactor"] if "haproxy_edge/doorbell/state" in entry]
    found = examine(dataclasses.replace(facts(), configuration=given, engines=[engine(given)]))
    assert [finding.state for finding in found if finding.check == "reactor"] == ["ok"]


def test_a_glob_in_the_reactor_counts():
    given = configuration(reactor=[{"haproxy_edge/doorbell/*": ["/srv/haproxy_hot.sls", "/srv/haproxy_state.sls"]}])
    found = examine(facts(configuration=given))
    assert [finding.state for finding in found if finding.check == "reactor"] == ["ok", "ok"]
