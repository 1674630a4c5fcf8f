"""What the faults cost, as a table: printed, and kept between two marks of `docs/reliability.md`.

A run of some faults replaces their rows and keeps the others. It must never write a figure that was not measured.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from pathlib import Path

from chaos.fault import Fault, Outcome
from lab.figures import Figure, aligned, figure

PAGE = Path(__file__).parent.parent / "docs/reliability.md"
_BEGIN, _END = "<!-- make chaos: begin -->", "<!-- make chaos: end -->"
TITLES = (
    "fault",
    "promise",
    "recovery p50 / max",
    "failed new connections",
    "cut streams",
    "wrong pods reached",
)


def row(fault: Fault, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """One fault over its runs."""
    times = [outcome.recovery for outcome in outcomes if outcome.recovery is not None]
    recovery = f"{statistics.median(times):.1f} s / {max(times):.1f} s" if len(times) == len(outcomes) else "LOST"
    failed, of = sum(outcome.failed for outcome in outcomes), sum(outcome.connections for outcome in outcomes)
    killed = " (its HAProxy was killed)" if fault.kills and failed else ""
    cut, wrong = sum(outcome.cut for outcome in outcomes), sum(outcome.wrong for outcome in outcomes)
    return (fault.name, fault.promise, recovery, f"{failed} of {of:,}{killed}", str(cut), str(wrong))


def text_table(rows: Sequence[Sequence[str]]) -> str:
    """For a terminal, without the promises."""
    listed = [[cell for index, cell in enumerate(each) if index != 1] for each in (TITLES, *rows)]
    return aligned(listed)


def keep(rows: Sequence[Sequence[str]], order: Sequence[str], page: Path = PAGE) -> None:
    """Put the rows into the page; ``order`` are the names of all faults there are."""
    text = page.read_text()
    head, _, rest = text.partition(_BEGIN)
    before, _, tail = rest.partition(_END)
    known = {
        line.split(" | ")[0].removeprefix("| "): line for line in before.splitlines() if re.match(r"\| .* \|$", line)
    }
    known |= {each[0]: f"| {' | '.join(each)} |" for each in rows}
    table = [f"| {' | '.join(TITLES)} |", f"|{'---|' * len(TITLES)}", *(known[name] for name in order if name in known)]
    page.write_text("\n".join([head + _BEGIN, *table, _END]) + tail)


def figures(outcomes: Sequence[Outcome], bound: float, measured: dict[str, float]) -> list[Figure]:
    """Those of the whole run, and what single faults measured."""
    timed = [(one, one.recovery) for one in outcomes if one.recovery is not None]
    usual = [recovery for one, recovery in timed if one.fault.bound is None]
    engine = [recovery for one, recovery in timed if one.fault.bound is not None]
    found = [
        figure("faults", "> 0", len({one.fault.name for one in outcomes}), "faults"),
        figure("wrong pods reached", "== 0", sum(one.wrong for one in outcomes), "answers"),
        figure("edges emptied by a fault", "== 0", sum(one.emptied for one in outcomes), "edges"),
        figure("changes lost", "== 0", sum(one.recovery is None for one in outcomes), "changes"),
        figure("failed new connections", "== 0", sum(one.failed_elsewhere for one in outcomes), "where HAProxy lived"),
        figure("cut streams", "== 0", sum(one.cut_elsewhere for one in outcomes), "where HAProxy lived"),
        figure("faults with something that does not hold", "== 0", sum(bool(one.problems) for one in outcomes), "runs"),
    ]
    if usual:
        found.append(figure("slowest recovery", f"<= {bound:.1f}", round(max(usual), 1), "s"))
    if engine:
        found.append(figure("an engine killed costs", "<= 15", round(max(engine), 1), "s"))
    return found + _of_storm(measured)


def _of_storm(measured: dict[str, float]) -> list[Figure]:
    if "storm: publishes" not in measured:
        return []
    allowed = measured["storm: publishes allowed"]
    return [
        figure("storm: changes", ">= 90", measured["storm: changes"], "a second"),
        figure("storm: publishes", f"<= {allowed:.0f}", measured["storm: publishes"], "one per min_interval"),
        figure("storm: last state everywhere", "<= 2", measured["storm: last state / quiet"], "x quiet p99"),
        figure("storm: engine memory", "<= 10", measured["storm: memory growth"], "% more"),
    ]
