"""An accepted minion that lies: forged events and returns, by its own key, in every form the master lets through.

Runs inside an edge host, with its Salt's Python: ``python rogue.py '[{"kind": …, …}, …]'``. It must never be of use
outside of the lab: it speaks to the master that the host's minion already knows, in that minion's name.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import salt.channel.client
import salt.config

PATIENCE = 10


class Rogue:
    """One authenticated connection to the master."""

    def __init__(self) -> None:
        self._opts = salt.config.minion_config("/etc/salt/minion")
        self._opts["master_uri"] = f"tcp://{self._opts['master']}:{self._opts['master_port']}"
        self._channel = salt.channel.client.ReqChannel.factory(self._opts)

    def send(self, load: dict[str, Any]) -> Any:
        """Any message, as the master's workers get it."""
        return self._channel.send({"id": self._opts["id"], **load}, timeout=PATIENCE)

    def event(self, tag: str, data: Any, **_: Any) -> Any:
        """As ``event.send`` does: the master adds who it was."""
        return self.send({"cmd": "_minion_event", "tag": tag, "data": data})

    def events(self, tag: str, data: Any, times: int = 1, pretag: str | None = None, **_: Any) -> Any:
        """As a minion's own process does: a list, bare data, and a tag that the master puts something before."""
        fired = [{"tag": tag, "data": data}] * times
        return self.send({"cmd": "_minion_event", "events": fired, "pretag": pretag})

    def syndic_return(self, victim: str, fun: str, returned: Any, jid: str = "", **_: Any) -> Any:
        """A return of ``victim``, as a syndic would hand it up."""
        load = {
            "cmd": "_syndic_return",
            "jid": jid or _jid(),
            "fun": fun,
            "return": {victim: {"return": returned, "retcode": 0, "success": True, "fun": fun, "fun_args": []}},
        }
        return self.send({**load, "load": [{**load, "id": self._opts["id"]}]})

    def resource_return(self, victim: str, fun: str, returned: Any, jid: str = "", **_: Any) -> Any:
        """A return of its own that is booked to ``victim``."""
        return self.send(
            {
                "cmd": "_return",
                "jid": jid or _jid(),
                "fun": fun,
                "fun_args": [],
                "return": returned,
                "retcode": 0,
                "success": True,
                "resource_id": victim,
            }
        )


def _jid() -> str:
    """Of a job that was never published."""
    return time.strftime("%Y%m%d%H%M%S") + f"{time.time_ns() // 1000 % 1_000_000:06}"


def main() -> int:
    rogue = Rogue()
    for act in json.loads(sys.argv[1]):
        kind = act.pop("kind")
        for _ in range(act.pop("repeat", 1)):
            getattr(rogue, kind)(**act)
    return 0


if __name__ == "__main__":
    sys.exit(main())
