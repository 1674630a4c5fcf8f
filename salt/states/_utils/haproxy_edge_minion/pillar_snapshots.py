"""The snapshots that the master offers this host in its pillar: one per service, checked, or why there is none.

Pure, but for what is saved here already. It must never take a snapshot for another service than it was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from haproxy_edge_minion import snapshot
from haproxy_edge_minion.planner import Offered, Unusable
from haproxy_edge_minion.saved_snapshots import SavedSnapshots
from haproxy_edge_minion.snapshot import Snapshot, SnapshotError
from haproxy_edge_minion.spec import Spec

# what the ext_pillar says where it does not know
_UNKNOWN = "unknown"


def newest(offered: Offered, saved: SavedSnapshots) -> Offered:
    """A state run that waited in Salt's queue may bring an older snapshot than a sync brought meanwhile."""
    return {key: saved.newest(found) if isinstance(found, Snapshot) else found for key, found in offered.items()}


def offered_by(pillar: Any, spec: Spec) -> Offered:
    """What the pillar ``haproxy_edge`` holds for each (cluster, service) of the spec, checked."""
    found: dict[tuple[str, str], Snapshot | Unusable] = {}
    for frontend in spec.frontends:
        key = (frontend.cluster, frontend.service)
        # several frontends may name one service, and its check is what takes time
        if key not in found:
            found[key] = _one_offered(pillar, *key)
    return found


def snapshots_in(pillar: Any) -> Mapping[str, Any] | None:
    """By cluster; None when the ext_pillar gave nothing at all."""
    snapshots = pillar.get("snapshots") if isinstance(pillar, Mapping) else None
    return snapshots if isinstance(snapshots, Mapping) else None


def _one_offered(pillar: Any, cluster: str, service: str) -> Snapshot | Unusable:
    snapshots = snapshots_in(pillar)
    if snapshots is None:
        return Unusable("pillar haproxy_edge is missing: is ext_pillar haproxy_edge configured on the master?")
    of_cluster = snapshots.get(cluster)
    text = of_cluster.get(service, _UNKNOWN) if isinstance(of_cluster, Mapping) else _UNKNOWN
    if text == _UNKNOWN:
        return Unusable(
            f"unknown to the master: is it in 'services' of engine k8s_endpoints (cluster {cluster}), and does the "
            "master's log say that it is followed?"
        )
    try:
        checked = snapshot.check(text)
    except SnapshotError as error:
        return Unusable(f"the master's snapshot is refused: {error}", refused=True)
    if (checked.cluster, checked.service) != (cluster, service):
        return Unusable(f"the master gave a snapshot of {checked.cluster} {checked.service}", refused=True)
    return checked
