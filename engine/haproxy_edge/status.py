"""What the engine reports, as rows for people and programs: who is behind comes first.

Pure, and it computes nothing the report does not say but ages: runner, metrics and status page show one truth. A report
that is missing or old is said in words, because everything in it may have changed since. It must never call one right.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

# seconds: the engine writes its report at least every 30
OLD_AFTER = 75.0


def status(
    reports: Mapping[str, Mapping[str, Any] | None], *, now: float, only: str | None = None
) -> dict[str, list[Any]]:
    """Rows of ``{cluster: report}``; ``only`` is an edge or a service ``namespace/name``. Ages are seconds."""
    engines = [_engine(cluster, report, now) for cluster, report in reports.items()]
    everything = {cluster: report for cluster, report in reports.items() if report}
    # of one edge, what the others lack is not its affair
    known = {cluster: _narrowed(report, only) for cluster, report in everything.items()}
    services = [row for cluster, report in known.items() for row in _services(cluster, report, now)]
    edges = [row for cluster, report in known.items() for row in _edges(cluster, report, now)]
    problems = [row["problem"] for row in engines if row["problem"]]
    if only is not None:
        services = [row for row in services if row["service"] == only or only in row["edges"]]
        edges = [row for row in edges if row["edge"] == only or only in row["applied"]]
        if not services and not edges:
            problems.append(_unknown(only, everything))
    return {
        "problems": problems,
        "engines": engines,
        "services": [_without(row, "edges") for row in sorted(services, key=_first_the_bad)],
        "edges": sorted(edges, key=_first_the_bad),
    }


def retcode(rows: Mapping[str, list[Any]]) -> int:
    """1 when something is behind, stale or not known."""
    bad = any(row["state"] in ("behind", "stale") for kind in ("services", "edges") for row in rows[kind])
    return int(bool(rows["problems"]) or bad)


def _narrowed(report: Mapping[str, Any], only: str | None) -> Mapping[str, Any]:
    edges = report.get("edges") or {}
    return {**report, "edges": {only: edges[only]}} if only in edges else report


def _engine(cluster: str, report: Mapping[str, Any] | None, now: float) -> dict[str, Any]:
    age = None if report is None else _age(report.get("at"), now)
    return {
        "cluster": cluster,
        "problem": _engine_problem(cluster, age),
        "age": age,
        "pid": report.get("pid") if report else None,
        "version": report.get("version") if report else None,
        "watches": [_watch(watch, now) for watch in report.get("watches", ())] if report else [],
    }


def _engine_problem(cluster: str, age: float | None) -> str | None:
    if age is None:
        return (
            f"cluster {cluster}: no engine has ever reported: is k8s_endpoints in the master's 'engines', and was the "
            "master restarted since? salt-run haproxy_edge.doctor tells more"
        )
    if age > OLD_AFTER:
        return (
            f"cluster {cluster}: the engine's last report is {for_people(age)} old, so all of this may have changed: "
            "is the master running? salt-run haproxy_edge.doctor tells more"
        )
    return None


def _watch(watch: Mapping[str, Any], now: float) -> dict[str, Any]:
    return {
        "path": watch.get("path"),
        "services": list(watch.get("services", ())),
        "condition": watch.get("condition"),
        "message": watch.get("message"),
        "age": _age(watch.get("last_contact"), now),
        "relists": dict(watch.get("relists") or {}),
    }


def _services(cluster: str, report: Mapping[str, Any], now: float) -> Iterable[dict[str, Any]]:
    contact = {
        service: watch.get("last_contact") for watch in report.get("watches", ()) for service in watch["services"]
    }
    stale_after, edges = float(report["options"]["stale_after"]), report.get("edges") or {}
    for service, row in (report.get("services") or {}).items():
        confirmed = serving(report, service)
        behind = sorted(edge for edge, told in edges.items() if service in (told.get("lacks") or ()))
        age = _age(contact.get(service), now)
        held_for = _age(row.get("held_since"), now)
        yield {
            "cluster": cluster,
            "service": service,
            "state": _service_state(row, age=age, stale_after=stale_after, behind=behind),
            "generation": row["generation"],
            "digest": row["digest"],
            "ready": row["ready"],
            "draining": row["draining"],
            "age": age,
            "held": row.get("held"),
            "held_for": held_for,
            "behind": behind,
            "served_by": len(confirmed),
            "edges": confirmed,
        }


def _service_state(row: Mapping[str, Any], *, age: float | None, stale_after: float, behind: list[str]) -> str:
    if age is None or age > stale_after:
        return "stale"
    if row.get("held"):
        return "held"
    return "behind" if behind else "ok"


def serving(report: Mapping[str, Any], service: str) -> set[str]:
    """The edges that confirmed to serve it; nobody when that is not known."""
    edges = (report.get("edges") or {}).items()
    return {edge for edge, told in edges if service in (told.get("applied") or {})}


def _edges(cluster: str, report: Mapping[str, Any], now: float) -> Iterable[dict[str, Any]]:
    for edge, row in (report.get("edges") or {}).items():
        reload = row.get("reload") or None
        yield {
            "cluster": cluster,
            "edge": edge,
            "state": "ok" if row.get("behind_since") is None else "behind",
            "behind_for": _age(row.get("behind_since"), now),
            "behind_in": sorted(row.get("lacks") or ()),
            "applied": dict(row.get("applied") or {}),
            "lane": row.get("lane"),
            "reload": reload and {"ago": _age(reload.get("at"), now), "reason": reload.get("reason")},
            "error": _error(row),
            "heard": _age(row.get("heard_at"), now),
            "ms": row.get("ms"),
        }


def _error(row: Mapping[str, Any]) -> str | None:
    if row.get("problems"):
        return "; ".join(map(str, row["problems"]))
    if row.get("state_needed"):
        return f"needs the state lane: {row['state_needed']}"
    return "never heard of it" if row.get("heard_at") is None else None


def _first_the_bad(row: Mapping[str, Any]) -> tuple[int, float, str]:
    order = {"behind": 0, "stale": 1, "held": 2}
    return order.get(row["state"], 3), -(row.get("behind_for") or 0.0), str(row.get("service") or row.get("edge"))


def _unknown(only: str, reports: Mapping[str, Mapping[str, Any]]) -> str:
    kind = "services" if "/" in only else "edges"
    known = sorted({name for report in reports.values() for name in report.get(kind) or {}})
    return f"{only}: no such {kind[:-1]}; known are {', '.join(known) or 'none'}"


def _age(since: Any, now: float) -> float | None:
    return None if since is None else round(max(0.0, now - float(since)), 1)


def _without(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


def for_people(seconds: float | None) -> str:
    """``12 s``, ``4 min``, ``3 h``, ``2 d``."""
    if seconds is None:
        return "never"
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def moment(at: float) -> str:
    """A wall time in UTC, for example ``2026-02-01T12:30:05Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
