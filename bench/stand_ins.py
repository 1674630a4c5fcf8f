"""The process of `bench.stand_in` as the lab runs it: started, asked for more, and ended.

It must never outlive the lab: it ends when its standard input does.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import asdict

from bench.likeness import Likeness
from lab import fabric
from lab.master import CHECKOUT
from lab.processes import RUN, LabError, netns


class StandIns:
    """The process of `bench.stand_in`, in a namespace of its own beside the master."""

    def __init__(self, like: Likeness) -> None:
        self._directory = RUN / "stand-ins"
        self._directory.mkdir()
        config = {"master": fabric.addresses("master")[0], "publish_port": 4505, "ret_port": 4506}
        (self._directory / "config.json").write_text(
            json.dumps({**config, "directory": str(self._directory), **asdict(like)})
        )
        self._process = self._start()
        self.number = 0

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "bench.stand_in", str(self._directory / "config.json")]
        paths = f"{CHECKOUT}:{CHECKOUT}/salt/states/_utils"
        with (self._directory / "log").open("w") as log:
            return subprocess.Popen(
                netns(fabric.namespace("client"), command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=CHECKOUT,
                env={**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONPATH": paths},
            )

    def grow(self, number: int) -> dict[str, int]:
        """Until so many run; what all of them received and sent since it was asked last."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise LabError(f"the stand-ins have ended: {(self._directory / 'log').read_text()[-2000:]}")
        self.number = number
        return dict(json.loads(answer))

    def traffic(self) -> dict[str, int]:
        """Since it was asked last."""
        return self.grow(self.number)

    def stop(self) -> None:
        """It reads until its input is closed."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
