"""The short half of `make chaos`: the same faults, by the same runner, for seconds instead of a minute.

Only what holds is asserted here; how long recovery takes is measured by `make chaos`.
"""

from __future__ import annotations

import dataclasses
import math

import pytest

from chaos.__main__ import possible
from chaos.runner import run
from chaos.stage import PILLAR, Stage
from lab.cluster import lab_cluster

CHOSEN = [fault for fault in possible(embedded=lab_cluster().is_embedded) if fault.short]


@pytest.fixture(scope="module")
def stage(whole_lab):
    stage = Stage(whole_lab.lab, whole_lab.pods)
    stage.pillar(stage.edge, PILLAR)
    stage.serve()
    whole_lab.apply()
    return stage


@pytest.mark.parametrize("fault", CHOSEN, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_fault_keeps_what_is_promised(stage, fault):
    outcome = run(stage, dataclasses.replace(fault, bound=math.inf), bound=math.inf, short=True)
    assert outcome.problems == []
    assert outcome.connections > 0
