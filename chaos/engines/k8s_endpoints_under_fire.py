"""For the lab only: the real engine, with SIGKILL at one chosen point of its way, once.

The file ``kill-at`` in the lab's folder names the point; the engine takes the file away and is killed there. Without
the file this is `k8s_endpoints` and nothing else.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from haproxy_edge.engines import k8s_endpoints
from haproxy_edge.salt_adapter import Bus
from haproxy_edge.store import Store

BEFORE_STORE, AFTER_STORE, AFTER_DOORBELL, MASTER_AFTER_DOORBELL = (
    "before the store write",
    "after the store write",
    "after the doorbell",
    "master: after the doorbell",
)


def start(kill_at: str, **options: Any) -> None:
    """``kill_at`` is the path of that file; the rest are options of `k8s_endpoints`."""
    order = Path(kill_at)
    Store.save = _guarded(order, Store.save, BEFORE_STORE, AFTER_STORE)  # type: ignore[method-assign]
    Bus.ring = _guarded(order, Bus.ring, None, AFTER_DOORBELL)  # type: ignore[method-assign]
    Bus.ring = _guarded(order, Bus.ring, None, MASTER_AFTER_DOORBELL)  # type: ignore[method-assign]
    k8s_endpoints.__opts__ = __opts__  # type: ignore[attr-defined, name-defined]  # noqa: F821
    k8s_endpoints.start(**options)


def _guarded(order: Path, method: Callable[..., Any], before: str | None, after: str) -> Callable[..., Any]:
    def guarded(*arguments: Any, **named: Any) -> Any:
        _die_if(order, before)
        done = method(*arguments, **named)
        _die_if(order, after)
        return done

    return guarded


def _die_if(order: Path, point: str | None) -> None:
    if point is None or not order.exists() or order.read_text() != point:
        return
    order.unlink()
    if point == MASTER_AFTER_DOORBELL:
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
