"""The last changes for people and programs: when, what, and how long until the edges had it. Newest first.

Pure. Rows come from the store's history, which is bounded; what it does not know is left open, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from haproxy_edge.status import moment


def newest_first(
    histories: Mapping[str, Iterable[Mapping[str, Any]]], *, service: str | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Of ``{cluster: rows}``; of one service when it is given. ``first`` and ``last`` are seconds."""
    rows = [_row(cluster, row) for cluster, listed in histories.items() for row in listed]
    chosen = [row for row in rows if service in (None, row["service"])]
    return sorted(chosen, key=lambda row: row["generation"], reverse=True)[:limit]


def limit_problems(limit: Any) -> list[str]:
    """What is wrong with a limit that somebody typed."""
    if type(limit) is int and limit > 0:
        return []
    return [f"limit={limit}: not a number of changes, from 1 on; for example limit=5"]


def _row(cluster: str, row: Mapping[str, Any]) -> dict[str, Any]:
    took = {str(edge): float(seconds) for edge, seconds in (row.get("edges") or {}).items()}
    ordered = sorted(took, key=lambda edge: took[edge])
    return {
        "cluster": cluster,
        "service": row["service"],
        "at": moment(row["at"]),
        "generation": row["generation"],
        "ready": row["ready"],
        "draining": row["draining"],
        "added": list(row.get("added") or ()),
        "drained": list(row.get("drained") or ()),
        "removed": list(row.get("removed") or ()),
        "edges": len(took),
        "waiting": list(row.get("waiting") or ()),
        "first": took[ordered[0]] if ordered else None,
        "last": took[ordered[-1]] if ordered else None,
        "last_edge": ordered[-1] if ordered else None,
    }
