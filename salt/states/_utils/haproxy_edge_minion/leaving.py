"""Since when which server drains away, so that its last sessions are cut after `drain_timeout` and not before.

HAProxy's own ``srv_time_since_last_change`` will not do: a server that was down already when it left keeps the older
time. Times are seconds since boot: the wall clock may jump, and no server in maintenance outlives a reboot. A record
that cannot be read only lets the time begin anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from haproxy_edge_minion.files import read, replace
from haproxy_edge_minion.planner import Name


@dataclass(frozen=True)
class Leaving:
    """The record at ``path``, looked at ``now``."""

    path: Path
    now: float
    since: Mapping[Name, float]

    @classmethod
    def load(cls, path: Path, *, now: float) -> Leaving:
        """Times after ``now`` are of another boot."""
        try:
            rows = [(str(backend), str(name), float(time)) for backend, name, time in json.loads(read(path))]
        except (ValueError, TypeError):
            rows = []
        return cls(path, now, {(backend, name): time for backend, name, time in rows if time <= now})

    def overdue(self, drain_timeout: float) -> frozenset[Name]:
        """Servers that have had their time."""
        return frozenset(name for name, time in self.since.items() if self.now - time >= drain_timeout)

    def save(self, leaving: Iterable[Name]) -> None:
        """Record those that leave now; new ones from now on."""
        rows = [[*name, self.since.get(name, self.now)] for name in sorted(leaving)]
        text = json.dumps(rows)
        if text != read(self.path) and (rows or self.path.exists()):
            replace(self.path, text, mode=0o600)
