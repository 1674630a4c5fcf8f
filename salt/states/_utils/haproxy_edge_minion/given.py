"""What the master gave this host in its pillar: a checked snapshot per service, or why there is none.

Pure, but for what is saved here already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from haproxy_edge_minion import snapshot
from haproxy_edge_minion.planner import Given, Unusable
from haproxy_edge_minion.saved import Saved
from haproxy_edge_minion.snapshot import Snapshot, SnapshotError
from haproxy_edge_minion.spec import Spec

UNKNOWN = "unknown"


def newest(given: Given, saved: Saved) -> Given:
    """A state run that waited in Salt's queue may bring an older snapshot than a sync brought meanwhile."""
    return {key: saved.newest(found) if isinstance(found, Snapshot) else found for key, found in given.items()}


def given(spec: Spec, pillar: Any) -> Given:
    """What the ext_pillar gave for each (cluster, service) of the spec, checked."""
    found: dict[tuple[str, str], Snapshot | Unusable] = {}
    for frontend in spec.frontends:
        key = (frontend.cluster, frontend.service)
        # several frontends may name one service, and its check is what takes time
        if key not in found:
            found[key] = _one_given(pillar, *key)
    return found


def _one_given(pillar: Any, cluster: str, service: str) -> Snapshot | Unusable:
    snapshots = pillar.get("snapshots") if isinstance(pillar, Mapping) else None
    if not isinstance(snapshots, Mapping):
        return Unusable("pillar haproxy_edge is missing: is ext_pillar haproxy_edge configured on the master?")
    of_cluster = snapshots.get(cluster)
    text = of_cluster.get(service, UNKNOWN) if isinstance(of_cluster, Mapping) else UNKNOWN
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
