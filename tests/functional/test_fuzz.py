"""2,000 of the cases of `make fuzz`, always the same ones; `make fuzz` makes new ones."""

from __future__ import annotations

import re
import shutil

import pytest
from haproxy_edge_minion import snapshot, spec

from fuzz.__main__ import fuzz
from fuzz.haproxy import PROGRAM, Judge, Refused
from fuzz.targets import TARGETS, PillarCheck, SnapshotCheck

CASES, SEED = 2000, 1
pytestmark = pytest.mark.skipif(shutil.which(PROGRAM) is None, reason="needs haproxy as judge: apt install haproxy")


@pytest.mark.parametrize("kind", TARGETS, ids=lambda kind: kind.name)
def test_nothing_from_outside_raises_injects_or_is_refused_by_haproxy_once_accepted(kind, tmp_path):
    target = kind(tmp_path)
    assert fuzz(target, -(-CASES // len(TARGETS)), SEED) >= CASES // len(TARGETS)
    assert target.judge.judged > 0
    if target.name == "pillar check":
        # or the checks behind the first one were never reached
        assert target.seen["accepted"] > 50 < target.seen["refused"]


@pytest.mark.parametrize(
    ("kind", "module", "check", "loose"),
    [(SnapshotCheck, snapshot, "NAME", r"[\s\S]*"), (PillarCheck, spec, "_LINE", r"\S[\s\S]*")],
    ids=["pod", "line"],
)
def test_a_check_that_lets_everything_pass_is_found(kind, module, check, loose, tmp_path, monkeypatch):
    monkeypatch.setattr(module, check, re.compile(loose))
    # it ends with the first that is found; which cases there are also depends on the constants in our own modules
    with pytest.raises((AssertionError, ValueError)):
        fuzz(kind(tmp_path), 5 * CASES, SEED)


def test_the_judge_names_the_one_piece_that_haproxy_refuses(tmp_path):
    judge = Judge(tmp_path)
    for number in range(9):
        judge.add(f"backend b{number}\n    balance {'nonsense' if number == 5 else 'roundrobin'}\n", f"case {number}")
    with pytest.raises(Refused, match="'case 5'"):
        judge.flush()
