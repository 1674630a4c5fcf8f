"""A salt-master by itself on loopback, in a folder of its own: no minion, no namespace, no root needed.

It must never touch a Salt that was here before: every path and every port is its own.
"""

from __future__ import annotations

import getpass
import subprocess
import sys
from pathlib import Path
from typing import Any

from lab.cluster import free_port
from lab.master import CHECKOUT, Master
from lab.processes import end, spawn

# seconds until it takes requests, engine and all; only a failure waits for all of it
START_PATIENCE = 120


class LoneMaster:
    """In ``directory``, configured as the lab's is."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._master = Master(CHECKOUT / "pillar.example")
        self._master.directory = directory

    def begin(self, **options: Any) -> subprocess.Popen[bytes]:
        """Start it with ``options`` over the lab's; returns at once."""
        self._master.configure(
            root_dir=str(self.directory),
            interface="127.0.0.1",
            publish_port=free_port(),
            ret_port=free_port(),
            user=getpass.getuser(),
            worker_threads=1,
            **options,
        )
        command = [*self.command("salt-master"), "-l", "warning"]
        return spawn("master", command, run=self.directory, environment={"PYTHONWARNINGS": "ignore"})

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line of one of Salt's programs on it."""
        return [str(Path(sys.executable).parent / program), "-c", str(self.directory / "etc"), *arguments]

    def log(self) -> str:
        """Its log file."""
        return self._master.log()

    def stop(self) -> None:
        """Ask it to end, and see to it."""
        end(self.directory / "master.pid", patience=10)
