"""What a run on an edge came to.

Pure. The words both lanes and the schedule share, so that they tell the same of the same: what was done, and the two
ways to fail. That only the state lane can help is an error of its own kind: it must never be mistaken for something a
person has to mend.
"""

from __future__ import annotations

from dataclasses import dataclass


class EdgeError(Exception):
    """Something a person has to mend, one problem per line; what ran before still runs."""


class StateNeeded(EdgeError):
    """Only a run of the state can bring this edge right; the message says why."""


@dataclass(frozen=True)
class Step:
    """Something done, or to do: ``start``, ``reload``, ``adjust`` (runtime commands only) or ``enable``, and why."""

    action: str
    reason: str


NOT_ENABLED = Step("enable", "it would not start with the host")


@dataclass(frozen=True)
class Synced:
    """What a sync did (empty: nothing was to do), and what stood in the way of single frontends.

    ``refused`` are services whose snapshot was older than what this edge has, and other.
    """

    counts: str
    problems: tuple[str, ...]
    refused: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line for people."""
        older = [f"refused as older than what is here: {', '.join(self.refused)}"] if self.refused else []
        return "; ".join([self.counts, *older] if self.counts else older)


@dataclass(frozen=True)
class Reconciled:
    """What was done (None: nothing), the differences that were found, and what stood in the way."""

    step: Step | None
    found: tuple[str, ...]
    problems: tuple[str, ...]
