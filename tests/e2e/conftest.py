"""One lab for all end-to-end tests; each test begins with three pods behind the service and every edge serving them.

Most tests leave the lab so. What they left is looked at from outside, file, process and the engine's record of each
edge, which takes a hundredth of the state run that only an edge that differs needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lab.demo import start
from lab.fabric import POD_NETWORKS
from lab.topology import PILLAR, SERVICE, Lab
from tests.e2e.world import World

ENGINE = {
    "watch_timeout": 6,
    "read_timeout": 8,
    "backoff_max": 2,
    # it would order states between two looks of a test that wants none
    "resync": 0,
    "allowed_networks": {SERVICE: list(POD_NETWORKS)},
}


@pytest.fixture(scope="session")
def whole_lab() -> Iterator[World]:
    """Up for this session; with HAPROXY_EDGE_LAB_KEEP=1 it stays, and the next session goes on with it."""
    lab = Lab(engine=ENGINE)
    from lab import topology

    kept = os.environ.get("HAPROXY_EDGE_LAB_KEEP", "") not in ("", "0")
    try:
        yield World(lab, start(lab, attach=kept and lab.is_up()))
    finally:
        if not kept:
            topology.down()


@pytest.fixture
def world(whole_lab: World) -> World:
    return at_ease(whole_lab)


@pytest.fixture(scope="module")
def world_once(whole_lab: World) -> World:
    """For a module whose tests do not mind what the one before has left."""
    return at_ease(whole_lab)


def at_ease(whole_lab: World) -> World:
    """Three pods behind the service, the lab's pillar, no fault, and every edge serving."""
    lab = whole_lab.lab
    if lab.cluster.is_embedded:
        lab.cluster.clear_faults()
    lab.set_pillar({edge.name: PILLAR for edge in lab.edges})
    lab.serve(whole_lab.pods)
    if behind := whole_lab.left_behind():
        whole_lab.apply(",".join(edge.name for edge in behind))
        whole_lab.await_servers(whole_lab.pods)
    return whole_lab
