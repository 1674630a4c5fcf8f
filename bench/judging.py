"""What it costs an edge to have HAProxy judge its file, and what it cost before: both by turns, in one run.

Before is the plain ``haproxy -c``; now is the look that leaves out the system's certificates (`config_file`). Asked
inside the edge, about the very file it has. It must never change that file.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.result import Cell, Table
from lab.hosts import EdgeHost

ROUNDS = 15
_ASK = """
import json, os, resource, subprocess, sys, time
sys.path.insert(0, "/var/cache/salt/minion/extmods/utils")
from haproxy_edge_minion.config_file import NO_CERTIFICATES
rounds = int(sys.argv[1])
descriptor = os.memfd_create("first")
os.write(descriptor, NO_CERTIFICATES.encode())
ways = [[], ["-f", f"/dev/fd/{descriptor}"]]
found = [[], []]
def cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
for _ in range(rounds):
    for way, rows in zip(ways, found):
        began, before = time.perf_counter(), cpu()
        command = ["haproxy", "-c", *way, "-f", "/etc/haproxy/haproxy.cfg"]
        done = subprocess.run(command, capture_output=True, text=True, pass_fds=[descriptor])
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        rows.append((time.perf_counter() - began, cpu() - before))
said = subprocess.run(["haproxy", "-v"], capture_output=True, text=True).stdout.split()
print(json.dumps({"version": said[2], "before": found[0], "now": found[1]}))
"""


@dataclass(frozen=True)
class Judging:
    """Milliseconds of one look, and of them processor time; medians."""

    version: str
    before: tuple[float, float]
    now: tuple[float, float]


def judging(edge: EdgeHost, rounds: int = ROUNDS) -> Judging:
    """Of that edge's HAProxy. Raises `LabError` with its words when it refuses the file."""
    said = json.loads(edge.run(["python3", "-c", _ASK, str(rounds)]).stdout)
    return Judging(said["version"].partition("-")[0], _medians(said["before"]), _medians(said["now"]))


def table(rows: Sequence[Judging]) -> Table:
    """Before and now."""
    cells: list[list[Cell]] = [
        [one.version, *_round(one.before), *_round(one.now), f"{one.now[1] / one.before[1]:.2f}"] for one in rows
    ]
    columns = ["HAProxy", "before, ms", "of it CPU", "now, ms", "of it CPU", "CPU now / before"]
    note = (
        "An edge has HAProxy judge its file at each change, while traffic flows already. HAProxy 2.6 reads all "
        "certificates of the system for that; now it is asked in a way in which it does not. By turns, in one run."
    )
    return Table("Judging the file, before and now", columns, cells, note=note)


def _round(pair: tuple[float, float]) -> tuple[float, float]:
    return round(pair[0], 1), round(pair[1], 1)


def _medians(rows: Sequence[Sequence[float]]) -> tuple[float, float]:
    wall, cpu = (statistics.median(column) * 1000 for column in zip(*rows, strict=True))
    return wall, cpu
