"""Runs on an edge, with its minion's own accepted key: ``forger.py COUNT OTHER…`` tells the master lies about OTHER.

Every form in which a minion can put something on the master's bus: events of any tag, and returns booked to another.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from typing import Any

import salt.channel.client
import salt.config
import salt.crypt

JOB = "20990101000000000000"


def lies(me: str, others: list[str]) -> Iterator[dict[str, Any]]:
    """Requests without end, each kind in turn for each of the others."""
    for other in itertools.cycle(others):
        ack = {
            "edge": other,
            "order": "forged",
            "lane": "hot",
            "serves": {"default kube-system/traefik": {"generation": 9_999_999_999_999, "digest": "sha256:0"}},
            "done": "",
            "problems": [],
            "state_needed": "because I say so",
            "ms": 1.0,
            "hmac": "0" * 64,
        }
        returned = {"jid": JOB, "fun": "haproxy_edge.sync", "return": ack, "retcode": 0, "success": True}
        for tag, data in (
            ("haproxy_edge/doorbell/hot", {"tgt": "*"}),
            ("haproxy_edge/doorbell/state", {}),
            (f"salt/minion/{other}/start", {"id": other}),
            (f"salt/job/{JOB}/ret/{other}", {**returned, "id": other}),
        ):
            yield {"cmd": "_minion_event", "id": me, "tag": tag, "data": data}
        event = {"tag": "haproxy_edge/doorbell/state", "data": {}}
        yield {"cmd": "_minion_event", "id": me, "events": [event], "pretag": None}
        yield {"cmd": "_return", "id": me, "resource_id": other, **returned, "fun_args": []}
        yield {
            "cmd": "_syndic_return",
            "id": me,
            "load": [{**returned, "id": me, "return": {other: {"return": ack}}}],
        }


def main(count: int, others: list[str]) -> None:
    """Tell ``count`` lies; a refusal of the master is fine."""
    opts = salt.config.minion_config("/etc/salt/minion")
    opts["master_uri"] = f"tcp://{opts['master']}:{opts['master_port']}"
    opts["master_ip"] = opts["master"]
    with salt.channel.client.ReqChannel.factory(opts) as channel:
        for load in itertools.islice(lies(opts["id"], others), count):
            try:
                channel.send(load, timeout=5, tries=1)
            except Exception as error:
                print(f"{load['cmd']}: {error!r}", file=sys.stderr)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
