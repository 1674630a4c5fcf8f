"""Orders due for the reactor's SLS. Runs on the master, inside the reactor.

It must never look at the event that called it, nor raise: a reactor that fails says nothing anybody sees.

.. code-block:: jinja

    {%- for order in salt['haproxy_edge_outbox.take']('state') %}
"""

from __future__ import annotations

import logging
import time
from typing import Any

from haproxy_edge.outbox import Outbox
from haproxy_edge.payload import pack
from haproxy_edge.salt_adapter import SaltCache
from haproxy_edge.store import Store, StoreError

log = logging.getLogger(__name__)


def take(lane: str) -> list[dict[str, Any]]:
    """
    Take the due orders of a lane out of the outbox, each once; those of the hot lane with their ``payload``.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd haproxy_edge_outbox.take state
    """
    cache = SaltCache(__opts__)  # type: ignore[name-defined]
    try:
        orders = Outbox(cache).take(lane, now=time.time())
        return orders if lane == "state" else [_with_payload(order, Store(cache)) for order in orders]
    except StoreError as error:
        log.error("haproxy_edge_outbox.take: %s; nothing is published", error)
        return []


def _with_payload(order: dict[str, Any], store: Store) -> dict[str, Any]:
    """The content is read now, not when it was ordered: what goes out is always the newest."""
    # the order is out of the outbox already: one damaged row must not lose it, nor those beside it
    texts = [store.readable_text(order["cluster"], service) for service in order["services"]]
    return {**order, "payload": pack(order["id"], filter(None, texts))}
