"""Processes as /proc shows them: what they have used of the processor, and what they hold of the memory.

What a process has used is what it used itself, and what its children had used when it waited for them; a child that
nobody waited for is lost. It must never change what it looks at.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.master import engines_of
from lab.processes import LabError

if TYPE_CHECKING:
    # Python 3.10 has none
    from typing import Self

# seconds: the clock of processes knows nothing shorter
TICK = 1 / os.sysconf("SC_CLK_TCK")
_KIB_IN_MB = 1024 / 1e6


@dataclass(frozen=True)
class Spent:
    """Processor seconds at a moment (``at``, by ``time.monotonic()``), or between two; a kind says of whom."""

    at: float

    def since(self, before: Self) -> Self:
        """Between the two; ``at`` is then the seconds between them."""
        return type(self)(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))


class Process:
    """A process as /proc shows it. Raises `LabError` once it is gone."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def cpu_seconds(self) -> float:
        """User and system time since it began, all threads, in steps of 0.01 s."""
        return sum(self._times()[:2]) * TICK

    def spent(self) -> float:
        """The same, with all that the children it has waited for have used."""
        return sum(self._times()) * TICK

    def resident_mb(self) -> float:
        """VmRSS: what it has of pages shared with the master counts in full."""
        return self._field("status", "VmRSS")

    def proportional_mb(self) -> float:
        """Pss: of a page that several processes share it has its part, so that a sum counts each page once."""
        return self._field("smaps_rollup", "Pss")

    def private_mb(self) -> float:
        """What would be freed if it ended."""
        return self._field("smaps_rollup", "Private_Clean") + self._field("smaps_rollup", "Private_Dirty")

    def woken(self, seconds: float) -> int:
        """How many of its threads do anything within that time."""
        before = self._switches()
        time.sleep(seconds)
        return sum(count != before.get(thread) for thread, count in self._switches().items())

    def _times(self) -> list[int]:
        """utime, stime, cutime, cstime."""
        return list(map(int, self._read("stat").rpartition(")")[2].split()[11:15]))

    def _switches(self) -> dict[str, str]:
        """How often each thread has gone to sleep."""
        found = {}
        for status in Path(f"/proc/{self.pid}/task").glob("*/status"):
            lines = status.read_text().splitlines()
            found[status.parent.name] = next(line for line in lines if line.startswith("voluntary_ctxt_switches"))
        return found

    def _field(self, name: str, field: str) -> float:
        lines = self._read(name).splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) * _KIB_IN_MB

    def _read(self, name: str) -> str:
        try:
            return Path(f"/proc/{self.pid}/{name}").read_text()
        except (FileNotFoundError, ProcessLookupError) as error:
            raise LabError(f"process {self.pid} has ended while it was measured") from error


def pid_of_engine(master: int) -> int:
    """The one engine of the master whose first process is ``master``. Raises `LabError` when it is not one."""
    found = engines_of(master)
    if len(found) != 1:
        raise LabError(
            f"{len(found)} processes of salt-master {master} are titled as its engine where one was expected: "
            "is the Python package setproctitle there?"
        )
    return found[0]


def spent(pids: Iterable[int]) -> float:
    """Processor seconds of all of them and of their ended children; one that is gone has left its own to its parent."""
    seconds = 0.0
    for pid in pids:
        with contextlib.suppress(LabError):
            seconds += Process(pid).spent()
    return seconds
