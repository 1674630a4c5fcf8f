"""A list cut down to what a person reads.

Pure. It must never hide that something was cut: how many there are stays in the last line.
"""

from __future__ import annotations

from collections.abc import Iterable


def capped(lines: Iterable[str], most: int) -> list[str]:
    """The first ``most`` of ``lines``, and how many more there are."""
    every = list(lines)
    return every if len(every) <= most else [*every[:most], f"and {len(every) - most} more"]
