"""One fault, under load, measured.

What counts is seen from outside: by the clients (who answered, what failed, which stream was cut) and by the edges'
files and processes. A problem is a finding of the run, never an exception: the next fault has to get its turn.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from chaos.fault import SHORT, Fault, Outcome
from chaos.stage import PORT, Stage, names
from lab.processes import LabError
from lab.traffic import Probe, Record

# new connections a second to each place, streams to each, and how long a probe may live: seconds
RATE, STREAMS, LONGEST = 5.0, 1, 240.0
# seconds for which clients go on after recovery
_TAIL = 0.8
_LOOK_EVERY = 0.2


def run(stage: Stage, fault: Fault, *, bound: float, short: bool = False) -> Outcome:
    """Begin, change, last, end, recover; `Outcome` says what it cost."""
    outcome = Outcome(fault)
    stage.reset()
    with Probe(stage.lab.places(PORT), rate=RATE, seconds=LONGEST, streams=STREAMS) as probe:
        began = time.monotonic()
        with _watching(stage, outcome):
            _act(stage, fault, outcome, short)
        recovered = time.monotonic()
        time.sleep(_TAIL)
        _count(outcome, probe, stage, began, recovered)
    _hold(stage, fault, outcome, bound)
    return outcome


def _act(stage: Stage, fault: Fault, outcome: Outcome, short: bool) -> None:
    since = time.monotonic()
    try:
        fault.begin(stage)
        since = time.monotonic()
        fault.change(stage)
        if not fault.instant:
            time.sleep(min(fault.lasts, SHORT) if short else fault.lasts)
    except LabError as error:
        outcome.problems.append(f"while it lasted: {error}")
    finally:
        fault.end(stage)
    if not fault.instant:
        since = time.monotonic()
    try:
        stage.await_right()
        outcome.recovery = time.monotonic() - since
    except LabError as error:
        outcome.problems.append(str(error))


def _hold(stage: Stage, fault: Fault, outcome: Outcome, bound: float) -> None:
    limit = bound if fault.bound is None else fault.bound
    if outcome.recovery is not None and outcome.recovery > limit:
        outcome.problems.append(f"right only after {outcome.recovery:.1f} s, not within {limit:.1f} s")
    for count, what in (
        (outcome.wrong, "answers of a wrong pod"),
        (outcome.emptied, "edges emptied"),
        (outcome.failed_elsewhere, "new connections failed where HAProxy was not killed"),
        (outcome.cut_elsewhere, "streams cut where HAProxy was not killed"),
    ):
        if count:
            outcome.problems.append(f"{count} {what}")
    try:
        fault.holds(stage)
    except (LabError, AssertionError) as error:
        outcome.problems.append(f"does not hold: {error}")


@contextlib.contextmanager
def _watching(stage: Stage, outcome: Outcome) -> Iterator[None]:
    """Look at every edge again and again: none may ever have nobody to send a connection to."""
    over, emptied = threading.Event(), set[str]()

    def watch() -> None:
        while not over.wait(_LOOK_EVERY):
            emptied.update(edge.name for edge in stage.lab.edges if stage.empty(edge))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        outcome.emptied = len(emptied)


def _count(outcome: Outcome, probe: Probe, stage: Stage, began: float, recovered: float) -> None:
    """From the beginning of the fault on; a wrong pod is one that was never wanted, or after recovery is no more."""
    now = names(stage.wanted)
    probe.stop()
    records = [record for record in probe.records() if record.end >= began]
    failed = [record for record in records if record.failed]
    cut = [record for record in probe.streams() if record.failed]
    elsewhere = _not_at(outcome.fault.kills)
    outcome.connections = len(records)
    outcome.failed, outcome.failed_elsewhere = len(failed), len(list(filter(elsewhere, failed)))
    outcome.cut, outcome.cut_elsewhere = len(cut), len(list(filter(elsewhere, cut)))
    answered = [record for record in records if not record.failed]
    outcome.wrong = sum(record.pod not in (now if record.start > recovered else stage.ever) for record in answered)
    unexpected = list(filter(elsewhere, failed + cut))
    outcome.problems += [f"{record.place}: {record.error}" for record in unexpected[:3]]


def _not_at(edges: tuple[str, ...]) -> Callable[[Record], bool]:
    return lambda record: not any(f"{edge}/" in record.place for edge in edges)
