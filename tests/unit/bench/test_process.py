"""What processes have used is what they and their ended children have used."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.process import Process, spent
from lab.processes import LabError

BURNT = 0.2


def burn() -> None:
    code = f"import time\nwhile time.process_time() < {BURNT}: pass"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_child_that_has_ended_counts_for_its_parent():
    before, alone = spent([os.getpid()]), Process(os.getpid()).cpu_seconds()
    burn()
    used, alone = spent([os.getpid()]) - before, Process(os.getpid()).cpu_seconds() - alone
    assert used - alone >= BURNT - 0.02


def test_a_process_that_is_gone_counts_nothing_and_cannot_be_looked_at():
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert spent([gone.pid]) == 0
    with pytest.raises(LabError, match=f"process {gone.pid} has ended"):
        Process(gone.pid).cpu_seconds()


def test_memory_is_that_of_the_process():
    me = Process(os.getpid())
    assert 0 < me.private_mb() <= me.resident_mb()
