"""The clock of an API that a test moves, so that a token ends without anybody waiting for it."""

from __future__ import annotations

import time


class Clock:
    """The real time, and ``ahead`` seconds more."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead
