"""``python -m chaos``: one fault after the other in one lab, under load; a table, the page, and one line of JSON.

``-k`` chooses faults by a part of their name, ``--repeat`` runs each so often, ``--list`` names them. The exit status
says whether everything promised held. What a fault has left behind must never be taken for the next one's: each begins
with every edge right.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from haproxy_edge.options import check

from chaos import api, edge, engine, hostile, master, report
from chaos.fault import Fault, Outcome
from chaos.runner import run
from chaos.stage import PILLAR, Stage
from lab import topology
from lab.cluster import lab_cluster
from lab.demo import start
from lab.figures import show
from lab.image import say
from lab.master import CHECKOUT, Master
from lab.processes import RUN, LabError
from lab.topology import SERVICE, Lab

ALL: tuple[Fault, ...] = (*api.FAULTS, *engine.FAULTS, *master.FAULTS, *edge.FAULTS, *hostile.FAULTS)
ENGINE = {"watch_timeout": 6, "read_timeout": 8, "backoff_max": 2}
# seconds
ACK_TIMEOUT = check({"services": [SERVICE], **ENGINE}).ack_timeout


class ChaosLab(Lab):
    """A lab whose engine can be killed at chosen points, with a file root and a reactor of the site's own."""

    def configure_engine(self, **options: object) -> None:
        self._engine.update(options)
        under_fire = {"engine_module": "k8s_endpoints_under_fire", "kill_at": str(engine.KILL_AT), **self._engine}
        (RUN / "site").mkdir(exist_ok=True)
        ours = Master(self.pillar).configuration()["reactor"]
        self.master.configure(
            engines=[{"k8s_endpoints": under_fire}],
            engines_dirs=[str(CHECKOUT / "chaos/engines")],
            reactor=[*ours, {master.FLOOD_TAG: [str(master.FLOOD_SLS)]}],
            file_roots={"base": [str(RUN / "site"), str(CHECKOUT / "salt/states")]},
        )


def state_run(stage: Stage) -> float:
    """Seconds of one ``state.apply haproxy`` on every edge, the slower of two."""
    took = []
    for _ in range(2):
        began = time.monotonic()
        stage.apply()
        took.append(time.monotonic() - began)
    return max(took)


def possible(*, embedded: bool) -> list[Fault]:
    """All that can be had: a real API server (the lab's is not ``embedded``) has no switches."""
    return [fault for fault in ALL if embedded or not fault.switched]


def chaos(chosen: list[Fault], repeat: int) -> int:
    """Run them all; the exit status."""
    outcomes: list[Outcome] = []
    lab = ChaosLab(engine=ENGINE)
    try:
        stage = Stage(lab, start(lab))
        stage.pillar(stage.edge, PILLAR)
        bound = ACK_TIMEOUT + state_run(stage)
        say(f"every edge has to be right {bound:.1f} s after a fault: ack_timeout and one state run")
        for number, fault in enumerate(chosen, start=1):
            say(f"{number} of {len(chosen)}: {fault.name}")
            outcomes += [_one(stage, fault, bound) for _ in range(repeat)]
    finally:
        topology.down()
    return _told(outcomes, bound, stage.figures)


def _one(stage: Stage, fault: Fault, bound: float) -> Outcome:
    try:
        outcome = run(stage, fault, bound=bound)
    except Exception as error:
        # the lab itself did not work: that is no figure of the fault, and no reason to leave out the others
        outcome = Outcome(fault, problems=[repr(error)])
    told = "lost" if outcome.recovery is None else f"right after {outcome.recovery:.1f} s"
    say(f"  {told}; {outcome.failed} of {outcome.connections} connections failed, {outcome.cut} streams cut")
    for problem in outcome.problems:
        say(f"  NOT HELD: {problem}")
    return outcome


def _told(outcomes: list[Outcome], bound: float, measured: dict[str, float]) -> int:
    by_name: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_name.setdefault(outcome.fault.name, []).append(outcome)
    rows = [report.row(found[0].fault, found) for found in by_name.values()]
    report.keep(rows, [fault.name for fault in ALL])
    print(report.text_table(rows))
    for outcome in outcomes:
        for problem in outcome.problems:
            print(f"{outcome.fault.name}: NOT HELD: {problem}")
    figures = report.figures(outcomes, bound, measured)
    show(figures)
    return 0 if all(one.met for one in figures) else 1


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Faults in the lab, under load.")
    parser.add_argument(
        "-k", "--only", action="append", default=[], metavar="NAME", help="faults with that in the name"
    )
    parser.add_argument("--repeat", type=int, default=1, help="runs of each, for p50 and max (1)")
    parser.add_argument("--short", action="store_true", help="those of `make test` only")
    parser.add_argument("--list", action="store_true", help="name the faults and end")
    arguments = parser.parse_args()
    wanted = arguments.only or [""]
    known = possible(embedded=lab_cluster().is_embedded)
    chosen = [fault for fault in known if any(part in fault.name for part in wanted) and fault.short >= arguments.short]
    if arguments.list or not chosen:
        print("\n".join(f"{fault.name}: {fault.promise}" for fault in known))
        return 0 if arguments.list else 2
    if os.geteuid() != 0:
        print("chaos: the lab needs root", file=sys.stderr)
        return 1
    try:
        return chaos(chosen, arguments.repeat)
    except (LabError, KeyboardInterrupt) as error:
        print(f"chaos: {error or 'interrupted'}; everything is taken down", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
