"""The doctor on a real chain: it finds nothing wrong where nothing is, and names each planted fault."""

from __future__ import annotations

from functools import partial

import pytest

from lab.doctor_faults import GROUPS, planted, visit
from lab.processes import wait_for


@pytest.fixture(scope="module")
def healthy(world_once):
    """What the doctor finds once every edge's confirmation is heard; one visit for all who ask."""
    status = partial(world_once.lab.master.run, "haproxy_edge.status")
    wait_for(lambda: status()["retcode"] == 0, 60, "every edge to have confirmed", every=0.3)
    return visit(world_once.lab)


@pytest.fixture
def edges(whole_lab):
    return {edge.name for edge in whole_lab.lab.edges}


def test_a_healthy_chain_has_nothing_wrong(healthy, edges):
    assert [finding for finding in healthy if finding["state"] in ("wrong", "unknown")] == []
    for check in ("answering", "modules", "pods", "source-address", "in-step"):
        assert {finding["subject"] for finding in healthy if finding["check"] == check} == edges


@pytest.mark.field_failure("a PROXY header that does not fit")
def test_a_healthy_chain_proves_that_the_client_s_address_is_believed(healthy, edges):
    proven = [finding for finding in healthy if finding["check"] == "proxy-protocol"]
    assert len(proven) == 2 * len(edges)
    assert all("believed" in finding["found"] and finding["state"] == "ok" for finding in proven)


@pytest.mark.field_failure("a PROXY header that does not fit")
@pytest.mark.parametrize("group", GROUPS)
def test_every_planted_fault_is_named(world, group):
    with planted(GROUPS[group], world.lab, world.pods):
        findings = visit(world.lab)
    missed = [fault.name for fault in GROUPS[group] if not fault.named(findings)]
    assert missed == [], [finding for finding in findings if finding["state"] == "wrong"]
