"""What a run of a lane looks like from outside: plain mappings, in which no failure is an exception.

Each failure an edge foresees becomes a line of ``problems``, or the reason why it needs the state lane.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

from haproxy_edge_minion.ack import signed
from haproxy_edge_minion.edge import Edge, Prepared
from haproxy_edge_minion.files import read, replace
from haproxy_edge_minion.outcome import EdgeError, StateNeeded, Step
from haproxy_edge_minion.payload import unpack
from haproxy_edge_minion.snapshot import Snapshot, SnapshotError


def configured(edge: Edge, prepare: Callable[[], Prepared], *, key: Any, test: bool) -> dict[str, Any]:
    """The file written, or with ``test`` only judged; ``key`` is what acknowledgements are signed with."""
    result: dict[str, Any] = {"changed": False, "diff": "", "problems": [], "discouraged": []}
    try:
        prepared = prepare()
        result["problems"] = list(prepared.problems)
        result["discouraged"] = list(prepared.applied.spec.discouraged)
        if not test:
            edge.keep(prepared)
            _keep_key(edge, key)
        if edge.differs(prepared):
            result["diff"] = diff(read(edge.paths.config), prepared.applied.text)
            edge.check(prepared) if test else edge.write(prepared)
            result["changed"] = True
    except (EdgeError, OSError) as error:
        # nothing was replaced, or only by the whole new file
        return {**result, "changed": False, "diff": "", "problems": [*result["problems"], *str(error).splitlines()]}
    return result


def served(edge: Edge, work: Callable[[], Step | None]) -> dict[str, Any]:
    """What ``work`` did, and what ``edge`` met on the way."""
    step, problems = None, []
    try:
        step = work()
    except (EdgeError, OSError) as error:
        problems = str(error).splitlines()
    return {**step_taken(step), "found": list(edge.found), "problems": problems}


def planned(edge: Edge, prepare: Callable[[], Prepared]) -> dict[str, Any]:
    """What writing and serving it would change; nothing is changed."""
    result: dict[str, Any] = {"changed": False, "diff": "", **step_taken(None), "commands": [], "discouraged": []}
    problems: list[str] = []
    try:
        prepared = prepare()
        problems += prepared.problems
        result["discouraged"] = list(prepared.applied.spec.discouraged)
        if edge.differs(prepared):
            result.update(changed=True, diff=diff(read(edge.paths.config), prepared.applied.text))
            edge.check(prepared)
        step, commands = edge.foresee(prepared.applied)
        result.update(step_taken(step), commands=list(commands))
    except (EdgeError, OSError) as error:
        problems += str(error).splitlines()
    return {**result, "problems": problems}


def rendered(prepare: Callable[[], Prepared]) -> dict[str, Any]:
    """The text of the file."""
    try:
        prepared = prepare()
    except (EdgeError, OSError) as error:
        return {"text": "", "problems": str(error).splitlines()}
    return {"text": prepared.applied.text, "problems": list(prepared.problems)}


def acknowledged(
    edge: Edge,
    minion: str,
    lane: str,
    *,
    key_given: Any,
    order: str = "",
    done: str = "",
    problems: Sequence[str] = (),
    state_needed: str | None = None,
) -> dict[str, Any]:
    """The acknowledgement of ``minion``, signed with the key it has kept, or ``key_given``; empty without a key."""
    key = read(edge.paths.ack_key).strip() or key_given
    if not key:
        return {}
    run = {"order": order, "lane": lane, "done": done, "problems": list(problems), "state_needed": state_needed}
    return signed({"edge": minion, **run, **edge.account()}, key)


def offered(payload: Any) -> tuple[str, list[Snapshot], list[str]]:
    """(order, snapshots, problems) of a hot order."""
    try:
        return (*unpack(payload), [])
    except SnapshotError as error:
        return "", [], str(error).splitlines()


def synced(edge: Edge, snapshots: list[Snapshot]) -> dict[str, Any]:
    """The part of the acknowledgement that tells what came of it."""
    try:
        done = edge.sync(snapshots)
    except StateNeeded as error:
        return {"state_needed": str(error)}
    except (EdgeError, OSError) as error:
        return {"problems": str(error).splitlines()}
    return {"done": done.summary, "problems": done.problems}


def reconciled(edge: Edge) -> tuple[dict[str, Any], str | None]:
    """(what was done, why only the state lane can help)."""
    try:
        done = edge.reconcile()
    except (EdgeError, OSError) as error:
        needed = str(error) if isinstance(error, StateNeeded) else None
        return {**step_taken(None), "found": list(edge.found), "problems": str(error).splitlines()}, needed
    return {**step_taken(done.step), "found": list(done.found), "problems": list(done.problems)}, None


def step_taken(step: Step | None) -> dict[str, Any]:
    """A step in two words."""
    return {"action": step.action if step else None, "reason": step.reason if step else None}


def diff(before: str, after: str) -> str:
    """For people."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "haproxy.cfg", "haproxy.cfg", lineterm="")
    return "\n".join(lines)


def _keep_key(edge: Edge, key: Any) -> None:
    if isinstance(key, str) and key != read(edge.paths.ack_key):
        replace(edge.paths.ack_key, key, mode=0o600)
