"""What pods that die without a warning cost: the other figure, kept apart from pods that leave as they should.

No edge can know of such a death before the cluster does, so it must never be mixed with the figures of a rollout.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.hot_fleet import Fleet
from lab.figures import Figure, figure

KILLS = 5
# seconds until the cluster no longer lists a pod that died, and until the last connection to it has shown its fate
NOTICED_AFTER, AFTERMATH = 1.0, 6.0


def abrupt_kills(fleet: Fleet, say: Callable[[str], None]) -> list[Figure]:
    """Kill one of three pods, again and again; the connections that came to nothing."""
    failed = 0
    for number in range(1, KILLS + 1):
        fleet.use(live=3, dead=0)
        before = len(fleet.probe.records())
        pod = fleet.kill_one()
        time.sleep(NOTICED_AFTER)
        fleet.change()
        time.sleep(AFTERMATH)
        records = fleet.probe.records()[before:]
        lost = [record for record in records if record.failed]
        failed += len(lost)
        slow = max(record.end - record.start for record in records)
        say(
            f"kill {number} of {KILLS}: {pod.name}: {len(lost)} of {len(records)} connections failed, "
            f"the slowest took {slow:.1f} s"
        )
    return [
        figure(
            f"connections that fail when a pod is killed, mean of {KILLS}",
            "<= 1",
            round(failed / KILLS, 1),
            "connections",
        )
    ]
