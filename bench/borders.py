"""When a change crossed which border on its way, as the master's own event bus tells it.

Nothing is added to the product for this: doorbells, publishes and returns are events anyway, and a return carries what
the edge says of its own steps.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from haproxy_edge.ack import found_in

from lab.processes import LabError

DOORBELL, PUBLISH = "haproxy_edge/doorbell/", "/new"
# what each lane publishes
FUNCTIONS = {"hot": "haproxy_edge.sync", "state": "state.apply"}
# the step of an acknowledgement in which HAProxy is given commands; when it ends, traffic has moved
RUNTIME_STEP = "runtime"


@dataclass
class Events:
    """``borders``: seconds after the change. ``acks``, and the ``returns`` they came in: one per edge.

    ``returned``: when each edge's answer was there.
    """

    borders: dict[str, float] = field(default_factory=dict)
    acks: list[dict[str, Any]] = field(default_factory=list)
    returns: list[dict[str, Any]] = field(default_factory=list)
    job: str = ""
    returned: dict[str, float] = field(default_factory=dict)


class Bus:
    """The bus of the master with that configuration file."""

    def __init__(self, config: Path) -> None:
        # takes a second, and nobody else here needs it
        import salt.config
        import salt.utils.event

        opts = salt.config.master_config(str(config))
        self._bus = salt.utils.event.get_event("master", sock_dir=opts["sock_dir"], opts=opts, listen=True)

    def close(self) -> None:
        """Listen no more."""
        self._bus.destroy()

    def forget(self) -> None:
        """What came so far."""
        while self._bus.get_event(no_block=True, full=True) is not None:
            pass

    def of_change(self, since: float, *, edges: int, patience: float, lane: str = "hot") -> Events:
        """Of the lane's first order after ``since`` (wall seconds), until all edges have returned or time is up."""
        events, until = Events(), time.monotonic() + patience
        while len(events.acks) < edges and time.monotonic() < until:
            event = self._bus.get_event(wait=1, full=True)
            if event is None:
                continue
            tag, data = event["tag"], event["data"]
            after = _seconds(data.get("_stamp")) - since
            if after < 0:
                # of the change before: on a busy bus it may come late
                continue
            if tag == DOORBELL + lane:
                events.borders.setdefault("doorbell", after)
            elif tag.endswith(PUBLISH) and data.get("fun") == FUNCTIONS[lane] and not events.job:
                events.job = data["jid"]
                events.borders["published"] = after
            elif events.job and tag.startswith(f"salt/job/{events.job}/ret/"):
                events.borders["confirmed by all"] = events.returned[data["id"]] = after
                events.acks.append(_ack(data))
                events.returns.append(data)
        return events


def _ack(data: dict[str, Any]) -> dict[str, Any]:
    """As the engine finds it: the return itself, or in one of its states."""
    returned = data.get("return")
    found = found_in(returned)
    if found is None or "steps_ms" not in found:
        raise LabError(f"{data.get('id')}: {data.get('fun')} returned {returned!r:.500}")
    return found


def _seconds(stamp: Any) -> float:
    return datetime.fromisoformat(str(stamp)).replace(tzinfo=timezone.utc).timestamp()
