"""One edge, from pillar to a serving HAProxy: prepare, write, serve.

Every step can be killed and the next run rolls forward, because each compares what is with what should be and nothing
is remembered in memory. The configuration file is never replaced by one that HAProxy has not accepted.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haproxy_edge_minion import snapshot
from haproxy_edge_minion.diagnosis import explain
from haproxy_edge_minion.files import Applied, Paths, read, replace
from haproxy_edge_minion.planner import Given, Target, Unusable, reload_reason, target
from haproxy_edge_minion.process import EdgeError, Process
from haproxy_edge_minion.renderer import SkeletonError, fill, seal
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


@dataclass(frozen=True)
class Step:
    """Something done, or to do, to the service: ``start``, ``reload`` or ``enable``, and why."""

    action: str
    reason: str


class Edge:
    """One host. ``restorecon`` sets a file's SELinux context where that is on."""

    def __init__(self, paths: Paths, process: Process, *, restorecon: Callable[[Path], None]) -> None:
        self.paths = paths
        self._process = process
        self._restorecon = restorecon

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
        wanted: Target = target(spec, _given(spec, given), before.servers if before else {})
        applied = Applied(digest, wanted.servers)
        return Prepared(spec, applied, fill(skeleton, spec, wanted.servers), wanted.problems)

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
        running = self._process.running()
        if running is None and not self._process.service.running():
            return Step("start", "it does not run")
        reason = reload_reason(applied.skeleton, applied.servers, running)
        if reason:
            return Step("reload", reason)
        return None if self._process.service.enabled() else Step("enable", "it would not start with the host")

    def serve(self, spec: Spec | None) -> Step | None:
        """Have the file served: enabled, started or reloaded, and proven; what was done.

        Raises `EdgeError` when it did not take. After a failed reload the last good file is back and the old worker
        serves on. ``spec`` only helps to name the pillar key at fault.
        """
        applied = Applied.load(self.paths.applied)
        step = self.next_step(applied)
        assert applied is not None
        if not self._process.service.enabled():
            self._process.service.enable()
        if step and step.action != "enable":
            self._act(step, applied, spec)
        text = read(self.paths.config)
        if read(self.paths.good) != text:
            replace(self.paths.good, text, mode=0o600)
        return step

    def _act(self, step: Step, applied: Applied, spec: Spec | None) -> None:
        failure = (self._process.start if step.action == "start" else self._process.reload)(applied)
        if failure is None:
            return
        problems = explain(failure, read(self.paths.config), spec or Spec.nothing())
        kept = self._back_to_good() if step.action == "reload" else "nothing served before"
        raise EdgeError("\n".join([*problems, f"haproxy: the {step.action} did not take ({step.reason}); {kept}"]))

    def _back_to_good(self) -> str:
        if not self.paths.good.exists():
            return "the old worker keeps serving"
        self._put(read(self.paths.good))
        try:
            # brings HAProxy's master process out of its wait mode
            self._process.service.reload()
        except EdgeError as error:
            return f"the last good configuration is back, the old worker keeps serving, but: {error}"
        return "the last good configuration is back and keeps serving"

    def _put(self, text: str) -> None:
        replace(self.paths.config, text, mode=0o644)
        self._restorecon(self.paths.config)


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
    text = (pillar["snapshots"].get(cluster) or {}).get(service, UNKNOWN)
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
