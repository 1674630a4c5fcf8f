"""Which orders of the state lane a resync asked for by a person means.

Pure. They are the same orders the engine issues, taken and published by the same reactor.
A name that nobody knows must never become an order for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from haproxy_edge.installed import Installed, followed
from haproxy_edge.status import serving


def orders_for(
    only: str | None,
    engines: Iterable[Installed],
    fleets: Mapping[str, Iterable[str]],
    reports: Mapping[str, Mapping[str, Any] | None],
) -> tuple[list[dict[str, Any]], list[str]]:
    """(arguments for `Outbox.put`, problems). ``only``: an edge, a service ``namespace/name``, or None for all."""
    usable = [one for one in engines if one.options]
    if not usable:
        return [], ["no engine k8s_endpoints with valid options is configured: salt-run haproxy_edge.doctor"]
    found = [order for one in usable if (order := _order(only, one, fleets, reports)) is not None]
    known = sorted({name for fleet in fleets.values() for name in fleet})
    names = followed(usable) if only and "/" in only else known
    return found, [] if found else [f"{only or 'all'}: nothing to order; known are {', '.join(names) or 'none'}"]


def _order(
    only: str | None,
    engine: Installed,
    fleets: Mapping[str, Iterable[str]],
    reports: Mapping[str, Mapping[str, Any] | None],
) -> dict[str, Any] | None:
    options, fleet = engine.options, sorted(fleets.get(engine.cluster, ()))
    if options is None or not fleet:
        return None
    whole = {"tgt": options.target, "tgt_type": options.target_type}
    if only is None:
        place = whole
    elif "/" in only:
        if only not in options.services:
            return None
        confirmed = serving(reports.get(engine.cluster) or {}, only)
        names = [name for name in fleet if name in confirmed]
        place = {"tgt": ",".join(names), "tgt_type": "list"} if names else whole
    elif only in fleet:
        place = {"tgt": only, "tgt_type": "list"}
    else:
        return None
    services = (only,) if only and "/" in only else options.services
    return {**place, "services": services, "cluster": engine.cluster}
