"""What the master was told last, so that it is told again only when there is something new, or by a new minion process.

A minion that was away may have missed anything, and so may its master: its first word after a start is always news.
The record is a convenience: without it the master is told once more. It must never keep a problem from the master.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haproxy_edge_minion.files import read, replace

# seconds: what a minion that has just started may take to connect, and between two looks whether it has
CONNECT_PATIENCE = 30.0
CONNECT_POLL = 0.5
# what of an acknowledgement is a state; the rest is an account of one run
_STATE = ("serves", "problems", "state_needed")


@dataclass(frozen=True)
class LastTold:
    """``minion`` names the running minion process, and another one after a restart."""

    path: Path
    minion: str
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def is_news(self, ack: Mapping[str, Any]) -> bool:
        """Whether the master has not heard that from this minion process."""
        return read(self.path) != self._record(ack)

    def remember(self, ack: Mapping[str, Any]) -> None:
        """It has been told. Where `clean` took everything away meanwhile, nothing is made again."""
        with contextlib.suppress(OSError):
            if self.path.parent.exists():
                replace(self.path, self._record(ack), mode=0o600, durable=False)

    @property
    def is_new_minion(self) -> bool:
        """Whether this minion process has told nothing yet."""
        return not read(self.path).startswith(f"{self.minion}\n")

    def tell(self, ack: Mapping[str, Any], *, connected: Callable[[], bool], send: Callable[[], bool]) -> bool:
        """``send`` it when the master is there; whether it was. A minion that has just started may take a moment."""
        until = self.clock() + (CONNECT_PATIENCE if self.is_new_minion else 0.0)
        while not connected():
            if self.clock() >= until:
                return False
            self.sleep(CONNECT_POLL)
        if sent := send():
            self.remember(ack)
        return sent

    def _record(self, ack: Mapping[str, Any]) -> str:
        state = json.dumps({key: ack[key] for key in _STATE}, sort_keys=True)
        return f"{self.minion}\n{hashlib.sha256(state.encode()).hexdigest()}\n"


def minion_process(pidfile: Path, proc: Path = Path("/proc")) -> str:
    """The minion's process id and start time; empty when it does not run."""
    try:
        pid = int(read(pidfile))
        started = (proc / str(pid) / "stat").read_text().rpartition(") ")[2].split()[19]
    except (ValueError, OSError, IndexError):
        return ""
    return f"{pid} {started}"
