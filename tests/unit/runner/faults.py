"""What differs in a world with one fault: `FAULTS`, and how a single part of `facts` is made to differ."""

from __future__ import annotations

from haproxy_edge.doctor.facts import Api, Edge, Path

from tests import reports
from tests.reports import NOW, TRAEFIK
from tests.unit.runner.material import PATH, bind, configuration, engine, examination, frontend, probe, texts


def configured(**more):
    return {"configuration": configuration(**more)}


def bad_options():
    given = configuration(engines=[{"k8s_endpoints": {"servces": [TRAEFIK]}}])
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


# by name: (what differs, the check that finds it, words of its finding)
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
        reporting(watches=[reports.watch(condition="http-401", message="HTTP 401")]),
        "watch",
        "http-401",
    ),
    "no API": (an_engine(api=Api("", ("unreachable", "no route"))), "api-reachable", "no route"),
    "no right to list": (api(Path(PATH, "http-403: no", None, {TRAEFIK: None})), "api-rights", "http-403"),
    "no right to watch": (api(Path(PATH, None, "http-403: no", {TRAEFIK: ("web",)})), "api-rights", "http-403"),
    "no such service": (api(Path(PATH, None, None, {TRAEFIK: None})), "service", "no endpoints"),
    "nobody ready": (api(Path(PATH, None, None, {TRAEFIK: ()})), "service", "no pod is ready"),
    "target matches nobody": ({**an_engine(fleet=[]), "edges": [], "known_edges": []}, "target", "roles:haproxy-edge"),
    "target cannot be matched": (an_engine(fleet=None), "target", "cannot be told"),
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
        reporting(edges={"edge1": reports.edge(behind_since=NOW - 60, problems=["why"])}),
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
