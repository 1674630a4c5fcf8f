"""The edge's own schedule: `haproxy_edge.reconcile`, with or without a master.

Pure. It is configuration of the minion, so that it is there at the next start with the master away; the running minion
is told by the caller. It must never need a master, nor send one its returns.
"""

from __future__ import annotations

import json
from typing import Any

NAME = "haproxy_edge.reconcile"
FILE = "haproxy-edge.conf"


def job(interval: int) -> dict[str, Any]:
    """Every ``interval`` seconds and at once at start; nothing of it goes to the master."""
    return {
        "function": NAME,
        "seconds": interval,
        # or all edges of a site would check at the same moment
        "splay": max(interval // 4, 1),
        "run_on_start": True,
        "return_job": False,
        "maxrunning": 1,
        "jid_include": True,
    }


def drop_in(interval: int) -> str:
    """The file for ``minion.d``."""
    rows = [f"    {key}: {json.dumps(value)}" for key, value in job(interval).items()]
    return "\n".join(
        [
            "# Managed by Salt (state haproxy). The edge repairs itself, with the master away, too.",
            "scheduler_before_connect: True",
            "schedule:",
            f"  {NAME}:",
            *rows,
            "",
        ]
    )
