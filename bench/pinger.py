"""The floor of everything a salt-master does on a fleet: one ``test.ping``, as a program beside the master sees it.

It must never be timed from a command line: what starting Python and Salt costs has nothing to do with the fleet.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lab import fabric
from lab.processes import RUN, LabError, netns

_TARGET = ("roles:haproxy-edge", "grain")
# seconds in which it ends once nothing more can be asked
_PATIENCE = 10


class Pinger:
    """A context: `bench.fleet_ping` in the master's namespace, for as long as that master runs."""

    def __enter__(self) -> Pinger:
        command = [sys.executable, "-m", "bench.fleet_ping", str(RUN / "master/etc/master"), *_TARGET]
        with (RUN / "pinger.log").open("w") as log:
            self._process = subprocess.Popen(
                netns(fabric.namespace("master"), command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=Path(__file__).resolve().parent.parent,
                env={**os.environ, "PYTHONWARNINGS": "ignore"},
            )
        return self

    def __exit__(self, *_: object) -> None:
        """It reads until its input is closed."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def ping(self) -> float:
        """Seconds of one round trip. Raises `LabError` when there was none."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise LabError(f"test.ping of the fleet failed; see {RUN}/pinger.log")
        return float(answer)
