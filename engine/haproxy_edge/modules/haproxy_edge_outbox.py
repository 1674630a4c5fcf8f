"""Orders due for the reactor's SLS. Runs on the master, inside the reactor.

.. code-block:: jinja

    {%- for order in salt['haproxy_edge_outbox.take']('state') %}
"""

from __future__ import annotations

import logging
import time
from typing import Any

from haproxy_edge.outbox import Outbox
from haproxy_edge.salt_adapter import SaltCache
from haproxy_edge.store import StoreError

log = logging.getLogger(__name__)


def take(lane: str) -> list[dict[str, Any]]:
    """
    Take the due orders of a lane out of the outbox, each once.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd haproxy_edge_outbox.take state
    """
    try:
        return Outbox(SaltCache(__opts__)).take(lane, now=time.time())  # type: ignore[name-defined]
    except StoreError as error:
        log.error("haproxy_edge_outbox.take: %s; nothing is published", error)
        return []
