"""One edge, from pillar and snapshots to a serving HAProxy: prepare, write, serve; sync; reconcile; verify.

Every step can be killed and the next run rolls forward, because each compares what is with what should be and nothing
is remembered in memory. The configuration file is never replaced by one that HAProxy has not accepted.
"""

from __future__ import annotations

import dataclasses
import re
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haproxy_edge_minion import parity, sequence
from haproxy_edge_minion.applied import Applied, recorded
from haproxy_edge_minion.config_file import EDITED, ConfigFile
from haproxy_edge_minion.files import Paths, read, replace
from haproxy_edge_minion.leaving import Leaving
from haproxy_edge_minion.loading import NEVER_PROVEN, Loading
from haproxy_edge_minion.outcome import NOT_ENABLED, EdgeError, Reconciled, StateNeeded, Step, Synced
from haproxy_edge_minion.pillar_snapshots import newest, offered_by
from haproxy_edge_minion.planner import Plan, Servers, Target, Unusable, target
from haproxy_edge_minion.process import Process
from haproxy_edge_minion.renderer import SkeletonError, seal
from haproxy_edge_minion.run_stats import RunStats, Stopwatch
from haproxy_edge_minion.running import Running
from haproxy_edge_minion.saved_snapshots import SavedSnapshots
from haproxy_edge_minion.snapshot import Snapshot
from haproxy_edge_minion.spec import Spec, SpecError, resolve

NOTHING_YET = "there is no configuration of ours yet"


@dataclass(frozen=True)
class Prepared:
    """What the file shall be, and what stood in the way of single frontends."""

    applied: Applied
    problems: tuple[str, ...]
    snapshots: tuple[Snapshot, ...] = ()


class Edge:
    """One run on one host, under its lock.

    ``restorecon`` sets a file's SELinux context where that is on; ``uptime`` is seconds since boot, ``wall`` since
    1970. ``found`` is what a run met and mends; ``standing`` is what stands in the way of single frontends, which it
    cannot mend.
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
        self.paths = paths
        self.stats = RunStats(Stopwatch())
        self.config = ConfigFile(paths, restorecon)
        self.found: tuple[str, ...] = ()
        self.standing: tuple[str, ...] = ()
        self._process = process
        self._uptime = uptime
        self._wall = wall
        self._saved = SavedSnapshots(paths.snapshots)
        self._loading = Loading(paths, process, self.config, self.stats)
        self._known: Applied | None = None

    def prepare(self, haproxy: Any, haproxy_edge: Any, render: Callable[[Spec], str]) -> Prepared:
        """The pillars ``haproxy`` and ``haproxy_edge`` as a configuration. Raises `EdgeError` with every problem."""
        try:
            spec = resolve(haproxy)
            skeleton, digest = seal(render(spec), spec, socket=self.paths.socket)
        except SpecError as error:
            raise EdgeError(str(error)) from error
        except SkeletonError as error:
            raise EdgeError(f"haproxy.cfg.jinja: {error}") from error
        before = self._record()
        offered = newest(offered_by(haproxy_edge, spec), self._saved)
        wanted: Target = target(spec, offered, before.servers if before else self._saved_servers(spec))
        applied = Applied(digest, wanted.servers, skeleton, haproxy)
        snapshots = tuple(found for found in offered.values() if isinstance(found, Snapshot))
        return Prepared(applied, wanted.problems, snapshots)

    def keep(self, prepared: Prepared) -> None:
        """Remember the snapshots, so that nothing older is ever taken after them."""
        for found in prepared.snapshots:
            self._saved.keep(found)

    def differs(self, prepared: Prepared) -> bool:
        """Whether `write` would change anything."""
        return self._is_behind(prepared.applied)

    def check(self, prepared: Prepared) -> None:
        """Have HAProxy judge the text. Raises `EdgeError` with its words; without a binary there is no judge yet."""
        self.config.check(prepared.applied.text, prepared.applied.spec)

    def write(self, prepared: Prepared) -> None:
        """Put the checked configuration in place; a hand-written one found there is kept as a backup."""
        if not self.paths.haproxy.exists():
            raise EdgeError(f"{self.paths.haproxy}: HAProxy is not installed; nothing was written")
        self.check(prepared)
        before = self.config.text()
        if prepared.problems and self._record() is None and _serves(before):
            raise EdgeError(
                f"{self.paths.config}: a configuration that we have no record of serves there and stays until all is "
                "known"
            )
        if before and not self.paths.applied.exists() and not self.paths.backup.exists():
            # as it was: it may hold passwords
            replace(self.paths.backup, before, mode=stat.S_IMODE(self.paths.config.stat().st_mode))
        self._put(prepared.applied)

    def foresee(self, applied: Applied) -> tuple[Step | None, tuple[str, ...]]:
        """What would have to happen for ``applied`` to be served (None: nothing), and the runtime commands for it."""
        _, way, running = self._look(applied, edited=self.config.edited or self.config.is_by_hand())
        self.found = tuple(parity.of_process(applied.digest, applied.servers, running))
        step = self._next_step(way) or (None if self._process.service.enabled() else NOT_ENABLED)
        return step, tuple(command.text for command in way.changes) if step and step.action == "adjust" else ()

    def serve(self) -> Step | None:
        """Have the file served: enabled, started, adjusted by commands or reloaded, and proven; what was done.

        Raises `EdgeError` when it did not take. After a failed reload or start the last good file is back and serves.
        `found` then names what differed.
        """
        before = self._record()
        if before is None:
            raise EdgeError(f"{self.paths.config}: {NOTHING_YET}; what runs is left alone")
        wanted = self._wanted(before)
        enabled = self._process.service.enabled()
        if not enabled:
            self._process.service.enable()
        step = self._bring(before, wanted)
        return step if step or enabled else NOT_ENABLED

    def sync(self, offered: Sequence[Snapshot]) -> Synced:
        """Serve these snapshots by runtime commands alone; traffic moves before the file is written.

        Needs neither pillar nor master. Raises `StateNeeded` when only the state lane can help; what is offered is
        saved by then, so it will use it.
        """
        kept = [self._saved.keep(found) for found in offered]
        refused = tuple(found.service for found, here in zip(offered, kept, strict=True) if here is not found)
        self.stats.watch.lap("save")
        before = self._record()
        if before is None:
            raise StateNeeded(NOTHING_YET)
        wanted, problems = _with_snapshots(before, kept)
        self.stats.watch.lap("load")
        leaving, way, running = self._look(wanted, edited=False)
        failure = way.reload_reason or self._adjust(wanted, way, leaving)
        if failure:
            raise StateNeeded(failure)
        self._write_checked(wanted)
        self._outlast_reload(wanted, running)
        self._loading.remember(wanted)
        if self.config.edited:
            raise StateNeeded(EDITED)
        return Synced(str(way.counts) if way.changes else "", problems, refused)

    def reconcile(self) -> Reconciled:
        """Bring file and process to the saved snapshots, with no master: what was edited, killed or left over.

        Starts HAProxy when it is enabled and does not run; one that was stopped and disabled is left alone. Raises
        `StateNeeded` when there is nothing to go by.
        """
        before = self._record()
        if before is None:
            raise StateNeeded(NOTHING_YET)
        wanted = self._wanted(before)
        service = self._process.service
        if not service.running() and not service.enabled():
            return Reconciled(None, (), (*self.standing, "haproxy: stopped and disabled, so left alone"))
        return Reconciled(self._bring(before, wanted), self.found, self.standing)

    def verify(self) -> list[str]:
        """Each difference between running servers, file and saved snapshots; empty is parity."""
        applied = self._record()
        if applied is None:
            return [f"{self.paths.config}: {NOTHING_YET}"]
        wanted = self._wanted(applied)
        running = parity.of_process(wanted.digest, wanted.servers, self._process.running())
        edited = [EDITED] if self.config.edited else []
        return [*self._differences(applied, wanted), *edited, *running]

    def serves(self) -> dict[str, dict[str, Any]]:
        """Generation and digest of every service in the configuration, for the acknowledgement."""
        applied = self._record()
        named = {(frontend.cluster, frontend.service) for frontend in applied.spec.frontends} if applied else ()
        found = {f"{cluster} {service}": self._saved.version(cluster, service) for cluster, service in sorted(named)}
        return {key: version._asdict() for key, version in found.items() if version}

    def account(self) -> dict[str, Any]:
        """What it serves and what this run did: its part of an acknowledgement."""
        if not self._process.version:
            self._process.running()
        return {
            "serves": self.serves(),
            "sequence": sequence.following(self.paths.sequence, now=self._wall()),
            "servers": vars(self.stats.servers),
            "reload": self.stats.reload,
            "haproxy": self._process.version,
            "steps_ms": self.stats.watch.steps_ms(),
            "ms": self.stats.watch.total_ms(),
        }

    def _record(self) -> Applied | None:
        if self._known is None:
            self._known = recorded(self.paths)
        return self._known

    def _wanted(self, before: Applied) -> Applied:
        """``before`` with the servers of all saved snapshots."""
        wanted, self.standing = _with_snapshots(before, self._saved_snapshots(before.spec))
        return wanted

    def _differences(self, recorded: Applied, wanted: Applied) -> list[str]:
        return [
            *parity.of_snapshots(wanted.servers, recorded.servers),
            *parity.of_file(recorded.text, self.config.text()),
        ]

    def _look(self, applied: Applied, *, edited: bool) -> tuple[Leaving, Plan, Running | None]:
        """The way from what runs to ``applied``, and what runs; ``edited``: it may come from a file edited by hand."""
        leaving = Leaving.load(self.paths.leaving, now=self._uptime())
        running, way = self._process.plan(applied, leaving.overdue(applied.spec.drain_timeout))
        if not way.reload_reason and (edited or not self._loading.has_proven):
            way = Plan(EDITED if edited else NEVER_PROVEN)
        self.stats.watch.lap("look")
        return leaving, way, running

    def _next_step(self, way: Plan) -> Step | None:
        if way.reload_reason and not self._process.service.running():
            return Step("start", "it does not run")
        if way.reload_reason:
            return Step("reload", way.reload_reason)
        return Step("adjust", f"servers changed: {way.counts}; no reload") if way.changes else None

    def _bring(self, before: Applied, wanted: Applied) -> Step | None:
        """From whatever is there to ``wanted`` being in the file and served; what was done."""
        differences = self._differences(before, wanted)
        self.config.set_aside()
        leaving, way, running = self._look(wanted, edited=self.config.edited)
        differing = parity.of_process(wanted.digest, wanted.servers, running) if not way.parity else ()
        self.found = (*differences, *differing)
        step = self._next_step(way)
        if step is None or step.action not in ("start", "reload"):
            failure = self._adjust(wanted, way, leaving)
            step = Step("reload", failure) if failure else step
        self._write_checked(wanted)
        if step and step.action in ("start", "reload"):
            self._load(step, wanted)
            leaving.save(())
        else:
            self._outlast_reload(wanted, running)
        self._loading.remember(wanted)
        return step or (Step("adjust", "haproxy.cfg was written again; no reload") if differences else None)

    def _load(self, step: Step, wanted: Applied) -> None:
        # what did not take leaves another record than was put there
        self._known = None
        if step.action == "start":
            self._loading.start(wanted)
        else:
            self._loading.reload(wanted, step.reason)

    def _adjust(self, applied: Applied, way: Plan, leaving: Leaving) -> str | None:
        """By runtime commands; what stood in the way of that."""
        failure = self._process.adjust(applied, way, self.stats.watch)
        if failure is None:
            self.stats.servers = way.counts
            leaving.save(way.leaving)
        return failure

    def _outlast_reload(self, wanted: Applied, before: Running | None) -> None:
        """Somebody else's reload may have read the file before it was written: its worker is brought right, too."""
        if before and self._process.outlasts_reload(before.pid):
            leaving, way, _ = self._look(wanted, edited=False)
            # with nothing to change, what this run did stays what it was
            failure = way.reload_reason or (self._adjust(wanted, way, leaving) if way.changes else None)
            if failure:
                raise StateNeeded(failure)

    def _write_checked(self, applied: Applied) -> None:
        """The file follows the process; checked all the same, because it is what a reboot begins with."""
        if self._is_behind(applied):
            try:
                self.config.check(applied.text, applied.spec)
            except EdgeError as error:
                raise StateNeeded(str(error)) from error
            finally:
                self.stats.watch.lap("judge")
            self._put(applied)
        self.stats.watch.lap("file")

    def _is_behind(self, applied: Applied) -> bool:
        """Whether file or record say anything else."""
        return self.config.text() != applied.text or read(self.paths.applied) != applied.as_json

    def _put(self, applied: Applied) -> None:
        """The record first: a kill in between leaves an older file of ours, and the next run writes this one."""
        replace(self.paths.applied, applied.as_json, mode=0o600)
        self.config.put(applied.text)
        self._known = applied

    def _saved_snapshots(self, spec: Spec) -> list[Snapshot]:
        named = {(frontend.cluster, frontend.service) for frontend in spec.frontends}
        return [found for key in sorted(named) if (found := self._saved.load(*key))]

    def _saved_servers(self, spec: Spec) -> Servers:
        """What to keep serving where neither master nor record tell."""
        return target(spec, _by_service(self._saved_snapshots(spec)), {}).servers


def _serves(text: str) -> bool:
    return re.search(r"^\s*(frontend|listen)\s", text, re.MULTILINE) is not None


def _by_service(snapshots: Iterable[Snapshot]) -> dict[tuple[str, str], Snapshot | Unusable]:
    return {(found.cluster, found.service): found for found in snapshots}


def _with_snapshots(before: Applied, snapshots: Sequence[Snapshot]) -> tuple[Applied, tuple[str, ...]]:
    """``before`` with new servers where these snapshots concern it, and what stood in the way."""
    by_service = _by_service(snapshots)
    spec = before.spec
    concerned = [frontend for frontend in spec.frontends if (frontend.cluster, frontend.service) in by_service]
    wanted = target(dataclasses.replace(spec, frontends=tuple(concerned)), by_service, before.servers)
    return dataclasses.replace(before, servers={**before.servers, **wanted.servers}), wanted.problems
