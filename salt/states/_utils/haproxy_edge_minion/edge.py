"""One edge, from pillar to a serving HAProxy: prepare, write, serve.

Every step can be killed and the next run rolls forward, because each compares what is with what should be and nothing
is remembered in memory. The configuration file is never replaced by one that HAProxy has not accepted.
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haproxy_edge_minion import sequence, snapshot
from haproxy_edge_minion.deeds import Deeds, Stopwatch
from haproxy_edge_minion.diagnosis import explain
from haproxy_edge_minion.files import Applied, Paths, read, replace
from haproxy_edge_minion.leaving import Leaving
from haproxy_edge_minion.planner import Given, Plan, Target, Unusable, target
from haproxy_edge_minion.process import EdgeError, Process
from haproxy_edge_minion.renderer import SkeletonError, fill, seal
from haproxy_edge_minion.saved import Saved
from haproxy_edge_minion.snapshot import Snapshot, SnapshotError
from haproxy_edge_minion.spec import Spec, SpecError, resolve

UNKNOWN = "unknown"
# seconds: a check of 5,000 servers takes 0.24 s
CHECK_TIMEOUT = 30.0


@dataclass(frozen=True)
class Prepared:
    """What the file shall be, and what stood in the way of single frontends."""

    spec: Spec
    applied: Applied
    text: str
    problems: tuple[str, ...]
    snapshots: tuple[Snapshot, ...] = ()


@dataclass(frozen=True)
class Step:
    """Something done, or to do: ``start``, ``reload``, ``adjust`` (runtime commands only) or ``enable``, and why."""

    action: str
    reason: str


@dataclass(frozen=True)
class Synced:
    """What a sync did (empty: nothing was to do), and what stood in the way of single frontends.

    ``refused`` are services whose snapshot was older than what this edge has, and other.
    """

    summary: str
    problems: tuple[str, ...]
    refused: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """One line for people."""
        older = [f"refused as older than what is here: {', '.join(self.refused)}"] if self.refused else []
        return "; ".join([self.summary, *older] if self.summary else older)


class StateNeeded(EdgeError):
    """Only a run of the state can bring this edge right; the message says why."""


class Edge:
    """One run on one host.

    ``restorecon`` sets a file's SELinux context where that is on; ``uptime`` is seconds since boot, ``wall`` since
    1970.
    """

    def __init__(
        self,
        paths: Paths,
        process: Process,
        *,
        restorecon: Callable[[Path], None],
        uptime: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._wall = wall
        self.deeds = Deeds(Stopwatch())
        self._uptime = uptime
        self.paths = paths
        self._process = process
        self._restorecon = restorecon
        self._saved = Saved(paths.snapshots)

    def prepare(self, haproxy: Any, given: Any, render: Callable[[Spec], str]) -> Prepared:
        """The pillars ``haproxy`` and ``haproxy_edge`` as a configuration. Raises `EdgeError` with every problem."""
        try:
            spec = resolve(haproxy)
            skeleton, digest = seal(render(spec), spec)
        except SpecError as error:
            raise EdgeError(str(error)) from error
        except SkeletonError as error:
            raise EdgeError(f"haproxy.cfg.jinja: {error}") from error
        before = Applied.load(self.paths.applied)
        newest = _newest(_given(spec, given), self._saved)
        wanted: Target = target(spec, newest, before.servers if before else {})
        applied = Applied(digest, wanted.servers, skeleton, haproxy)
        snapshots = tuple(found for found in newest.values() if isinstance(found, Snapshot))
        return Prepared(spec, applied, fill(skeleton, spec, wanted.servers), wanted.problems, snapshots)

    def keep(self, prepared: Prepared) -> None:
        """Remember the snapshots, so that nothing older is ever taken after them."""
        for found in prepared.snapshots:
            self._saved.save(found)

    def differs(self, prepared: Prepared) -> bool:
        """Whether `write` would change anything."""
        return read(self.paths.config) != prepared.text or read(self.paths.applied) != prepared.applied.to_json()

    def check(self, prepared: Prepared) -> None:
        """Have HAProxy judge the text. Raises `EdgeError` with its words; without a binary there is no judge yet."""
        if not self.paths.haproxy.exists():
            return
        with tempfile.NamedTemporaryFile("w", dir=self.paths.config.parent, prefix=".haproxy.", suffix=".cfg") as file:
            file.write(prepared.text)
            file.flush()
            command = [str(self.paths.haproxy), "-c", "-f", file.name]
            result = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_TIMEOUT, check=False)
        # 1 is a refused configuration, 2 one without a listener: both are failures
        if result.returncode:
            problems = explain(result.stderr + result.stdout, prepared.text, prepared.spec)
            raise EdgeError("\n".join(problems or [f"haproxy -c: exit status {result.returncode}"]))

    def write(self, prepared: Prepared) -> None:
        """Put the checked configuration in place; a hand-written one found there is kept as a backup."""
        if not self.paths.haproxy.exists():
            raise EdgeError(f"{self.paths.haproxy}: HAProxy is not installed; nothing was written")
        self.check(prepared)
        before = read(self.paths.config)
        if prepared.problems and self._serves_by_hand(before):
            raise EdgeError(
                f"{self.paths.config}: a hand-written configuration serves there and stays until all is known"
            )
        if before and not self.paths.applied.exists() and not self.paths.backup.exists():
            replace(self.paths.backup, before, mode=0o644)
        replace(self.paths.applied, prepared.applied.to_json(), mode=0o600)
        self._put(prepared.text)

    def _serves_by_hand(self, text: str) -> bool:
        return not self.paths.applied.exists() and re.search(r"^\s*(frontend|listen)\s", text, re.MULTILINE) is not None

    def next_step(self, applied: Applied | None) -> Step | None:
        """What has to happen for ``applied`` to be served; None when it is."""
        if applied is None:
            raise EdgeError(f"{self.paths.config}: there is no configuration of ours yet; what runs is left alone")
        return self._next_step(self._process.plan(applied))

    def foresee(self, applied: Applied) -> tuple[Step | None, tuple[str, ...]]:
        """`next_step`, and the runtime commands it would give."""
        wanted = self._process.plan(applied)
        step = self._next_step(wanted)
        return step, tuple(order.text for order in wanted.changes) if step and step.action == "adjust" else ()

    def _next_step(self, wanted: Plan) -> Step | None:
        if wanted.reload_reason and not self._process.service.running():
            return Step("start", "it does not run")
        if wanted.reload_reason:
            return Step("reload", wanted.reload_reason)
        if wanted.changes:
            return Step("adjust", f"servers changed: {wanted.counts}; no reload")
        return None if self._process.service.enabled() else Step("enable", "it would not start with the host")

    def serve(self) -> Step | None:
        """Have the file served: enabled, started, adjusted by commands or reloaded, and proven; what was done.

        Raises `EdgeError` when it did not take. After a failed reload the last good file is back and the old worker
        serves on.
        """
        applied = Applied.load(self.paths.applied)
        self.next_step(applied) if applied is None else None
        assert applied is not None
        leaving = Leaving.load(self.paths.leaving, now=self._uptime())
        wanted = self._process.plan(applied, leaving.overdue(applied.spec.drain_timeout))
        self.deeds.watch.lap("look")
        step = self._next_step(wanted)
        if not self._process.service.enabled():
            self._process.service.enable()
        if step and step.action in ("start", "reload"):
            self._load(step, applied)
        else:
            step = self._adjust(step, applied, wanted)
            leaving.save(wanted.leaving)
        self._remember(applied)
        return step

    def sync(self, offered: Sequence[Snapshot]) -> Synced:
        """Serve these snapshots by runtime commands alone; traffic moves before the file is written.

        Needs neither pillar nor master. Raises `StateNeeded` when only the state lane can help; what is offered is
        saved by then, so it will use it.
        """
        newest = [self._saved.newest(found) for found in offered]
        for found in newest:
            self._saved.save(found)
        refused = tuple(found.service for found, kept in zip(offered, newest, strict=True) if kept is not found)
        self.deeds.watch.lap("save")
        before = Applied.load(self.paths.applied)
        if before is None:
            raise StateNeeded("there is no configuration of ours yet")
        wanted, problems = _with_snapshots(before, newest)
        leaving = Leaving.load(self.paths.leaving, now=self._uptime())
        way = self._process.plan(wanted, leaving.overdue(wanted.spec.drain_timeout))
        self.deeds.watch.lap("look")
        if way.reload_reason:
            raise StateNeeded(way.reload_reason)
        failure = self._adjust_by_commands(wanted, way)
        if failure:
            raise StateNeeded(failure)
        leaving.save(way.leaving)
        self._write_synced(wanted)
        self.deeds.watch.lap("file")
        return Synced(str(way.counts) if way.changes else "", problems, refused)

    def _write_synced(self, applied: Applied) -> None:
        """The file follows the process; checked all the same, because it is what a reboot begins with."""
        text = applied.text
        if read(self.paths.config) == text and read(self.paths.applied) == applied.to_json():
            return
        try:
            self.check(Prepared(applied.spec, applied, text, ()))
        except EdgeError as error:
            raise StateNeeded(str(error)) from error
        replace(self.paths.applied, applied.to_json(), mode=0o600)
        self._put(text)
        self._remember(applied)

    def serves(self) -> dict[str, dict[str, Any]]:
        """Generation and digest of every service in the configuration, for the acknowledgement."""
        applied = Applied.load(self.paths.applied)
        found = (
            {}
            if applied is None
            else {
                f"{frontend.cluster} {frontend.service}": self._saved.load(frontend.cluster, frontend.service)
                for frontend in applied.spec.frontends
            }
        )
        return {key: {"generation": saved.generation, "digest": saved.digest} for key, saved in found.items() if saved}

    def account(self) -> dict[str, Any]:
        """What it serves and what this run did: its part of an acknowledgement."""
        serves = self.serves()
        if not self._process.version:
            self._process.running()
        return {
            "serves": serves,
            "sequence": sequence.following(self.paths.sequence, now=self._wall()),
            "servers": vars(self.deeds.servers),
            "reload": self.deeds.reload,
            "haproxy": self._process.version,
            "steps_ms": self.deeds.watch.steps_ms(),
            "ms": self.deeds.watch.total_ms(),
        }

    def _adjust(self, step: Step | None, applied: Applied, wanted: Plan) -> Step | None:
        failure = self._adjust_by_commands(applied, wanted)
        if failure is None:
            return step
        step = Step("reload", failure)
        self._load(step, applied)
        return step

    def _adjust_by_commands(self, applied: Applied, wanted: Plan) -> str | None:
        failure = self._process.adjust(applied, wanted, self.deeds.watch)
        if failure is None:
            self.deeds.servers = wanted.counts
        return failure

    def _load(self, step: Step, applied: Applied) -> None:
        if step.action == "reload":
            self.deeds.reload = step.reason
        failure = (self._process.start if step.action == "start" else self._process.reload)(applied)
        self.deeds.watch.lap(step.action)
        if failure is None:
            return
        problems = explain(failure, read(self.paths.config), applied.spec)
        kept = self._back_to_good(applied) if step.action == "reload" else "nothing served before"
        raise EdgeError("\n".join([*problems, f"haproxy: the {step.action} did not take ({step.reason}); {kept}"]))

    def _back_to_good(self, applied: Applied) -> str:
        """The last good skeleton again, with the servers of now: a bad bind must not freeze the pods of the others."""
        good = Applied.load(self.paths.good)
        if good is None:
            return "the old worker keeps serving"
        good = _with_servers_of(good, applied)
        self._put(good.text)
        # brings HAProxy's master process out of its wait mode, too
        failure = self._process.reload(good)
        if failure is not None:
            return f"the last good configuration is back in the file, the old worker keeps serving, but: {failure}"
        return "the last good configuration is back and keeps serving"

    def _remember(self, applied: Applied) -> None:
        record = applied.to_json()
        if read(self.paths.good) != record:
            replace(self.paths.good, record, mode=0o600)

    def _put(self, text: str) -> None:
        replace(self.paths.config, text, mode=0o644)
        self._restorecon(self.paths.config)


def _with_servers_of(good: Applied, now: Applied) -> Applied:
    """``good``, each backend with the servers it has ``now`` as far as it is the same service and port."""
    ports = {frontend.name: (frontend.cluster, frontend.service, frontend.port) for frontend in now.spec.frontends}
    servers = {
        frontend.name: now.servers.get(frontend.name, ())
        for frontend in good.spec.frontends
        if ports.get(frontend.name) == (frontend.cluster, frontend.service, frontend.port)
    }
    return dataclasses.replace(good, servers={**good.servers, **servers})


def _with_snapshots(before: Applied, snapshots: Sequence[Snapshot]) -> tuple[Applied, tuple[str, ...]]:
    """``before`` with new servers where these snapshots concern it, and what stood in the way."""
    given: dict[tuple[str, str], Snapshot | Unusable] = {(found.cluster, found.service): found for found in snapshots}
    spec = before.spec
    concerned = [frontend for frontend in spec.frontends if (frontend.cluster, frontend.service) in given]
    wanted = target(dataclasses.replace(spec, frontends=tuple(concerned)), given, before.servers)
    return dataclasses.replace(before, servers={**before.servers, **wanted.servers}), wanted.problems


def _newest(given: Given, saved: Saved) -> Given:
    """A state run that waited in Salt's queue may bring an older snapshot than a sync brought meanwhile."""
    return {key: saved.newest(found) if isinstance(found, Snapshot) else found for key, found in given.items()}


def _given(spec: Spec, pillar: Any) -> Given:
    """What the ext_pillar gave for each (cluster, service) of the spec, checked."""
    found: dict[tuple[str, str], Snapshot | Unusable] = {}
    for frontend in spec.frontends:
        key = (frontend.cluster, frontend.service)
        found[key] = _one_given(pillar, *key)
    return found


def _one_given(pillar: Any, cluster: str, service: str) -> Snapshot | Unusable:
    if not isinstance(pillar, Mapping) or not isinstance(pillar.get("snapshots"), Mapping):
        return Unusable("pillar haproxy_edge is missing: is ext_pillar haproxy_edge configured on the master?")
    by_service = pillar["snapshots"].get(cluster)
    text = by_service.get(service, UNKNOWN) if isinstance(by_service, Mapping) else UNKNOWN
    if text == UNKNOWN:
        return Unusable(
            f"unknown to the master: is it in 'services' of engine k8s_endpoints (cluster {cluster}), and does the "
            "master's log say that it is followed?"
        )
    try:
        checked = snapshot.check(text)
    except SnapshotError as error:
        return Unusable(f"the master's snapshot is refused: {error}")
    if (checked.cluster, checked.service) != (cluster, service):
        return Unusable(f"the master gave a snapshot of {checked.cluster} {checked.service}")
    return checked
