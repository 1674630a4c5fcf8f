"""Give each edge the snapshots its own frontends name, and its own acknowledgement key.

Master configuration; last in the list, and with ``ext_pillar_first: False`` (the default), or the frontends cannot be
seen::

    ext_pillar:
      - haproxy_edge: {}

It never touches the network and never raises: what it does not know it calls ``unknown``, never empty.
"""

from __future__ import annotations

import logging
from typing import Any

from haproxy_edge.frontends import services_of
from haproxy_edge.salt_adapter import SaltCache, key_mark
from haproxy_edge.store import Store, StoreError

log = logging.getLogger(__name__)

UNKNOWN = "unknown"


def ext_pillar(minion_id: str, pillar: dict[str, Any], **_options: Any) -> dict[str, Any]:
    """``{"haproxy_edge": {"snapshots": {cluster: {service: JSON text or "unknown"}}, "ack_key": hex}}``.

    Empty for a minion without frontends.
    """
    named = services_of(pillar)
    if not named:
        return {}
    store = Store(SaltCache(__opts__))  # type: ignore[name-defined]
    snapshots: dict[str, dict[str, str]] = {}
    for cluster, service in named:
        snapshots.setdefault(cluster, {})[service] = store.readable_text(cluster, service) or UNKNOWN
    return {"haproxy_edge": {"snapshots": snapshots, **_ack_key(store, minion_id)}}


def _ack_key(store: Store, minion_id: str) -> dict[str, str]:
    try:
        owner = key_mark(__opts__, minion_id)  # type: ignore[name-defined]
        return {"ack_key": store.ack_key(minion_id, owner)}
    except StoreError as error:
        log.error("ext_pillar haproxy_edge: %s: %s", minion_id, error)
        return {}
