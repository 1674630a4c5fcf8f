"""One edge that cannot follow: the others do not wait for it, and it needs no other change to come right."""

from __future__ import annotations

import pytest

from lab.processes import wait_for
from tests.e2e.obstacles import Lock, full_disk

CONFIGURED = "haproxy_edge.configured"


@pytest.mark.field_failure("one bad edge holds up all")
def test_edges_that_are_stuck_or_full_delay_no_other_and_come_right_without_another_change(world):
    stuck, full, badly_configured = world.lab.edges
    before, wanted = {pod.name for pod in world.pods}, world.pods[:2]
    world.pillar(badly_configured, {"bind": 443})
    lock = Lock(stuck)
    with full_disk(full), lock.held():
        world.lab.serve(wanted)
        lock.await_waiting(1)
        # pods' changes need no pillar
        wait_for(
            lambda: world.servers(badly_configured) == {pod.name for pod in wanted}, 60, "the edge that can to follow"
        )
        refused = world.apply(badly_configured.name)[badly_configured.name][CONFIGURED]
        assert (world.servers(stuck), world.servers(full)) == (before, before)
    assert (refused["result"], "haproxy.bind: 443" in refused["comment"]) == (False, True)
    world.await_servers(wanted, timeout=90)
