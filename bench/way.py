"""The way of one change from the API to a pod's first connection, cut into steps, each with its owner.

Pure. A step ends where a border is crossed that can be seen from outside: on the master's bus, on a disk, in what an
edge says of its own steps. It must never guess: a change with a border that was not seen is left out as a whole.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.hot_fleet import RATE

OURS, SALT, KUBERNETES, HAPROXY, CLIENT = "ours", "Salt's", "Kubernetes' API and client", "HAProxy's", "clients'"


@dataclass(frozen=True)
class Step:
    """``until`` is the border it ends at; ``what`` happens in it."""

    name: str
    owner: str
    until: str
    what: str


# the way until traffic moves, then to the first connection; each begins where the one before ends
WAY = (
    Step("API, watch, decide", KUBERNETES, "seen", "from the request to the API until the engine has a new snapshot"),
    Step("store the snapshot", OURS, "stored", "`salt.cache`, before anything is ordered"),
    Step("put the order", OURS, "ordered", "its id remembered, then the outbox"),
    Step("ring the doorbell", OURS, "rung", "an event without content"),
    Step("event to reactor", SALT, "opened", "bus, reactor's thread, until it opens the SLS"),
    Step("begin to render", SALT, "listed", "Jinja, the loader, until our module looks into the outbox"),
    Step("take the order", OURS, "taken", "each order once"),
    Step("render, match, publish", SALT, "published", "YAML, the grain's target, the job cache, the publish"),
    Step("to the minion, fork", SALT, "building", "encrypted, sent, decrypted; a process for the job"),
    Step("build the loaders", SALT, "begun job", "all loaders of the minion, in each job anew"),
    Step("to our module", SALT, "loading", "executors, until the loader opens our module"),
    Step("load our module", OURS, "begun", "in each job anew; its package is in the minion already"),
    Step("check the snapshots", OURS, "locked", "as if the master could be wrong; then the edge's lock"),
    Step("save the snapshots", OURS, "saved", "on the disk before they are used"),
    Step("load the record", OURS, "loaded", "what the file holds, the servers that are wanted"),
    Step("look what runs", HAPROXY, "looked", "three questions on the socket, and the plan"),
    Step("runtime commands", HAPROXY, "moved", "servers come and go; from here on traffic is right"),
    Step("next connection", CLIENT, "reached", f"{RATE:g} new ones a second over each family; then a pod answers"),
)
# what follows while traffic flows already
AFTERWARDS = (
    Step("prove", HAPROXY, "proven", "asked again: does it serve what it should"),
    Step("judge the file", HAPROXY, "judged", "filled, then `haproxy -c`"),
    Step("write the file", OURS, "filed", "replaced, on the disk; the record of it, too"),
    Step("remember, sign", OURS, "signed", "what serves now is the last good one; number, HMAC"),
    Step("return", SALT, "returned", "to the master, through its workers to the bus"),
)
# the steps an acknowledgement tells, and the border each ends at
_TOLD = {
    "lock": "locked",
    "save": "saved",
    "load": "loaded",
    "look": "looked",
    "runtime": "moved",
    "prove": "proven",
    "judge": "judged",
    "file": "filed",
}


class Unseen(Exception):
    """A border of a change was not seen."""


@dataclass(frozen=True)
class OnEdge:
    """What was seen of one edge; seconds after the change. ``steps_ms`` and ``ms`` are its own word."""

    building: float
    job: float
    loading: float
    locking: float
    returned: float
    reached: float
    steps_ms: Mapping[str, float]
    ms: float


def on_edge(edge: OnEdge) -> dict[str, float]:
    """Every border of that edge. Raises `Unseen` when it did not go the whole way."""
    missing = [step for step in _TOLD if step not in edge.steps_ms]
    if missing:
        raise Unseen(f"no step {', '.join(missing)} in the acknowledgement")
    begun = edge.locking - edge.steps_ms.get("check", 0.0) / 1000
    borders = {"building": edge.building, "begun job": edge.job, "loading": edge.loading, "begun": begun}
    at = edge.locking
    for step, border in _TOLD.items():
        at += edge.steps_ms[step] / 1000
        borders[border] = at
    return borders | {"signed": begun + edge.ms / 1000, "returned": edge.returned, "reached": edge.reached}


def costs(borders: Mapping[str, float], way: Sequence[Step], begin: float = 0.0) -> dict[str, float]:
    """Milliseconds of each step. Clocks of several processes: a border never lies before the one it follows.

    Raises `Unseen` naming the border.
    """
    found, before = {}, begin
    for step in way:
        if step.until not in borders:
            raise Unseen(f"border {step.until!r} of step {step.name!r}")
        after = max(before, borders[step.until])
        found[step.name] = (after - before) * 1000
        before = after
    return found


def medians(changes: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each step over all changes."""
    return {name: statistics.median(change[name] for change in changes) for name in changes[0]} if changes else {}


def by_owner(steps: Mapping[str, float], way: Sequence[Step]) -> dict[str, float]:
    """What each owner's steps cost together, dearest first."""
    owners: dict[str, float] = {}
    for step in way:
        owners[step.owner] = owners.get(step.owner, 0.0) + steps[step.name]
    return dict(sorted(owners.items(), key=lambda item: -item[1]))


def largest(steps: Mapping[str, float], way: Sequence[Step], owner: str) -> Step:
    """The dearest step of ``owner``."""
    return max((step for step in way if step.owner == owner), key=lambda step: steps[step.name])
