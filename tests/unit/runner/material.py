"""A world in which the doctor finds nothing wrong, and reports of its engine; what is said differs from it."""

from __future__ import annotations

from haproxy_edge.doctor.configuration import STATES, VERSION_FILE
from haproxy_edge.doctor.facts import Api, Edge, Engine, Facts, Path
from haproxy_edge.installed import installed
from haproxy_edge.report import options_row

from tests import reports
from tests.reports import NOW, SLICES, TRAEFIK

PATH = SLICES.format("kube-system")
SLS = {lane: f"/srv/haproxy_{lane}.sls" for lane in ("hot", "state")}


def report(**more):
    """Of an engine with one service and one watch."""
    watches, services = [reports.watch(relists={})], {TRAEFIK: reports.service()}
    return reports.report(**{"watches": watches, "services": services, **more})


def change(at, **more):
    """A row of the history that nobody has confirmed."""
    return reports.change(**{"generation": int(at * 1000), "at": at, "added": [], "edges": {}, **more})


def configuration(**more):
    return {
        "engines": [{"k8s_endpoints": {"services": [TRAEFIK]}}],
        "ext_pillar": [{"git": []}, {"haproxy_edge": {}}],
        "reactor": [{f"haproxy_edge/doorbell/{lane}": [path]} for lane, path in SLS.items()],
        **more,
    }


def texts(**more):
    takes = {path: f"{{% for order in salt['haproxy_edge_outbox.take']('{lane}') %}}" for lane, path in SLS.items()}
    return {**dict.fromkeys(STATES, "there"), VERSION_FILE: 'MODULES = "abc"', **takes, **more}


def frontend(**more):
    row = {"name": "websecure", "key": "haproxy.bind", "cluster": "default", "service": TRAEFIK, "port": "websecure"}
    return {**row, "proxy_protocol": "v2", "servers": 3, **more}


def bind(**more):
    row = {"key": "haproxy.bind", "bind": "ipv6@:443", "family": "ipv6", "port": 443, "held_by": ["haproxy"]}
    return {**row, "problem": None, **more}


def probe(**more):
    row = {"frontend": "websecure", "place": "::1 port 443", "verdict": "accepted", "words": "it answers over TLS"}
    return {**row, "client": "::1", "shown": [], **more}


def examination(**more):
    return {
        "modules": "abc",
        "salt": "3008.1",
        "state_queue": False,
        "haproxy": "2.6.12",
        "process": {"pid": 7, "ours": True, "problem": None},
        "pillar": {"problems": [], "has_snapshots": True},
        "frontends": [frontend()],
        "binds": [bind()],
        "endpoints": {"total": 3, "tried": 3, "failed": 0, "first": []},
        "sources": {"192.0.2.11": 3},
        "probes": [probe()],
        "ipv6": ["2001:db8::11"],
        **more,
    }


def engine(configured=None, **more):
    (one,) = installed(configured or configuration())
    options = options_row(one.options) if one.options else {}
    path = Path(PATH, None, None, {TRAEFIK: ("web", "websecure")})
    whole = {
        "installed": one,
        "report": report(options=options),
        "alive": True,
        "api": Api("https://192.0.2.1:6443", None, [path]),
        "fleet": ["edge1", "edge2"],
        "stored": {TRAEFIK: {"web": 3, "websecure": 3}},
    }
    return Engine(**{**whole, **more})


def facts(**more):
    """Everything is right; ``more`` is what is not."""
    whole = {
        "now": NOW,
        "version": "0.1.0",
        "configuration": configuration(),
        "texts": texts(),
        "keys": {"accepted": ["edge1", "edge2"], "pending": [], "denied": [], "rejected": []},
        "engines": [engine()],
        "edges": [Edge("edge1", True, examination()), Edge("edge2", True, examination())],
        "known_edges": ["edge1", "edge2"],
    }
    return Facts(**{**whole, **more})
