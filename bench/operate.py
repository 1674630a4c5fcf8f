"""What it takes to ask: ``salt-run haproxy_edge.status`` on a big fleet, and with ``--doctor`` a doctor's visit.

``status`` is timed as a person meets it, from the command to its end, with a real salt-master beside it; the store is a
made one of 200 edges and 50 services. The doctor's part needs root: it starts the lab, times a visit, plants each fault
of the end-to-end test and counts those that are named. It must never touch a Salt that was here before.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from haproxy_edge import __version__

from bench.command import Say, run
from bench.lone_master import START_PATIENCE, LoneMaster
from lab.demo import start
from lab.doctor_faults import GROUPS, planted, visit
from lab.figures import Figure, figure
from lab.processes import LabError, wait_for
from lab.topology import Lab, down

EDGES, SERVICES, RUNS = 200, 50, 9


def made_report(now: float, *, edges: int = EDGES, services: int = SERVICES) -> dict[str, Any]:
    """What the engine of a big fleet reports; a few edges are behind."""
    names = [f"apps-{number % 5}/service-{number:02}" for number in range(services)]
    generation = int(now * 1000)
    return {
        "at": now,
        "pid": os.getpid(),
        "version": __version__,
        "cluster": "default",
        "options": {"stale_after": 300},
        "watches": [_watch(space, names[space::5], now) for space in range(5)],
        "services": {name: _service(number, generation) for number, name in enumerate(names)},
        "edges": {f"edge-{number:03}": _edge(number, names, generation, now) for number in range(edges)},
        "counters": {},
        "convergence": {"bounds": [], "counts": [], "sum": 0.0, "count": 0},
    }


def _watch(space: int, services: list[str], now: float) -> dict[str, Any]:
    return {
        "path": f"/apis/discovery.k8s.io/v1/namespaces/apps-{space}/endpointslices",
        "services": services,
        "condition": "ok",
        "message": "following",
        "last_contact": now - 3,
        "relists": {},
    }


def _service(number: int, generation: int) -> dict[str, Any]:
    return {
        "generation": generation,
        "digest": f"sha256:{number:064x}",
        "ready": 20,
        "draining": 1,
        "held": None,
        "held_since": None,
    }


def _edge(number: int, services: list[str], generation: int, now: float) -> dict[str, Any]:
    late = number % 50 == 7
    return {
        "behind_since": now - 40 if late else None,
        "applied": dict.fromkeys(services, generation - 1000 * late),
        "lacks": services if late else [],
        "lane": "hot",
        "reload": {"at": now - 86400, "reason": "frontends, settings or server flags changed"},
        "problems": [],
        "state_needed": None,
        "heard_at": now - 5,
        "ms": 12.5,
    }


class MadeMaster:
    """A salt-master on loopback without minions, whose store holds a made report."""

    def __init__(self, directory: Path) -> None:
        self._master = LoneMaster(directory)

    def start(self) -> None:
        """Returns when it takes requests and the report is there."""
        here = self._master.directory
        self._master.begin()
        wait_for((here / "sock/workers.ipc").exists, START_PATIENCE, f"salt-master (see {here}/master.log)")
        self._store()

    def stop(self) -> None:
        """Ask it to end, and see to it."""
        self._master.stop()

    def _store(self) -> None:
        import salt.config
        from haproxy_edge.salt_adapter import SaltCache
        from haproxy_edge.store import Store

        opts = salt.config.master_config(str(self._master.directory / "etc/master"))
        Store(SaltCache(opts)).save_report("default", made_report(time.time()))

    def seconds(self, *arguments: str, wanted: int) -> float:
        """From the start of ``salt-run`` to its end. Raises `LabError` when it did not end as it should."""
        command = self._master.command("salt-run", *arguments)
        began = time.monotonic()
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"}
        )
        took = time.monotonic() - began
        if done.returncode != wanted:
            raise LabError(f"salt-run {' '.join(arguments)}: exit status {done.returncode}: {done.stderr[-500:]}")
        self.said = done.stdout
        return took


def status_figures(say: Say) -> list[Figure]:
    """The median of some runs; each has to show all of it."""
    with tempfile.TemporaryDirectory(prefix="haproxy-edge-bench-") as directory:
        master = MadeMaster(Path(directory) / "master")
        try:
            master.start()
            floor = statistics.median(master.seconds("test.arg", wanted=0) for _ in range(RUNS))
            # some edges are behind, so it says so
            times = [master.seconds("haproxy_edge.status", "--out=json", wanted=1) for _ in range(RUNS)]
            rows = json.loads(master.said)
        finally:
            master.stop()
    if (len(rows["edges"]), len(rows["services"])) != (EDGES, SERVICES):
        raise LabError(f"status showed {len(rows['edges'])} edges and {len(rows['services'])} services")
    say(f"salt-run takes {floor:.2f} s to do nothing, {statistics.median(times):.2f} s for the status")
    return [
        figure(
            f"status of {EDGES} edges and {SERVICES} services, Salt's start included",
            "<= 1.5",
            round(statistics.median(times), 2),
            "s",
        )
    ]


def _visit(lab: Lab) -> tuple[float, list[dict[str, Any]]]:
    """(seconds from the command to its end, findings)"""
    began = time.monotonic()
    findings = visit(lab)
    return time.monotonic() - began, findings


def doctor_figures(say: Say) -> list[Figure]:
    """A visit to the healthy lab, and one per planted fault."""
    lab = Lab()
    faults = [fault for group in GROUPS.values() for fault in group]
    try:
        pods = start(lab)
        wait_for(lambda: lab.master.run("haproxy_edge.status")["retcode"] == 0, 60, "every edge to have confirmed")
        took, findings = _visit(lab)
        longest = took
        wrong = [finding for finding in findings if finding["state"] == "wrong"]
        for finding in wrong:
            say(f"healthy, and yet: {finding}")
        named = 0
        for name, group in GROUPS.items():
            with planted(group, lab, pods):
                seconds, findings = _visit(lab)
            longest = max(longest, seconds)
            say(f"{name}: {seconds:.1f} s")
            for fault in group:
                seen = fault.named(findings)
                named += seen
                say(f"{'named' if seen else 'NOT NAMED'}: {fault.name}")
    finally:
        down()
    return [
        figure("doctor on the lab, salt-run included", "<= 20", round(took, 1), "s"),
        figure("doctor while faults are planted, the longest visit", "<= 20", round(longest, 1), "s"),
        figure(f"planted faults named, of {len(faults)}", f">= {len(faults)}", named, "faults"),
        figure("findings on the healthy lab that are wrong", "<= 0", len(wrong), "findings"),
    ]


def main() -> int:
    """Measure and print; 0 when everything could be measured, whether or not the goals are met."""
    parser = argparse.ArgumentParser(prog="python -m bench.operate", description=__doc__.splitlines()[0])
    parser.add_argument("--doctor", action="store_true", help="the doctor's figures as well; needs root")
    arguments = parser.parse_args()
    return run("bench.operate", lambda say: status_figures(say) + (doctor_figures(say) if arguments.doctor else []))


if __name__ == "__main__":
    sys.exit(main())
