"""Freeze and thaw: what a person holds as it is, in the store, where the engine looks before every change.

It decides nothing about edges; it writes and removes rows and says what that means.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from haproxy_edge.installed import Installed, followed
from haproxy_edge.records import Frozen
from haproxy_edge.store import ALL, Store


def freeze(store: Store, engines: Iterable[Installed], service: str | None, *, by: str, now: float) -> dict[str, Any]:
    """Of every cluster in ``engines`` that has it; ``service`` None: all of them. Raises `StoreError`."""
    chosen, problems = _chosen(list(engines), service)
    said = []
    for engine in chosen:
        held = store.frozen(engine.cluster).get(service or ALL)
        if held is None:
            store.freeze(engine.cluster, service or ALL, Frozen(now, by))
            said.append(f"cluster {engine.cluster}: {_name(service)} stays as it is on all edges until thawed")
        else:
            said.append(f"cluster {engine.cluster}: {_name(service)} was frozen already, by {held.by or 'somebody'}")
    return {"said": said, "problems": problems}


def thaw(store: Store, engines: Iterable[Installed], service: str | None) -> dict[str, Any]:
    """``service`` None: everything that is frozen. Raises `StoreError`."""
    chosen, problems = _chosen(list(engines), service)
    said = []
    for engine in chosen:
        frozen = store.frozen(engine.cluster)
        thawed = [name for name in ([service] if service else sorted(frozen)) if store.thaw(engine.cluster, name)]
        said += [f"cluster {engine.cluster}: {_name(None if name == ALL else name)} follows again" for name in thawed]
        if not thawed:
            said.append(f"cluster {engine.cluster}: {f'{service} was not' if service else 'nothing was'} frozen")
        if service and ALL in frozen:
            problems.append(
                f"cluster {engine.cluster}: all services are frozen, so {service} still is: salt-run haproxy_edge.thaw"
            )
    return {"said": said, "problems": problems}


def _chosen(engines: list[Installed], service: str | None) -> tuple[list[Installed], list[str]]:
    if not engines:
        return [], ["no engine k8s_endpoints of that cluster is configured: salt-run haproxy_edge.doctor"]
    chosen = [one for one in engines if service is None or (one.options and service in one.options.services)]
    known = ", ".join(followed(engines)) or "none"
    return chosen, [] if chosen else [f"{service}: no engine follows it; known are {known}"]


def _name(service: str | None) -> str:
    return service or "every service"
