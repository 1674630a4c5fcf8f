"""The engine's word about itself: one mapping from which runner, metrics and status page are made.

Pure. It is the only place that computes status; whoever shows it must not know more than stands here. The shape is a
contract: what a key means may not change, new ones may come.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

from haproxy_edge import __version__
from haproxy_edge.history import Convergence
from haproxy_edge.holding import Held
from haproxy_edge.options import Options
from haproxy_edge.records import of_cluster
from haproxy_edge.reflector import Condition, Freshness, Watch
from haproxy_edge.snapshot import Snapshot
from haproxy_edge.tracker import Edge

# what stands in the reason of a reload, and the class it is counted under: labels have to be few
RELOAD_CLASSES = {
    "frontends, settings or server flags": "configuration",
    "the running configuration is not ours": "not-ours",
    "nothing here tells that what runs": "not-ours",
    "the runtime socket": "socket",
    "HAProxy answered": "refused-command",
    "after the runtime commands": "no-effect",
    "runs with another address": "changed-by-hand",
}


@dataclass
class Counters:
    """What this process has counted since it began."""

    changes: Counter[str] = field(default_factory=Counter)
    doorbells: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    published: Counter[str] = field(default_factory=Counter)
    forged: Counter[str] = field(default_factory=Counter)
    reloads: Counter[str] = field(default_factory=Counter)

    def reloaded(self, reason: str) -> None:
        """One reload more."""
        self.reloads[next((name for text, name in RELOAD_CLASSES.items() if text in reason), "other")] += 1

    def as_row(self) -> dict[str, dict[str, int]]:
        """By kind of count, then by what it is counted for."""
        return {name: dict(sorted(getattr(self, name).items())) for name in self.__dataclass_fields__}


Watched = tuple[Watch, Freshness, Condition | None]


def build(
    options: Options,
    *,
    wall: float,
    cycled_at: float,
    watches: Iterable[Watched],
    services: Mapping[str, tuple[Snapshot | None, Held | None, Iterable[str]]],
    edges: Mapping[str, Edge],
    counters: Counters,
    convergence: Convergence,
) -> dict[str, Any]:
    """All of it; plain values only, fit for the store and for JSON.

    ``cycled_at``: when the engine last did all that was due and nothing failed.
    """
    by_name = sorted(watches, key=lambda watched: watched[0].name)
    return {
        "at": wall,
        "cycled_at": cycled_at,
        "pid": os.getpid(),
        "version": __version__,
        "cluster": options.cluster,
        "options": options_row(options),
        "watches": [watch_row(*watch, wall=wall) for watch in by_name],
        "services": {service: service_row(*known) for service, known in services.items()},
        "edges": {name: edge_row(edge, options.cluster) for name, edge in edges.items()},
        "counters": counters.as_row(),
        "convergence": convergence_row(convergence),
    }


@lru_cache(maxsize=1)
def options_row(options: Options) -> dict[str, Any]:
    """As the store gives them back: lists, no tuples."""
    networks = {service: list(allowed) for service, allowed in options.allowed_networks.items()}
    return {**asdict(options), "services": list(options.services), "allowed_networks": networks}


def watch_row(watch: Watch, freshness: Freshness, condition: Condition | None, *, wall: float) -> dict[str, Any]:
    """One watch: how it is, and when the API last answered it."""
    heard = freshness.last_contact is not None
    return {
        "path": watch.name,
        "services": list(watch.services),
        "condition": condition.name if condition else "starting",
        "message": condition.message if condition else "the API has not answered yet",
        "last_contact": wall - freshness.age() if heard else None,
        "relists": dict(sorted(freshness.relists.items())),
    }


def service_row(snapshot: Snapshot | None, held: Held | None, refused: Iterable[str]) -> dict[str, Any]:
    """One service, as the store has it; generation 0: it was never seen. ``refused``: endpoints left out, and why."""
    return {
        "generation": snapshot.generation if snapshot else 0,
        "digest": snapshot.digest if snapshot else "",
        "ready": snapshot.count("ready") if snapshot else 0,
        "draining": snapshot.count("draining") if snapshot else 0,
        "held": held.reason if held else None,
        "held_since": held.since if held else None,
        "refused": list(refused),
    }


def edge_row(edge: Edge, cluster: str) -> dict[str, Any]:
    """One edge of the fleet; ``heard_at`` None: it never confirmed anything. ``lacks``: services whose content it has
    not confirmed, whatever their number is."""
    record = edge.record
    serves = record.serves if record else {}
    return {
        "behind_since": edge.behind_since,
        "applied": {service: generation for service, (generation, _) in of_cluster(serves, cluster).items()},
        "lacks": edge.lacks_of(cluster),
        "lane": record.lane if record else None,
        "reload": asdict(record.reload) if record and record.reload else None,
        "problems": list(record.problems) if record else [],
        "state_needed": record.state_needed if record else None,
        "heard_at": record.heard_at if record else None,
        "ms": record.ms if record else 0.0,
    }


def convergence_row(convergence: Convergence) -> dict[str, Any]:
    """Seconds from a change until its last edge confirmed it; counts are not cumulative."""
    # not asdict: it copies number by number, with each cycle
    return {**vars(convergence), "bounds": list(convergence.bounds), "counts": list(convergence.counts)}


def unchanged(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether only time has passed."""
    return _timeless(before) == _timeless(after)


def _timeless(report: Mapping[str, Any]) -> dict[str, Any]:
    watches = [{key: value for key, value in watch.items() if key != "last_contact"} for watch in report["watches"]]
    return {**report, "at": 0.0, "cycled_at": 0.0, "watches": watches}
