"""What was said of each thing last, so that a trouble is told when it begins and not at every retry.

It must never decide whether something is told at all: another text about the same thing is always new.
"""

from __future__ import annotations

from collections.abc import Hashable


class Said:
    """``about`` is whatever tells things apart, ``text`` what would be said of it."""

    def __init__(self) -> None:
        self._last: dict[Hashable, Hashable] = {}

    def is_new(self, about: Hashable, text: Hashable) -> bool:
        """Whether that is to be said now; from now on it has been."""
        is_new = about not in self._last or self._last[about] != text
        self._last[about] = text
        return is_new

    def over(self, about: Hashable) -> bool:
        """All is well with it, so that the same trouble is new again; whether there had been any."""
        return self._last.pop(about, None) is not None
