"""A way pays for every process that comes from it, also for those that have ended."""

from __future__ import annotations

import subprocess
import sys

from bench.process import spent
from bench.trees import Peak, memory_mb, tree
from lab.processes import wait_for

# a child that works and ends, and one that stays; then a line
_PARENT = """
import subprocess, sys
work = "import time\\nwhile time.process_time() < 0.3: pass"
subprocess.run([sys.executable, "-c", work])
stay = "held = bytearray(50_000_000); print('there', flush=True); input()"
child = subprocess.Popen([sys.executable, "-c", stay], stdin=subprocess.PIPE)
input()
child.communicate(b"x")
"""


def test_a_tree_has_what_ended_children_used_and_what_living_ones_hold():
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        try:
            assert parent.stdout.readline() == "there\n"
            whole = tree(parent.pid)
            assert len(whole) == 2
            assert spent(whole) > 0.3
            assert memory_mb(whole) > 50 > memory_mb({parent.pid})
            with Peak(lambda: tree(parent.pid)) as peak:
                wait_for(lambda: peak.mb, 60, "a look")
            assert peak.mb > 50
        finally:
            parent.communicate("x\n")


def test_processes_that_are_gone_hold_nothing():
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert memory_mb(tree(gone.pid)) == 0.0
