"""The doctor on a real chain: it finds nothing wrong where nothing is, and names each planted fault."""

from __future__ import annotations

from functools import partial

import pytest

from lab.processes import wait_for
from tests.e2e.doctor_faults import GROUPS, planted, visit


@pytest.fixture
def settled(world):
    """With every edge's confirmation heard."""
    status = partial(world.lab.master.run, "haproxy_edge.status")
    wait_for(lambda: status()["retcode"] == 0, 60, "every edge to have confirmed", every=0.3)
    return world


def test_a_healthy_chain_has_nothing_wrong(settled):
    findings = visit(settled.lab)
    assert [finding for finding in findings if finding["state"] in ("wrong", "unknown")] == []
    edges = {edge.name for edge in settled.lab.edges}
    for check in ("answering", "modules", "pods", "source-address", "in-step"):
        assert {finding["subject"] for finding in findings if finding["check"] == check} == edges


@pytest.mark.field_failure("a PROXY header that does not fit")
def test_a_healthy_chain_proves_that_the_client_s_address_is_believed(settled):
    proven = [finding for finding in visit(settled.lab) if finding["check"] == "proxy-protocol"]
    assert len(proven) == 2 * len(settled.lab.edges)
    assert all("believed" in finding["found"] and finding["state"] == "ok" for finding in proven)


@pytest.mark.field_failure("a PROXY header that does not fit")
@pytest.mark.parametrize("group", GROUPS)
def test_every_planted_fault_is_named(world, group):
    with planted(GROUPS[group], world.lab, world.pods):
        findings = visit(world.lab)
    missed = [fault.name for fault in GROUPS[group] if not fault.named(findings)]
    assert missed == [], [finding for finding in findings if finding["state"] == "wrong"]
