"""Each check of the doctor, on made facts: nothing is wrong in a right world, and one fault is named by its check."""

from __future__ import annotations

import dataclasses

import pytest
from haproxy_edge.doctor import examine
from haproxy_edge.doctor.facts import Api, Edge, Path
from haproxy_edge.records import Frozen

from tests.unit.runner.reports import (
    NOW,
    PATH,
    SERVICE,
    bind,
    configuration,
    edge_row,
    engine,
    examination,
    facts,
    frontend,
    probe,
    report,
    service_row,
    texts,
    watch_row,
)


def configured(**more):
    return {"configuration": configuration(**more)}


def bad_options():
    given = configuration(engines=[{"k8s_endpoints": {"servces": [SERVICE]}}])
    return {"configuration": given, "engines": [engine(given, api=None)]}


def an_engine(**more):
    return {"engines": [engine(**more)]}


def reporting(**more):
    return an_engine(report={**engine().report, **more})


def api(path):
    return an_engine(api=Api("https://x", None, [path]))


def one_edge(**more):
    return {"edges": [Edge("edge1", True, examination(**more))]}


def bound(**more):
    return one_edge(binds=[bind(**more)])


FAULTS = {
    "no engine": ({"engines": [], "edges": []}, "engine-configured", "k8s_endpoints"),
    "a slip in the options": (bad_options(), "engine-options", "servces"),
    "no ext_pillar": (configured(ext_pillar=[]), "ext-pillar", "no haproxy_edge"),
    "not the last": (configured(ext_pillar=[{"haproxy_edge": {}}, {"git": []}]), "ext-pillar", "git come after"),
    "ext_pillar first": (configured(ext_pillar_first=True), "ext-pillar", "ext_pillar_first"),
    "pillar cached": (configured(pillar_cache=True), "pillar-cache", "3600 s"),
    "doorbell not mapped": (configured(reactor=[]), "reactor", "doorbell/hot"),
    "SLS gone": ({"texts": texts(**{"/srv/haproxy_hot.sls": None})}, "reactor", "/srv/haproxy_hot.sls"),
    "another SLS": ({"texts": texts(**{"/srv/haproxy_hot.sls": "x"})}, "reactor", "takes no orders"),
    "states not served": ({"texts": texts(**{"salt://haproxy/init.sls": None})}, "states", "init.sls"),
    "a key waits": ({"keys": {"accepted": ["edge1", "edge2"], "pending": ["edge9"]}}, "key", "pending"),
    "never reported": (an_engine(report=None), "engine-running", "never"),
    "report old": (reporting(at=NOW - 600), "engine-running", "10 min"),
    "process gone": (an_engine(alive=False), "engine-running", "4242 is gone"),
    "store broken": (an_engine(report=None, problem="store: fetch x"), "engine-running", "store: fetch x"),
    "old version runs": (reporting(version="0.0.9"), "engine-current", "0.0.9"),
    "other options run": (reporting(options={"lane": "state"}), "engine-current", "lane"),
    "a watch fails": (
        reporting(watches=[watch_row(condition="http-401", message="HTTP 401")]),
        "watch",
        "http-401",
    ),
    "no API": (an_engine(api=Api("", ("unreachable", "no route"))), "api-reachable", "no route"),
    "no right to list": (api(Path(PATH, "http-403: no", None, {SERVICE: None})), "api-rights", "http-403"),
    "no right to watch": (api(Path(PATH, None, "http-403: no", {SERVICE: ("web",)})), "api-rights", "http-403"),
    "no such service": (api(Path(PATH, None, None, {SERVICE: None})), "service", "no endpoints"),
    "nobody ready": (api(Path(PATH, None, None, {SERVICE: ()})), "service", "no pod is ready"),
    "target matches nobody": ({**an_engine(fleet=[]), "edges": [], "known_edges": []}, "target", "roles:haproxy-edge"),
    "an edge outside the target": (
        {"known_edges": ["edge1", "edge2", "edge3"], "keys": {"accepted": ["edge1", "edge2", "edge3"]}},
        "target",
        "no engine's target matches",
    ),
    "master down": ({"unpublished": "could not be published", "edges": []}, "answering", "published"),
    "minion down": ({"edges": [Edge("edge1", False, None)]}, "answering", "does not answer"),
    "no modules": ({"edges": [Edge("edge1", True, None, "is not there")]}, "modules", "is not there"),
    "old modules": (one_edge(modules="old"), "modules", "not those"),
    "state_queue a number": (one_edge(state_queue=2), "state-queue", "2"),
    "no HAProxy": (
        one_edge(haproxy=None, process={"pid": None, "ours": False, "problem": "x"}),
        "haproxy-version",
        "not installed",
    ),
    "old HAProxy": (one_edge(haproxy="2.2.9"), "haproxy-version", "2.2.9"),
    "bad pillar": (one_edge(pillar={"problems": ["haproxy.bind: x"], "has_snapshots": True}), "pillar", "haproxy.bind"),
    "no snapshots": (one_edge(pillar={"problems": [], "has_snapshots": False}), "pillar", "haproxy_edge is missing"),
    "service not followed": (one_edge(frontends=[frontend(service="a/b")]), "port-name", "no engine follows a/b"),
    "wrong port name": (one_edge(frontends=[frontend(port="tpc")]), "port-name", "web, websecure"),
    "port taken": (bound(held_by=["nginx"]), "bind", "nginx listens"),
    "address elsewhere": (bound(held_by=[], problem="Cannot assign"), "bind", "Cannot assign"),
    "no IPv6": (one_edge(ipv6=[]), "ipv6", "no IPv6 address"),
    "HAProxy stopped": (one_edge(process={"pid": None, "ours": False, "problem": "refused"}), "serving", "refused"),
    "not our configuration": (one_edge(process={"pid": 7, "ours": False, "problem": None}), "serving", "not a config"),
    "an edge behind": (
        reporting(edges={"edge1": edge_row(behind_since=NOW - 60, problems=["why"])}),
        "in-step",
        "why",
    ),
    "pods not reached": (
        one_edge(
            endpoints={
                "total": 3,
                "tried": 3,
                "failed": 1,
                "first": [{"endpoint": "10.42.0.7 port 1", "error": "no answer"}],
            }
        ),
        "pods",
        "10.42.0.7 port 1: no answer",
    ),
    "no route": (one_edge(sources={}), "source-address", "no route"),
    "header taken for data": (one_edge(probes=[probe(), probe(verdict="refused")]), "proxy-protocol", "1 of 2"),
    "header ignored": (one_edge(probes=[probe(shown=["192.0.2.11"])]), "proxy-protocol", "ignored"),
    "header expected": (
        one_edge(frontends=[frontend(proxy_protocol="none")], probes=[probe(verdict="closed")]),
        "proxy-protocol",
        "1 of 1",
    ),
}


def test_in_a_right_world_nothing_is_wrong_and_nothing_is_left_open():
    assert {finding.state for finding in examine(facts())} == {"ok"}


@pytest.mark.parametrize(("since", "state"), [(2, "ok"), (6, "wrong")])
def test_an_edge_to_which_a_change_is_on_its_way_has_its_time(since, state):
    found = examine(facts(**reporting(edges={"edge1": edge_row(behind_since=NOW - since)})))
    assert [finding.state for finding in found if finding.check == "in-step"] == [state]


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
    held = report(services={SERVICE: service_row(held="empty", held_since=NOW)})
    found = [finding for finding in examine(facts(**reporting(services=held["services"]))) if finding.check == "held"]
    assert [finding.state for finding in found] == ["advice"]


def test_a_host_with_ipv6_and_no_bind_for_it_gets_advice():
    found = examine(facts(**bound(bind="ipv4@:443", family="ipv4")))
    assert [finding.state for finding in found if finding.check == "ipv6"] == ["advice"]


def test_the_hot_doorbell_is_not_asked_for_where_no_engine_uses_it():
    given = configuration(engines=[{"k8s_endpoints": {"services": [SERVICE], "lane": "state"}}])
    given["reactor"] = [entry for entry in given["reactor"] if "haproxy_edge/doorbell/state" in entry]
    found = examine(dataclasses.replace(facts(), configuration=given, engines=[engine(given)]))
    assert [finding.state for finding in found if finding.check == "reactor"] == ["ok"]


def test_a_glob_in_the_reactor_counts():
    given = configuration(reactor=[{"haproxy_edge/doorbell/*": ["/srv/haproxy_hot.sls", "/srv/haproxy_state.sls"]}])
    found = examine(facts(configuration=given))
    assert [finding.state for finding in found if finding.check == "reactor"] == ["ok", "ok"]
