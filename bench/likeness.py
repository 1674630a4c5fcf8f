"""What stand-ins repeat: what one real edge of the same run is, and what it said in each lane.

Pure. It must never be made up: a return that is shorter than a real one would make the master look cheaper than it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Returned = Mapping[str, Any]


@dataclass(frozen=True)
class Likeness:
    """``hot`` and ``state``: returns of one real edge as they stood on the master's bus; ``grains``: what it is."""

    grains: Mapping[str, Any]
    hot: Returned
    state: Returned

    @property
    def hot_seconds(self) -> float:
        """What the edge says its own part of the hot lane took."""
        return float(self.hot["return"]["ms"]) / 1000

    @property
    def state_seconds(self) -> float:
        """The same of the state lane: all its states."""
        return sum(float(state["duration"]) for state in self.state["return"].values()) / 1000

    def grains_of(self, minion: str) -> dict[str, Any]:
        """With its own names in them."""
        return {**self.grains, "id": minion, "host": minion, "localhost": minion, "nodename": minion, "fqdn": minion}
