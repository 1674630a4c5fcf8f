"""Made reports, as the engine writes them, for what shows them; and a world in which the doctor finds nothing wrong."""

from __future__ import annotations

from dataclasses import asdict

from haproxy_edge.doctor.configuration import RELEASE_FILE, STATES
from haproxy_edge.doctor.facts import Api, Edge, Engine, Facts, Path
from haproxy_edge.installed import installed

NOW = 1_764_000_000.0
SERVICE = "kube-system/traefik"
PATH = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
GENERATION = 1_763_999_000_000
SLS = {lane: f"/srv/haproxy_{lane}.sls" for lane in ("hot", "state")}


def edge_row(**more):
    return {
        "behind_since": None,
        "applied": {SERVICE: GENERATION},
        "lane": "hot",
        "reload": None,
        "problems": [],
        "state_needed": None,
        "heard_at": NOW - 5,
        "ms": 8.0,
        **more,
    }


def service_row(**more):
    row = {"generation": GENERATION, "digest": "sha256:x", "ready": 3, "draining": 0, "held": None, "held_since": None}
    return {**row, **more}


def watch_row(**more):
    row = {"path": PATH, "services": [SERVICE], "condition": "ok", "message": "following", "last_contact": NOW - 3}
    return {**row, "relists": {}, **more}


def report(*, edges=None, services=None, **more):
    return {
        "at": NOW - 2,
        "pid": 4242,
        "version": "0.1.0",
        "cluster": "default",
        "options": {"stale_after": 60, "ack_timeout": 5.0},
        "watches": [watch_row()],
        "services": {SERVICE: service_row()} if services is None else services,
        "edges": {"edge1": edge_row(), "edge2": edge_row()} if edges is None else edges,
        **more,
    }


def configuration(**more):
    return {
        "engines": [{"k8s_endpoints": {"services": [SERVICE]}}],
        "ext_pillar": [{"git": []}, {"haproxy_edge": {}}],
        "reactor": [{f"haproxy_edge/doorbell/{lane}": [path]} for lane, path in SLS.items()],
        **more,
    }


def texts(**more):
    takes = {path: f"{{% for order in salt['haproxy_edge_outbox.take']('{lane}') %}}" for lane, path in SLS.items()}
    return {**dict.fromkeys(STATES, "there"), RELEASE_FILE: 'MODULES = "abc"', **takes, **more}


def frontend(**more):
    row = {"name": "websecure", "key": "haproxy.bind", "cluster": "default", "service": SERVICE, "port": "websecure"}
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
    options = asdict(one.options) if one.options else {}
    path = Path(PATH, None, None, {SERVICE: ("web", "websecure")})
    whole = {
        "installed": one,
        "report": report(options=options, version="0.1.0"),
        "alive": True,
        "api": Api("https://192.0.2.1:6443", None, [path]),
        "fleet": ["edge1", "edge2"],
        "stored": {SERVICE: {"web": 3, "websecure": 3}},
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
