"""See, question and hold the fleet of HAProxy edges, from the master.

Every function returns one mapping: ``retcode`` (also salt-run's exit status), ``function``, ``outputter``, ``problems``
(lines that say what is missing and what to do) and what its own text says. ``docs/operations.md`` documents the JSON of
``--out=json``; keys only ever come, so programs may rely on them.

Nothing is changed but by `resync`, `freeze` and `thaw`; a store or a master that fails is a line, never a traceback.
"""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from haproxy_edge import freezing, traefik
from haproxy_edge.changes import limit_problems, newest_first
from haproxy_edge.installed import Installed, clusters, installed
from haproxy_edge.options import Options
from haproxy_edge.outbox import Outbox
from haproxy_edge.questions import Answers, ask
from haproxy_edge.resync import orders_for
from haproxy_edge.salt_adapter import Bus, Fleet, Keys, MasterFiles, Minions, PublishError, SaltCache
from haproxy_edge.status import retcode
from haproxy_edge.status import status as _status
from haproxy_edge.store import Store, StoreError


def status(only: str | None = None, cluster: str | None = None) -> dict[str, Any]:
    """
    Who serves what: services and edges, those behind or stale first. ``retcode`` 1 when there is one.

    ``only``: one service ``namespace/name`` or one edge. Gives ``engines``, ``services`` and ``edges``, rows with ages
    in seconds, as the engine last reported.

    CLI Example:

    .. code-block:: bash

        salt-run haproxy_edge.status
        salt-run haproxy_edge.status edge1
        salt-run haproxy_edge.status kube-system/traefik --out=json
    """

    def rows() -> dict[str, Any]:
        reports = {name: _store().report(name) for name in _clusters(cluster)}
        found = _status(reports, now=time.time(), only=only)
        return {**found, "retcode": retcode(found)}

    return _told("status", rows, services=[], edges=[], engines=[])


def history(service: str | None = None, cluster: str | None = None, limit: int = 50) -> dict[str, Any]:
    """
    The last changes, newest first: when, which servers were added, drained and removed, and how many seconds it took to
    the first and to the last edge. The engine keeps the last 200.

    CLI Example:

    .. code-block:: bash

        salt-run haproxy_edge.history
        salt-run haproxy_edge.history kube-system/traefik limit=5
    """

    def rows() -> dict[str, Any]:
        if problems := limit_problems(limit):
            return {"problems": problems}
        found = {name: [vars(row) for row in _store().history(name)] for name in _clusters(cluster)}
        changes = newest_first(found, service=service, limit=limit)
        nothing = "no change is recorded; the engine writes them as they happen: salt-run haproxy_edge.doctor"
        return {"changes": changes, "problems": [] if changes else [nothing]}

    return _told("history", rows, changes=[])


def plan(edge: str | None = None) -> dict[str, Any]:
    """
    What the next ``state.apply haproxy`` would change on each edge: the file as a diff, and what HAProxy would be told.
    Nothing is changed. ``retcode`` 1 when an edge does not answer or has a problem.

    Gives ``edges``: by name ``changed``, ``diff``, ``action``, ``reason``, ``commands``, ``problems``, ``discouraged``.

    CLI Example:

    .. code-block:: bash

        salt-run haproxy_edge.plan
        salt-run haproxy_edge.plan edge1
    """

    def rows() -> dict[str, Any]:
        answers = _ask(edge, "haproxy_edge.plan")
        wrong = bool(answers.problems) or any(one.get("problems") for one in answers.given.values())
        return {"edges": answers.given, "problems": answers.problems, "retcode": int(wrong)}

    return _told("plan", rows, edges={})


def render(edge: str) -> dict[str, Any]:
    """
    The whole configuration of one edge as the next ``state.apply haproxy`` would write it, in ``text``.

    CLI Example:

    .. code-block:: bash

        salt-run haproxy_edge.render edge1
    """

    def rows() -> dict[str, Any]:
        answers = _ask(edge, "haproxy_edge.render")
        given = answers.given.get(edge, {"text": "", "problems": []})
        problems = [*answers.problems, *(f"{edge}: {problem}" for problem in given["problems"])]
        return {"text": given["text"], "problems": problems}

    return _told("render", rows, text="", edge=edge)


def resync(only: str | None = None) -> dict[str, Any]:
    """
    Order ``state.apply haproxy`` for one edge, for the edges that serve one service, or for all, as the engine does for
    an edge that is behind. Needs no running engine.

    CLI Example:

    .. code-block:: bash

        salt-run haproxy_edge.resync
        salt-run haproxy_edge.resync edge1
        salt-run haproxy_edge.resync kube-system/traefik
    """

    def rows() -> dict[str, Any]:
        engines = [one for one in installed(_opts()) if one.options]
        fleets = {one.cluster: _known_fleet(one.options) for one in engines if one.options}
        reports = {one.cluster: _store().report(one.cluster) for one in engines}
        wanted, problems = orders_for(only, engines, fleets, reports)
        outbox = Outbox(_cache())
        for order in wanted:
            outbox.put("state", now=time.time(), **order)
        if wanted and not _ring():
            problems.append("the doorbell did not ring: is the master running? The orders go out with the next one")
        return {"said": [f"ordered for {order['tgt']}" for order in wanted], "problems": problems}

    return _told("resync", rows, said=[])


def freeze(service: str | None = None, cluster: str | None = None) -> dict[str, Any]:
    """
    Hold a service, or all, as it is: changes in the cluster stay away from the edges until `thaw`. Survives restarts;
    `status` and the metrics show it.

    CLI Example:

    .. code-block:: bash

        salt-run haproxy_edge.freeze
        salt-run haproxy_edge.freeze kube-system/traefik
    """

    def rows() -> dict[str, Any]:
        return freezing.freeze(
            _store(), _engines(cluster), service, by=os.environ.get("SUDO_USER") or getpass.getuser(), now=time.time()
        )

    return _told("freeze", rows, said=[])


def thaw(service: str | None = None, cluster: str | None = None) -> dict[str, Any]:
    """
    Let a frozen service, or everything that is frozen, follow the cluster again; what is newest then goes out at once.

    CLI Example:

    .. code-block:: bash

        salt-run haproxy_edge.thaw
        salt-run haproxy_edge.thaw kube-system/traefik
    """
    return _told("thaw", lambda: freezing.thaw(_store(), _engines(cluster), service), said=[])


def doctor(host: str = "") -> dict[str, Any]:
    """
    Look at the whole chain from the API to the pods and say for each step what is right, what is wrong and how to mend
    it. Nothing is changed. ``retcode`` 1 when something is wrong.

    ``host`` is a name that a web server behind the edges is asked for; one that shows its client's address (such as
    traefik/whoami) proves that Traefik believes the PROXY header. Gives ``findings``, each ``check``, ``subject``,
    ``state`` (``ok``, ``wrong``, ``advice``, ``unknown``), ``found`` and ``mend``, and ``seconds``.

    CLI Example:

    .. code-block:: bash

        salt-run haproxy_edge.doctor
        salt-run haproxy_edge.doctor host=whoami.example.com
    """

    def rows() -> dict[str, Any]:
        # here, because the other functions have no use for it and should not wait for it
        from haproxy_edge.doctor import examine
        from haproxy_edge.doctor.gathering import Gatherer

        began = time.monotonic()
        opts = _opts()
        gatherer = Gatherer(opts, _store(), Minions(opts), Keys(opts), MasterFiles(opts), _fleet)
        findings = [vars(finding) for finding in examine(gatherer.facts(host=host, now=time.time()))]
        wrong = any(finding["state"] == "wrong" for finding in findings)
        return {"findings": findings, "seconds": round(time.monotonic() - began, 1), "retcode": int(wrong)}

    return _told("doctor", rows, findings=[], seconds=0.0)


def traefik_values(edge: str | None = None) -> dict[str, Any]:
    """
    The HelmChartConfig that lets Traefik on k3s believe the PROXY header of the edges and of nobody else: its
    ``trustedIPs`` are the addresses pods see the edges come from, asked from the edges. Gives ``values`` (YAML),
    ``trusted_ips`` and ``sources`` by edge. ``retcode`` 1 when an edge is missing in it.

    CLI Example:

    .. code-block:: bash

        salt-run haproxy_edge.traefik_values
    """

    def rows() -> dict[str, Any]:
        answers = _ask(edge, "haproxy_edge.sources")
        sources, problems = traefik.sources_told(answers.given)
        networks = traefik.trusted(sources)
        values = traefik.helm_chart_config(networks) if networks else ""
        return {
            "values": values,
            "trusted_ips": networks,
            "sources": sources,
            "problems": [*answers.problems, *problems],
        }

    return _told("traefik_values", rows, values="", trusted_ips=[], sources={})


def _told(function: str, rows: Callable[[], dict[str, Any]], **empty: Any) -> dict[str, Any]:
    """What ``rows`` gives, in the shape all functions share; an error is a line, not a traceback."""
    try:
        found = rows()
    except (StoreError, PublishError) as error:
        found = {"problems": [str(error)], "retcode": 1}
    told = {"function": function, "outputter": "haproxy_edge", "problems": [], **empty, **found}
    return {"retcode": int(bool(told["problems"])), **told}


def _ask(edge: str | None, function: str, **arguments: Any) -> Answers:
    known = sorted({name for one in _engines(None) if one.options for name in _known_fleet(one.options)})
    if not known:
        return Answers({}, ["the target of the engine matches no accepted minion: salt-run haproxy_edge.doctor"])
    names = [name for name in known if edge in (None, name)]
    if not names:
        return Answers({}, [f"{edge}: no such edge; known are {', '.join(known)}"])
    return ask(Minions(_opts()), names, function, **arguments)


def _engines(cluster: str | None) -> list[Installed]:
    return [one for one in installed(_opts()) if cluster in (None, one.cluster)]


def _clusters(cluster: str | None) -> Iterable[str]:
    return [cluster] if cluster else clusters(_opts())


def _ring() -> bool:
    bus = Bus(_opts())
    try:
        return bus.ring("state")
    finally:
        bus.close()


def _fleet(options: Options) -> list[str] | None:
    return Fleet(_opts(), options.target, options.target_type)()


def _known_fleet(options: Options) -> list[str]:
    fleet = _fleet(options)
    if fleet is None:
        # Salt has logged which row of which minion cannot be read
        raise PublishError(f"which minions {options.target!r} matches cannot be told: salt-run haproxy_edge.doctor")
    return fleet


def _opts() -> dict[str, Any]:
    """The master's configuration; Salt's loader puts it into this module."""
    return __opts__  # type: ignore[name-defined,no-any-return]


def _store() -> Store:
    return Store(_cache())


def _cache() -> SaltCache:
    return SaltCache(_opts())
