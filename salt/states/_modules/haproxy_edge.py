"""An HAProxy edge: its configuration from pillar and Kubernetes snapshots, and what it serves.

:depends: the state modules of salt-haproxy-edge, synced by ``state.apply haproxy`` itself
"""

from __future__ import annotations

import difflib
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import salt.utils.templates
from haproxy_edge_minion.ack import signed
from haproxy_edge_minion.edge import Edge, Prepared, StateNeeded, Step
from haproxy_edge_minion.examination import examine as _examine
from haproxy_edge_minion.examination import sources_of as _sources_of
from haproxy_edge_minion.files import Paths, locked, read, replace
from haproxy_edge_minion.payload import unpack
from haproxy_edge_minion.process import EdgeError, Process
from haproxy_edge_minion.runtime import RuntimeApi
from haproxy_edge_minion.snapshot import Snapshot, SnapshotError
from haproxy_edge_minion.spec import Spec
from salt.exceptions import CommandExecutionError, SaltRenderError

TEMPLATE = "salt://haproxy/files/haproxy.cfg.jinja"
SERVICE = "haproxy"


class _SystemService:
    """HAProxy's service through Salt's service module."""

    def running(self) -> bool:
        return bool(__salt__["service.status"](SERVICE))

    def enabled(self) -> bool:
        return bool(__salt__["service.enabled"](SERVICE))

    def enable(self) -> None:
        self._act("enable")

    def start(self) -> None:
        self._act("start")

    def reload(self) -> None:
        self._act("reload")

    def journal(self, since: float) -> str:
        command = ["journalctl", "-u", SERVICE, f"--since=@{int(since)}", "-o", "cat", "--no-pager"]
        return str(__salt__["cmd.run_stdout"](command, python_shell=False, ignore_retcode=True))

    def _act(self, action: str) -> None:
        try:
            done = __salt__[f"service.{action}"](SERVICE)
        except CommandExecutionError as error:
            raise EdgeError(f"service {SERVICE}: {action}: {error}") from error
        if not done:
            raise EdgeError(f"service {SERVICE}: {action} was refused; see: systemctl status {SERVICE}")


def configure(template: str = TEMPLATE, test: bool = False) -> dict[str, Any]:
    """
    Write the configuration file from pillar and snapshots, checked by HAProxy first.

    Gives ``changed`` (whether the file is, or with ``test`` would be, another), ``diff``, ``problems`` (one line each;
    what they concern stays as it is) and ``discouraged`` (pillar keys that work but should not be used).

    CLI Example:

    .. code-block:: bash

        salt edge1 haproxy_edge.configure test=True
    """
    edge = _edge()
    if test:
        return _configured(edge, template, test=True)
    with locked(edge.paths.state):
        return _configured(edge, template, test=False)


def serve(test: bool = False, template: str = TEMPLATE) -> dict[str, Any]:
    """
    Have the configuration file served: enabled, started, adjusted by runtime commands or reloaded, and proven by the
    process's own answer.

    Gives ``action`` (``start``, ``reload``, ``adjust``, ``enable`` or None), ``reason`` and ``problems``. With
    ``test``, what would be done once the configuration is as `configure` would write it.

    CLI Example:

    .. code-block:: bash

        salt edge1 haproxy_edge.serve
    """
    edge = _edge()
    if test:
        return _served(lambda: edge.next_step(_prepare(edge, template).applied))
    with locked(edge.paths.state):
        done = _served(edge.serve)
        return {**done, "ack": _acknowledged(edge, "state", done=done["reason"] or "", problems=done["problems"])}


def _served(work: Callable[[], Step | None]) -> dict[str, Any]:
    step, problems = None, []
    try:
        step = work()
    except (EdgeError, OSError) as error:
        problems = str(error).splitlines()
    return {"action": step and step.action, "reason": step and step.reason, "problems": problems}


def sync(payload: Any) -> dict[str, Any]:
    """
    Serve the snapshots in ``payload`` by runtime commands: no pillar, no template, no reload, no state lock.

    Called by the reactor's hot lane with one string: JSON ``{"order": id, "snapshots": [snapshot, …]}``, or ``zlib:``
    and base64 of that. Gives the signed acknowledgement; see `ack`.

    CLI Example:

    .. code-block:: bash

        salt edge1 haproxy_edge.sync '{"order": "by-hand", "snapshots": []}'
    """
    edge = _edge()
    order, offered, problems = _offered(payload)
    edge.deeds.watch.lap("check")
    # up to the acknowledgement: one that overtook another would tell the master what is no longer so
    with locked(edge.paths.state):
        edge.deeds.watch.lap("lock")
        told = {"problems": problems} if problems else _synced(edge, offered)
        return _acknowledged(edge, "hot", order=order, **told)


def _offered(payload: Any) -> tuple[str, list[Snapshot], list[str]]:
    try:
        return (*unpack(payload), [])
    except SnapshotError as error:
        return "", [], str(error).splitlines()


def _synced(edge: Edge, offered: list[Snapshot]) -> dict[str, Any]:
    try:
        synced = edge.sync(offered)
    except StateNeeded as error:
        return {"state_needed": str(error)}
    except (EdgeError, OSError) as error:
        return {"problems": str(error).splitlines()}
    return {"done": synced.told, "problems": synced.problems}


def ack() -> dict[str, Any]:
    """
    What this edge serves now, signed with its own key: generation and digest per service.

    Every lane ends in one. Beside ``serves`` it tells what the run did: ``servers`` (how many were ``added``,
    ``changed``, ``drained``, ``removed``), ``reload`` (why HAProxy was reloaded, or null), ``steps_ms`` and ``ms``
    (milliseconds per step and in all), ``problems``, ``state_needed`` (why only the state lane can help, or null),
    ``haproxy`` (the version that answered, or empty), and ``sequence``, a number that only grows.

    Empty when the master has given this edge no key.

    CLI Example:

    .. code-block:: bash

        salt edge1 haproxy_edge.ack
    """
    edge = _edge()
    with locked(edge.paths.state):
        return _acknowledged(edge, "edge")


def _acknowledged(
    edge: Edge,
    lane: str,
    *,
    order: str = "",
    done: str = "",
    problems: Sequence[str] = (),
    state_needed: str | None = None,
) -> dict[str, Any]:
    key = read(edge.paths.ack_key).strip() or (__pillar__.get("haproxy_edge") or {}).get("ack_key")
    if not key:
        return {}
    told = {"order": order, "lane": lane, "done": done, "problems": list(problems), "state_needed": state_needed}
    return signed({"edge": __grains__["id"], **told, **edge.account()}, key)


def plan(template: str = TEMPLATE) -> dict[str, Any]:
    """
    What ``state.apply haproxy`` would do now, with the pillar as the master compiles it now; nothing is changed.

    Gives ``changed`` and ``diff`` (the file), ``action`` and ``reason`` as `serve` does, ``commands`` (to the running
    process), ``problems`` and ``discouraged``. ``salt-run haproxy_edge.plan`` asks all edges.

    CLI Example:

    .. code-block:: bash

        salt edge1 haproxy_edge.plan
    """
    told: dict[str, Any] = {"changed": False, "diff": "", "action": None, "reason": None, "commands": []}
    edge, problems = _edge(), []
    try:
        prepared = _prepare(edge, template, _compiled_pillar())
        problems += prepared.problems
        told["discouraged"] = list(prepared.spec.discouraged)
        if edge.differs(prepared):
            told.update(changed=True, diff=_diff(read(edge.paths.config), prepared.text))
            edge.check(prepared)
        step, commands = edge.foresee(prepared.applied)
        told.update(action=step and step.action, reason=step and step.reason, commands=list(commands))
    except (EdgeError, OSError) as error:
        problems += str(error).splitlines()
    return {"discouraged": [], **told, "problems": problems}


def render(template: str = TEMPLATE) -> dict[str, Any]:
    """
    The whole configuration as `plan` would write it: ``text``, and ``problems``.

    CLI Example:

    .. code-block:: bash

        salt edge1 haproxy_edge.render
    """
    try:
        prepared = _prepare(_edge(), template, _compiled_pillar())
    except (EdgeError, OSError) as error:
        return {"text": "", "problems": str(error).splitlines()}
    return {"text": prepared.text, "problems": list(prepared.problems)}


def examine(host: str = "") -> dict[str, Any]:
    """
    Facts of this edge for ``salt-run haproxy_edge.doctor``, which judges them: versions, binds, the way to each pod,
    probes through the edge. Changes nothing; connects to pods and to this edge's own frontends.

    ``host`` is the name a web server behind the edge is asked for.

    CLI Example:

    .. code-block:: bash

        salt edge1 haproxy_edge.examine host=whoami.example.com
    """
    pillar = _compiled_pillar()
    found = _examine(pillar.get("haproxy"), pillar.get("haproxy_edge"), host=host)
    return {**found, "salt": __grains__["saltversion"], "state_queue": __opts__.get("state_queue")}


def sources() -> dict[str, Any]:
    """
    The addresses that pods see connections of this edge come from, as the routes are now: those Traefik has to trust.

    Gives ``sources`` (address to number of pods) and ``problems``.

    CLI Example:

    .. code-block:: bash

        salt edge1 haproxy_edge.sources
    """
    pillar = _compiled_pillar()
    return _sources_of(pillar.get("haproxy"), pillar.get("haproxy_edge"))


def clean(test: bool = False) -> dict[str, Any]:
    """
    Take back what `configure` wrote: the configuration found at first apply returns, our own files go.

    Gives ``removed`` and ``restored`` (paths).

    CLI Example:

    .. code-block:: bash

        salt edge1 haproxy_edge.clean test=True
    """
    paths = Paths()
    ours = paths.applied.exists()
    restored = [str(paths.config)] if paths.backup.exists() else []
    removed = [str(path) for path in (paths.backup, paths.state) if path.exists()]
    if ours and not restored:
        removed.append(str(paths.config))
    if not test:
        _clean(paths, ours=ours)
    return {"removed": removed, "restored": restored}


def _clean(paths: Paths, *, ours: bool) -> None:
    if paths.backup.exists():
        paths.backup.replace(paths.config)
        _restorecon(paths.config)
    elif ours:
        paths.config.unlink(missing_ok=True)
    shutil.rmtree(paths.state, ignore_errors=True)


def _configured(edge: Edge, template: str, *, test: bool) -> dict[str, Any]:
    result: dict[str, Any] = {"changed": False, "diff": "", "problems": [], "discouraged": []}
    try:
        prepared = _prepare(edge, template)
        result["problems"] = list(prepared.problems)
        result["discouraged"] = list(prepared.spec.discouraged)
        if not test:
            edge.keep(prepared)
            _keep_key(edge.paths.ack_key)
        if edge.differs(prepared):
            result["diff"] = _diff(read(edge.paths.config), prepared.text)
            edge.check(prepared) if test else edge.write(prepared)
            result["changed"] = True
    except (EdgeError, OSError) as error:
        # nothing was replaced, or only by the whole new file
        return {**result, "changed": False, "diff": "", "problems": [*result["problems"], *str(error).splitlines()]}
    return result


def _keep_key(path: Path) -> None:
    key = (__pillar__.get("haproxy_edge") or {}).get("ack_key")
    if isinstance(key, str) and key != read(path):
        replace(path, key, mode=0o600)


def _compiled_pillar() -> dict[str, Any]:
    """As the master compiles it now; the one at hand may be older than what the next state run gets."""
    return dict(__salt__["pillar.items"]())


def _prepare(edge: Edge, template: str, pillar: dict[str, Any] | None = None) -> Prepared:
    known = __pillar__ if pillar is None else pillar
    return edge.prepare(known.get("haproxy"), known.get("haproxy_edge"), lambda spec: _render(template, spec, known))


def _render(template: str, spec: Spec, pillar: Any) -> str:
    path = __salt__["cp.cache_file"](template)
    if not path:
        raise EdgeError(f"{template}: not found in the master's file_roots")
    try:
        rendered = salt.utils.templates.JINJA(
            path,
            to_str=True,
            spec=spec,
            salt=__salt__,
            grains=__grains__,
            pillar=pillar,
            opts=__opts__,
            saltenv="base",
        )
    except SaltRenderError as error:
        raise EdgeError(f"{template}: {error}") from error
    if not rendered["result"]:
        raise EdgeError(f"{template}: {rendered['data']}")
    return str(rendered["data"])


def _edge() -> Edge:
    paths = Paths()
    process = Process(_SystemService(), RuntimeApi(paths.socket), clock=time.time, sleep=time.sleep)
    return Edge(paths, process, restorecon=_restorecon)


def _restorecon(path: Path) -> None:
    if Path("/sys/fs/selinux/enforce").exists() and "file.restorecon" in __salt__:
        __salt__["file.restorecon"](str(path))


def _diff(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "haproxy.cfg", "haproxy.cfg", lineterm="")
    return "\n".join(lines)
