"""Delays between retries: growing, jittered, and back to the start on success.

It must never sleep by itself: who waits is the caller's business.
"""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Seconds to wait before the next try: ``first`` doubled each time up to ``ceiling``, times 0.5 to 1.0.

    The jitter keeps many watches that failed together from coming back together.
    """

    def __init__(
        self, first: float, ceiling: float, *, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._first = first
        self._ceiling = ceiling
        self._uniform = uniform
        self._failures = 0

    def next(self, at_least: float = 0.0) -> float:
        """The delay after one more failure; ``at_least`` is a server's Retry-After, honoured up to the ceiling."""
        # 2**32 is beyond any ceiling; without the bound a day of failures would overflow the float
        grown = min(self._ceiling, self._first * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return max(min(at_least, self._ceiling), grown * self._uniform(0.5, 1.0))

    def reset(self) -> None:
        """Call on success."""
        self._failures = 0
