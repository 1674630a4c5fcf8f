"""One ``test.ping`` of the whole fleet for each line on standard input; its seconds as a line on standard output.

``python -m bench.fleet_ping MASTER_CONFIG TARGET TARGET_TYPE``, in the master's namespace. Measured as a program beside
a master would: one client that stays, from the publish to the last return. It must never count its own start.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import salt.client

PATIENCE = 30.0


def ping(client: Any, target: str, target_type: str) -> float:
    """Seconds until the last edge has answered. Raises ``TimeoutError`` naming those that have not."""
    began = time.monotonic()
    job = client.run_job(target, "test.ping", tgt_type=target_type, listen=True)
    waiting = set(job["minions"])
    while waiting:
        event = client.event.get_event(wait=PATIENCE, tag=f"salt/job/{job['jid']}/ret/", full=True)
        if event is None:
            raise TimeoutError(f"no answer from {', '.join(sorted(waiting))}")
        waiting.discard(event["data"]["id"])
    return time.monotonic() - began


def main(config: str, target: str, target_type: str) -> None:
    """For as long as lines come."""
    client = salt.client.LocalClient(config)
    for _ in sys.stdin:
        print(ping(client, target, target_type), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
