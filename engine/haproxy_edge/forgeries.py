"""What somebody forged on the master's bus: a number for each kind, and few words about it.

Whoever can forge one event can forge a million: it must never fill the log, nor hold up the engine's cycle.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable

log = logging.getLogger(__name__)

# seconds between two lines of the log
_SAY_EVERY = 60.0


class Forgeries:
    """Counts what somebody forged, by kind, and logs at most one line a minute however many there are.

    Used by more than one thread, so that a flood need not pass through the engine's cycle.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._said_at = float("-inf")
        self._unsaid: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()

    def count(self, kind: str, message: str, sender: str = "") -> None:
        """One more. ``sender``: the minion that sent it, where the master has proven that."""
        with self._lock:
            self.kinds[kind] += 1
            self._unsaid[kind] += 1
            if self._clock() - self._said_at < _SAY_EVERY:
                return
            self._said_at, unsaid, self._unsaid = self._clock(), self._unsaid, Counter()
        came_from = sender or "an unknown minion"
        number = ", ".join(f"{count} of kind {name}" for name, count in sorted(unsaid.items()))
        log.warning("forged events ignored: %s; the last came from %s: %s", number, came_from, message)
