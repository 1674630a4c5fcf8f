"""An HAProxy edge: its configuration from pillar and Kubernetes snapshots, and what it serves.

Thin: what Salt knows goes in, mappings come out, and ``haproxy_edge_minion`` decides. A failure an edge foresees is a
line of ``problems``, never an exception: the master would hear nothing of it.

:depends: the state modules of salt-haproxy-edge, synced by ``state.apply haproxy`` itself
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def _forget_old_package() -> None:
    """Before an upgrade the minion's process imported the package, and each of its jobs begins as a copy of it."""
    version = sys.modules.get("haproxy_edge_minion.version_of_modules")
    if version is not None and f'"{version.MODULES}"' not in Path(str(version.__file__)).read_text():
        for name in [one for one in sys.modules if one.partition(".")[0] == "haproxy_edge_minion"]:
            del sys.modules[name]


_forget_old_package()

import haproxy_edge_minion.version_of_modules  # noqa: F401  (what the next job compares)
import salt.utils.templates
from haproxy_edge_minion import returns
from haproxy_edge_minion.applied import recorded
from haproxy_edge_minion.cleaning import clean as take_back
from haproxy_edge_minion.cleaning import footprint
from haproxy_edge_minion.edge import NOTHING_YET, Edge, Prepared
from haproxy_edge_minion.files import Paths, locked, read, replace
from haproxy_edge_minion.last_told import LastTold, minion_process
from haproxy_edge_minion.outcome import EdgeError
from haproxy_edge_minion.process import Process
from haproxy_edge_minion.runtime import RuntimeApi
from haproxy_edge_minion.schedule import FILE as DROP_IN
from haproxy_edge_minion.schedule import NAME as SCHEDULED
from haproxy_edge_minion.schedule import drop_in, job
from haproxy_edge_minion.service import SystemService
from haproxy_edge_minion.spec import Spec
from salt.exceptions import CommandExecutionError, SaltRenderError
from salt.utils.network import remote_port_tcp

TEMPLATE = "salt://haproxy/files/haproxy.cfg.jinja"


def configure(template: str = TEMPLATE, test: bool = False) -> dict[str, Any]:
    """
    Write the configuration file from pillar and snapshots, checked by HAProxy first.

    Gives ``changed`` (whether the file is, or with ``test`` would be, another), ``diff``, ``problems`` (one line each;
    what they concern stays as it is) and ``discouraged`` (pillar keys that work but should not be used).

    CLI Example::

        salt edge1 haproxy_edge.configure test=True
    """
    edge = _edge()
    if test:
        return _configured(edge, template, test=True)
    with locked(edge.paths.state):
        return _configured(edge, template, test=False)


def _configured(edge: Edge, template: str, *, test: bool) -> dict[str, Any]:
    return returns.configured(edge, lambda: _prepare(edge, template), key=_key_given(), test=test)


def serve(test: bool = False, template: str = TEMPLATE) -> dict[str, Any]:
    """
    Have the configuration file served: enabled, started, adjusted by runtime commands or reloaded, and proven by the
    process's own answer.

    Gives ``action`` (``start``, ``reload``, ``adjust``, ``enable`` or None), ``reason``, ``found`` (each difference it
    met) and ``problems``; what differs afterwards is a problem. With ``test``, what would be done once the
    configuration is as `configure` would write it.

    CLI Example::

        salt edge1 haproxy_edge.serve
    """
    edge = _edge()
    if test:
        return returns.served(edge, lambda: edge.foresee(_prepare(edge, template).applied)[0])
    with locked(edge.paths.state):
        done = returns.served(edge, edge.serve)
        done["problems"] = done["problems"] or edge.verify()
        # `configure` has told people what stands in the way, and its problems go into no acknowledgement
        problems = [*edge.standing, *done["problems"]]
        return {**done, "ack": _returned(edge, "state", done=done["reason"] or "", problems=problems)}


def sync(payload: Any) -> dict[str, Any]:
    """
    Serve the snapshots in ``payload`` by runtime commands: no template, no reload, no state lock, and of the pillar
    only the key it signs with.

    Called by the reactor's hot lane with one string: JSON ``{"order": id, "snapshots": [snapshot, …]}``, or ``zlib:``
    and base64 of that. Gives the signed acknowledgement; see `ack`.

    CLI Example::

        salt edge1 haproxy_edge.sync '{"order": "by-hand", "snapshots": []}'
    """
    edge = _edge()
    order, offered, problems = returns.offered(payload)
    edge.stats.watch.lap("check")
    # up to the acknowledgement: one that overtook another would tell the master what is no longer so
    with locked(edge.paths.state):
        edge.stats.watch.lap("lock")
        told = {"problems": problems} if problems else returns.synced(edge, offered)
        return _returned(edge, "hot", order=order, **told)


def ack() -> dict[str, Any]:
    """
    What this edge serves now, signed with its own key: generation and digest per service.

    Every lane ends in one. Beside ``serves`` it tells what the run did: ``servers`` (how many were ``added``,
    ``changed``, ``drained``, ``removed``), ``reload`` (why HAProxy was reloaded, or null), ``steps_ms`` and ``ms``
    (milliseconds per step and in all), ``problems``, ``state_needed`` (why only the state lane can help, or null),
    ``haproxy`` (the version that answered, or empty), and ``sequence``, a number that only grows.

    Empty when the master has given this edge no key.

    CLI Example::

        salt edge1 haproxy_edge.ack
    """
    edge = _edge()
    with locked(edge.paths.state):
        differences = edge.verify()
        return _returned(edge, "edge", problems=[*edge.standing, *differences])


def verify() -> dict[str, Any]:
    """
    Compare running servers, configuration file and saved snapshots; nothing is changed.

    Gives ``parity`` and ``differences``, each by name. ``salt-call`` ends with 1 when there are any.

    CLI Example::

        salt edge1 haproxy_edge.verify
    """
    edge = _edge()
    with locked(edge.paths.state, make=False):
        differences = edge.verify()
    __context__["retcode"] = int(bool(differences))
    return {"parity": not differences, "differences": differences}


def reconcile() -> dict[str, Any]:
    """
    Bring this edge to the snapshots it has saved, with no master: delete what has drained, cut sessions that are
    overdue, mend servers and file, start HAProxy when it is enabled and does not run.

    The edge's schedule calls it. Gives ``action``, ``reason``, ``found`` (each difference it met), ``problems``, and
    ``told``: whether the master was told, which it is when there is news, and first after a start of the minion.

    CLI Example::

        salt-call --local haproxy_edge.reconcile
    """
    edge = _edge()
    with locked(edge.paths.state, make=False) as is_there:
        if not is_there:
            return {**returns.step_taken(None), "found": [], "problems": [NOTHING_YET], "told": False}
        done, needed = returns.reconciled(edge)
        ack = _acknowledged(edge, "edge", done=done["reason"] or "", problems=done["problems"], state_needed=needed)
    return {**done, "told": _tell(edge, ack, did_something=done["action"] is not None)}


def _tell(edge: Edge, ack: dict[str, Any], *, did_something: bool) -> bool:
    """As an event, for nobody waits for a return."""
    told = _last_told(edge)
    if not ack or __opts__.get("file_client") == "local" or not (did_something or told.is_news(ack)):
        return False
    tag = f"haproxy_edge/ack/{__grains__['id']}"
    return told.tell(ack, connected=_connected, send=lambda: bool(__salt__["event.send"](tag, {"ack": ack})))


def _connected() -> bool:
    return bool(remote_port_tcp(__opts__.get("publish_port", 4505)))


def _last_told(edge: Edge) -> LastTold:
    return LastTold(edge.paths.told, _minion())


def _minion() -> str:
    return minion_process(Path(__opts__.get("pidfile") or "/var/run/salt-minion.pid"))


def schedule(test: bool = False) -> dict[str, Any]:
    """
    Have the minion call `reconcile` by itself: every ``reconcile_interval`` seconds (pillar), and when it starts,
    whether or not its master is there.

    Gives ``changed`` and ``problems``. The running minion is told, and the next one reads a drop-in of its
    configuration.

    CLI Example::

        salt edge1 haproxy_edge.schedule
    """
    record = recorded(Paths())
    interval = (record.spec if record else Spec.nothing()).reconcile_interval
    if read(_drop_in()) == drop_in(interval):
        return {"changed": False, "problems": []}
    try:
        if not test:
            # whoever finds the file takes it that the running minion knows
            _schedule_now(interval)
            replace(_drop_in(), drop_in(interval), mode=0o644)
    except (EdgeError, OSError) as error:
        return {"changed": False, "problems": [f"schedule: {error}"]}
    return {"changed": True, "problems": []}


def _schedule_now(interval: int) -> None:
    if _minion():
        _unschedule()
        added = __salt__["schedule.add"](SCHEDULED, persist=False, **job(interval))
        if not added["result"]:
            raise EdgeError(added["comment"])


def _unschedule() -> None:
    if _minion() and SCHEDULED in __salt__["schedule.list"](show_all=True, return_yaml=False):
        # kept, it would leave a file with all schedules of this minion, the site's, too
        __salt__["schedule.delete"](SCHEDULED, persist=False)


def _drop_in() -> Path:
    return Path(__opts__["conf_file"]).parent / "minion.d" / DROP_IN


def _acknowledged(edge: Edge, lane: str, **told: Any) -> dict[str, Any]:
    return returns.acknowledged(edge, __grains__["id"], lane, key_given=_key_given(), **told)


def _key_given() -> Any:
    return (__pillar__.get("haproxy_edge") or {}).get("ack_key")


def _returned(edge: Edge, lane: str, **told: Any) -> dict[str, Any]:
    """An acknowledgement that a job's return brings to the master."""
    ack = _acknowledged(edge, lane, **told)
    if ack:
        _last_told(edge).remember(ack)
    return ack


def plan(template: str = TEMPLATE) -> dict[str, Any]:
    """
    What ``state.apply haproxy`` would do now, with the pillar as the master compiles it now; nothing is changed.

    Gives ``changed`` and ``diff`` (the file), ``action`` and ``reason`` as `serve` does, ``commands`` (to the running
    process), ``problems`` and ``discouraged``. ``salt-run haproxy_edge.plan`` asks all edges.

    CLI Example::

        salt edge1 haproxy_edge.plan
    """
    edge = _edge()
    return returns.planned(edge, lambda: _prepare(edge, template, _compiled_pillar()))


def render(template: str = TEMPLATE) -> dict[str, Any]:
    """
    The whole configuration as `plan` would write it: ``text``, and ``problems``.

    CLI Example::

        salt edge1 haproxy_edge.render
    """
    return returns.rendered(lambda: _prepare(_edge(), template, _compiled_pillar()))


def examine(host: str = "") -> dict[str, Any]:
    """
    Facts of this edge for ``salt-run haproxy_edge.doctor``, which judges them: versions, binds, the way to each pod,
    probes through the edge. Changes nothing; connects to pods and to this edge's own frontends.

    ``host`` is the name a web server behind the edge is asked for.

    CLI Example::

        salt edge1 haproxy_edge.examine host=whoami.example.com
    """
    # not above: every job of the hot lane would read it, and none needs it
    from haproxy_edge_minion import examination

    pillar = _compiled_pillar()
    found = examination.examine(pillar.get("haproxy"), pillar.get("haproxy_edge"), host=host)
    return {**found, "salt": __grains__["saltversion"], "state_queue": __opts__.get("state_queue")}


def sources() -> dict[str, Any]:
    """
    The addresses that pods see connections of this edge come from, as the routes are now: those Traefik has to trust.

    Gives ``sources`` (address to number of pods) and ``problems``.

    CLI Example::

        salt edge1 haproxy_edge.sources
    """
    from haproxy_edge_minion import examination

    pillar = _compiled_pillar()
    return examination.sources_of(pillar.get("haproxy"), pillar.get("haproxy_edge"))


def clean(test: bool = False) -> dict[str, Any]:
    """
    Take back what `configure` wrote: the configuration found at first apply returns, our own files go.

    Gives ``removed`` and ``restored`` (paths), and ``problems``: what was not done then is done by the next call.

    CLI Example::

        salt edge1 haproxy_edge.clean test=True
    """
    paths = Paths()
    removed, restored = footprint(paths)
    removed += [path for path in (_drop_in(),) if path.exists()]
    try:
        if removed and not test:
            _take_back(paths)
    except OSError as error:
        return {"removed": [], "restored": [], "problems": [str(error)]}
    return {"removed": [str(path) for path in removed], "restored": [str(path) for path in restored], "problems": []}


def _take_back(paths: Paths) -> None:
    _drop_in().unlink(missing_ok=True)
    _unschedule()
    # not while a reconcile puts back what is taken away here
    with locked(paths.state):
        take_back(paths, restorecon=_restorecon)


def _compiled_pillar() -> dict[str, Any]:
    """As the master compiles it now; the one at hand may be older than what the next state run gets."""
    # Salt 3008 masks what is not asked for in the clear; older ones pass the word over
    return dict(__salt__["pillar.items"](unmask=True))


def _prepare(edge: Edge, template: str, pillar: dict[str, Any] | None = None) -> Prepared:
    known = __pillar__ if pillar is None else pillar
    return edge.prepare(known.get("haproxy"), known.get("haproxy_edge"), lambda spec: _render(template, spec, known))


def _render(template: str, spec: Spec, pillar: Any) -> str:
    path = __salt__["cp.cache_file"](template)
    if not path:
        raise EdgeError(f"{template}: not found in the master's file_roots")
    try:
        rendered = salt.utils.templates.JINJA(
            path, to_str=True, spec=spec, salt=__salt__, grains=__grains__, pillar=pillar, opts=__opts__, saltenv="base"
        )
    except SaltRenderError as error:
        raise EdgeError(f"{template}: {error}") from error
    if not rendered["result"]:
        raise EdgeError(f"{template}: {rendered['data']}")
    return str(rendered["data"])


def _edge() -> Edge:
    paths = Paths()
    service = SystemService(__salt__, refusals=CommandExecutionError)
    return Edge(paths, Process(service, RuntimeApi(paths.socket)), restorecon=_restorecon)


def _restorecon(path: Path) -> None:
    if Path("/sys/fs/selinux/enforce").exists() and "file.restorecon" in __salt__:
        __salt__["file.restorecon"](str(path))
