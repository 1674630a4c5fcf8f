"""A number that grows with every acknowledgement, so that an old one cannot be played to the master again.

``max(previous + 1, milliseconds since 1970)``: a clock that was set back does not stop it, nor does the loss of its
file. It is therefore not forced to the disk: after a power cut the clock alone is enough.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from haproxy_edge_minion.files import read, replace


def following(path: Path, *, now: float) -> int:
    """The next number, kept at ``path``; ``now`` is wall time in seconds."""
    number = max(_previous(path) + 1, int(now * 1000))
    # on a full disk it grows with the clock alone
    with contextlib.suppress(OSError):
        replace(path, str(number), mode=0o600, durable=False)
    return number


def _previous(path: Path) -> int:
    try:
        return int(read(path))
    except ValueError:
        return 0
