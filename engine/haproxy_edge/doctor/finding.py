"""One finding of the doctor: a check, what it was about, and what came out.

What is wrong must never come without a way to mend it.
"""

from __future__ import annotations

from dataclasses import dataclass

# wrong: somebody has to act. advice: works, but look at it. unknown: an earlier step has to be right first
STATES = ("ok", "wrong", "advice", "unknown")


@dataclass(frozen=True)
class Finding:
    """``check`` is a stable name (docs/operations.md lists them), ``subject`` an edge, a service or "master"; ``mend``
    is what to do, empty when nothing."""

    check: str
    subject: str
    state: str
    found: str
    mend: str = ""


def ok(check: str, subject: str, found: str) -> Finding:
    """Right as it is."""
    return Finding(check, subject, "ok", found)


def wrong(check: str, subject: str, found: str, mend: str) -> Finding:
    """Somebody has to act."""
    return Finding(check, subject, "wrong", found, mend)


def advice(check: str, subject: str, found: str, mend: str = "") -> Finding:
    """It works; somebody may want to look at it."""
    return Finding(check, subject, "advice", found, mend)


def unknown(check: str, subject: str, found: str, mend: str = "") -> Finding:
    """It could not be told."""
    return Finding(check, subject, "unknown", found, mend)
