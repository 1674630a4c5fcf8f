"""What the doctor and others on the master want to know of this edge, gathered on it in one go.

Facts only: what is right and what is wrong is judged on the master, by ``haproxy_edge.doctor``. Nothing is changed, and
nothing of it needs HAProxy to be installed.
"""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from haproxy_edge_minion import listening, probing
from haproxy_edge_minion.binds import Place, places
from haproxy_edge_minion.files import Paths
from haproxy_edge_minion.pillar_snapshots import offered_by, snapshots_in
from haproxy_edge_minion.planner import Unusable
from haproxy_edge_minion.runtime import RuntimeApi, RuntimeApiError
from haproxy_edge_minion.snapshot import Server, Snapshot
from haproxy_edge_minion.spec import Frontend, Spec, SpecError, resolve
from haproxy_edge_minion.version_of_modules import MODULES

# seconds for ``haproxy -v``
_VERSION_TIMEOUT = 5.0
_VERSION = re.compile(r"HA-?Proxy version (\S+)")
# probes of one bind, all at once: leastconn gives each to another pod
_PROBES = 8
# (frontend, where to knock, number)
Door = tuple[str, tuple[str, int], int]
# endpoints that are connected to: when none answers, they take four seconds together
_TRIED = 256
# failed endpoints that are named; more of them say nothing new
_NAMED = 20


def examine(haproxy: Any, haproxy_edge: Any, *, host: str = "", paths: Paths | None = None) -> dict[str, Any]:
    """``haproxy`` and ``haproxy_edge`` are the pillars of these names as the master compiles them now."""
    paths = paths or Paths()
    spec, problems = _spec(haproxy)
    servers, refused = _servers(spec, haproxy_edge)
    everything = [server for listed in servers.values() for server in listed]
    held = _held(spec)
    return {
        "modules": MODULES,
        "haproxy": version(paths),
        "process": _process(paths),
        "pillar": {"problems": [*problems, *refused], "has_snapshots": snapshots_in(haproxy_edge) is not None},
        "frontends": [_frontend(frontend, servers[frontend.name]) for frontend in spec.frontends],
        "binds": list(_binds(spec, held)),
        "endpoints": _endpoints(everything),
        "sources": sources(everything),
        "probes": _probes(_doors(spec, servers, held), host),
        "ipv6": listening.global_ipv6(),
    }


def sources_of(haproxy: Any, haproxy_edge: Any) -> dict[str, Any]:
    """``{"sources": {address of this host: how many pods see it}, "problems": […]}``."""
    spec, problems = _spec(haproxy)
    servers, refused = _servers(spec, haproxy_edge)
    found = sources(server for listed in servers.values() for server in listed)
    return {"sources": found, "problems": [*problems, *refused]}


def sources(servers: Iterable[Server]) -> dict[str, int]:
    """The addresses of this host that connections to these pods come from, and how many pods see each."""
    found = probing.all_at_once(probing.source_towards, (server.address for server in servers))
    counted: dict[str, int] = {}
    for source in filter(None, found.values()):
        counted[source] = counted.get(source, 0) + 1
    return counted


def version(paths: Paths) -> str | None:
    """Of the installed HAProxy, for example ``2.6.12``; None when there is none."""
    try:
        said = subprocess.run(
            [str(paths.haproxy), "-v"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(said)
    return found[1].partition("-")[0] if found else None


def _spec(haproxy: Any) -> tuple[Spec, list[str]]:
    try:
        return resolve(haproxy), []
    except SpecError as error:
        return Spec.nothing(), error.problems


def _servers(spec: Spec, haproxy_edge: Any) -> tuple[dict[str, tuple[Server, ...]], list[str]]:
    """The servers of each frontend as the master offers them, and what is refused of it."""
    found: dict[str, tuple[Server, ...]] = {}
    problems = []
    offered = offered_by(haproxy_edge, spec)
    for frontend in spec.frontends:
        one = offered[frontend.cluster, frontend.service]
        found[frontend.name] = one.ports.get(frontend.port, ()) if isinstance(one, Snapshot) else ()
        if isinstance(one, Unusable) and one.refused:
            problems.append(f"{frontend.key}: {one.reason}")
    return found, problems


def _process(paths: Paths) -> dict[str, Any]:
    """Of the running HAProxy: its pid and whether the configuration is ours; ``problem`` when it cannot be asked.

    The digest alone would not do: see `Loading.has_proven`.
    """
    try:
        running = RuntimeApi(paths.socket).running()
    except RuntimeApiError as error:
        return {"pid": None, "ours": False, "problem": str(error)}
    return {"pid": running.pid, "ours": running.digest is not None and paths.good.exists(), "problem": None}


def _frontend(frontend: Frontend, servers: tuple[Server, ...]) -> dict[str, Any]:
    return {
        "name": frontend.name,
        "key": frontend.key,
        "cluster": frontend.cluster,
        "service": frontend.service,
        "port": frontend.port,
        "proxy_protocol": frontend.proxy_protocol,
        "servers": len(servers),
    }


def _held(spec: Spec) -> Mapping[int, list[str]]:
    """Who listens on the ports of this pillar."""
    return listening.holders({place.port for _, _, place in _places(spec)})


def _places(spec: Spec) -> Iterator[tuple[str, str, Place]]:
    """(pillar key, bind words, place) of everything that shall listen."""
    for _, key, binds in spec.listeners:
        yield from ((key, bind, place) for bind in binds for place in places(bind))


def _binds(spec: Spec, held: Mapping[int, list[str]]) -> Iterator[dict[str, Any]]:
    for key, bind, place in _places(spec):
        error = listening.trouble(place)
        by = held[place.port] if listening.in_use(error) else []
        problem = None if error is None or by else error.strerror or str(error)
        told = {"family": place.family, "port": place.port, "held_by": by, "problem": problem}
        yield {"key": key, "bind": bind, **told}


def _endpoints(servers: list[Server]) -> dict[str, Any]:
    places = list(dict.fromkeys((server.address, server.port) for server in servers if _new(server)))
    ways = probing.all_at_once(probing.way_to, places[:_TRIED])
    failed = [{"endpoint": f"{place[0]} port {place[1]}", "error": error} for place, error in ways.items() if error]
    return {"total": len(places), "tried": len(ways), "failed": len(failed), "first": failed[:_NAMED]}


def _new(server: Server) -> bool:
    """Whether it gets new connections; one that drains may be gone already."""
    return server.state == "ready"


def _probes(doors: Iterable[Door], host: str) -> list[dict[str, Any]]:
    answers = probing.all_at_once(lambda door: probing.probe(door[1], host), doors)
    return [
        {"frontend": name, "place": f"{place[0]} port {place[1]}", **_told(answer)}
        for (name, place, _), answer in answers.items()
    ]


def _told(answer: probing.Answer) -> dict[str, Any]:
    return {**asdict(answer), "shown": list(answer.shown)}


def _doors(spec: Spec, servers: Mapping[str, tuple[Server, ...]], held: Mapping[int, list[str]]) -> Iterator[Door]:
    """Each family of each frontend that HAProxy serves, as often as it has pods."""
    for frontend in spec.frontends:
        ready = sum(map(_new, servers[frontend.name]))
        known = [place for bind in frontend.binds if "accept-proxy" not in bind for place in places(bind)]
        served = [place for place in known if "haproxy" in held[place.port]]
        for place, number in itertools.product(served, range(min(ready, _PROBES))):
            yield frontend.name, (place.loopback, place.port), number
