"""Ask everybody for what the doctor needs to know, all at once, each within its time. It never judges.

Whoever does not answer is a fact, too: it must never give up on all because of one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path as FilePath
from typing import Any, Protocol

from haproxy_edge import __version__, kube
from haproxy_edge.doctor.configuration import STATES, reactor_files
from haproxy_edge.doctor.facts import Api, Edge, Engine, Facts, Path
from haproxy_edge.installed import Installed, installed
from haproxy_edge.options import Options
from haproxy_edge.questions import Minions, failure
from haproxy_edge.reflector import Freshness, Watch, list_all, watches_for
from haproxy_edge.store import Store, StoreError
from haproxy_edge.view import View

# seconds: for a minion to answer at all, for one to examine itself, for an answer of the API
_PING, _EXAMINATION, _API = 5.0, 12.0, 5.0


class Texts(Protocol):
    """The text at a path of the master, ``salt://`` included; None where there is nothing."""

    def __call__(self, path: str) -> str | None: ...


class Gatherer:
    """``fleet`` gives the accepted minions that an engine's target matches, None when that cannot be told."""

    def __init__(
        self,
        configuration: Mapping[str, Any],
        store: Store,
        minions: Minions,
        keys: Callable[[], Mapping[str, Sequence[str]]],
        texts: Texts,
        fleet: Callable[[Options], Sequence[str] | None],
    ) -> None:
        self._configuration = configuration
        self._store = store
        self._minions = minions
        self._keys = keys
        self._texts = texts
        self._fleet = fleet

    def facts(self, *, host: str, now: float) -> Facts:
        """Everything. The API is asked while the edges examine themselves."""
        configured = installed(self._configuration)
        with ThreadPoolExecutor(max(len(configured), 1)) as pool:
            apis = [pool.submit(_api, one.options) for one in configured if one.options]
            fleets = {one.cluster: self._fleet(one.options) for one in configured if one.options}
            edges, unpublished = self._edges(sorted({name for fleet in fleets.values() for name in fleet or ()}), host)
            found = iter([api.result() for api in apis])
        engines = [self._engine(one, next(found) if one.options else None, fleets) for one in configured]
        paths = {path for _, path in reactor_files(self._configuration)} | set(STATES)
        return Facts(
            now=now,
            version=__version__,
            configuration=self._configuration,
            texts={path: self._texts(path) for path in sorted(paths)},
            keys=self._keys(),
            engines=engines,
            edges=edges,
            known_edges=self._known_edges(),
            unpublished=unpublished,
        )

    def _known_edges(self) -> Sequence[str]:
        try:
            return self._store.keyed_edges()
        except StoreError:
            # said by the engine's own finding
            return ()

    def _engine(self, one: Installed, api: Api | None, fleets: Mapping[str, Sequence[str] | None]) -> Engine:
        cluster, problem, report, frozen, stored = one.cluster, None, None, {}, {}
        try:
            report = self._store.report(cluster)
            frozen = dict(self._store.frozen(cluster))
            stored = {
                service: self._ports(cluster, service) for service in (one.options.services if one.options else ())
            }
        except StoreError as error:
            problem = str(error)
        alive = None if report is None else FilePath(f"/proc/{report.get('pid')}").exists()
        return Engine(one, report, alive, api, fleets.get(cluster, ()), frozen, stored, problem)

    def _ports(self, cluster: str, service: str) -> Mapping[str, int] | None:
        snapshot = self._store.snapshot(cluster, service)
        return None if snapshot is None else {port: len(servers) for port, servers in snapshot.ports.items()}

    def _edges(self, names: list[str], host: str) -> tuple[list[Edge], str | None]:
        if not names:
            return [], None
        try:
            answering = self._minions.ask(names, "test.ping", {}, patience=_PING)
            given = {"host": host} if host else {}
            seen = self._minions.ask(answering, "haproxy_edge.examine", given, patience=_EXAMINATION)
        except Exception as error:
            return [Edge(name, False, None) for name in names], str(error)
        return [_edge(name, name in answering, seen.get(name)) for name in names], None


def _edge(name: str, answers: bool, seen: Any) -> Edge:
    if isinstance(seen, dict):
        return Edge(name, answers, seen)
    return Edge(name, answers, None, failure(name, seen, "haproxy_edge.examine") if answers else None)


def _api(options: Options) -> Api:
    timeouts = kube.Timeouts(min(options.connect_timeout, _API), min(options.read_timeout, _API))
    host = ""
    try:
        api = kube.connect(kubeconfig=options.kubeconfig, context=options.context, timeouts=timeouts)
        host = api.host
        slices = kube.serves_endpointslices(api) if options.source == "auto" else options.source == "endpointslices"
        watches = watches_for(options.services, slices=slices)
        with ThreadPoolExecutor(len(watches)) as pool:
            return Api(host, None, list(pool.map(lambda watch: _path(api, watch), watches)))
    except kube.ApiError as error:
        return Api(host, (error.condition, str(error)))


def _path(api: kube.Api, watch: Watch) -> Path:
    view, list_error, watch_error, version = View(), None, None, ""
    there: set[str] = set()
    try:
        version, listed = list_all(api, watch, Freshness(time.monotonic))
        view.accept(watch, listed)
        there = {watch.service_of(item) for item in listed.objects}
    except kube.ApiError as error:
        list_error = f"{error.condition}: {error}"
    try:
        query = {**dict(watch.selector), "timeoutSeconds": 1, **({"resourceVersion": version} if version else {})}
        next(iter(api.watch(watch.path, query)), None)
    except kube.ApiError as error:
        watch_error = f"{error.condition}: {error}"
    return Path(watch.name, list_error, watch_error, dict(_ports_of(view, watch, there)))


def _ports_of(view: View, watch: Watch, there: set[str]) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    for service in watch.services:
        merged = view.merged(service)
        ports = sorted(port for port, servers in merged.ports.items() if servers) if merged else []
        yield service, tuple(ports) if service in there else None
