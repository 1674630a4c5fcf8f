"""What a salt-master spends, the engine's process apart from all the others; read from /proc while it works.

It must never count what the measuring itself or an edge on the same machine spends: only the master's own session.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.process import Process, Spent, pid_of_engine, spent
from lab.processes import RUN, LabError, recorded, session


@dataclass(frozen=True)
class MasterSpent(Spent):
    """Of the engine's process, and of all others of the master."""

    engine: float
    master: float

    def without(self, idle: MasterSpent) -> MasterSpent:
        """What is left when so much of it would have been spent in the same time with nothing to do."""
        share = self.at / idle.at
        return MasterSpent(
            self.at, max(0.0, self.engine - idle.engine * share), max(0.0, self.master - idle.master * share)
        )


class MasterCosts:
    """Of the master whose first process is ``leader``."""

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self.engine = Process(pid_of_engine(leader))

    @classmethod
    def of_lab(cls) -> MasterCosts:
        """Of the lab's master that runs now. Raises `LabError` when none does."""
        leader = recorded(RUN / "master.pid")
        if leader is None:
            raise LabError(f"salt-master has ended; see {RUN}/master.log")
        return cls(leader)

    def now(self) -> MasterSpent:
        """Since all of it began; those of its processes that have ended count, too."""
        others = spent(pid for pid in session(self._leader) if pid != self.engine.pid)
        return MasterSpent(time.monotonic(), self.engine.cpu_seconds(), others)

    def over(self, seconds: float) -> MasterSpent:
        """In that time from now."""
        before = self.now()
        time.sleep(seconds)
        return self.now().since(before)
