"""How every bench runs as a command: progress on stderr, figures on stdout, and an end that cleans up.

It must never let a goal that is missed look like a failure, nor an interrupted run like a measured one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from bench.machine import facts
from bench.result import Result
from lab.figures import Figure, show
from lab.kubeapi.client import ApiFailure
from lab.processes import LabError

Say = Callable[[str], None]
_INTERRUPTS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(BaseException):
    """Not a KeyboardInterrupt: Salt's event bus swallows those."""


def run(name: str, measure: Callable[[Say], Sequence[Figure]], *, notes: Sequence[str] = ()) -> int:
    """Measure and print; 0 when everything could be measured, whether or not the goals are met.

    ``notes``: what has to be known beside the figures.
    """
    on_interrupt()
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:5.1f} s] {text}", file=sys.stderr, flush=True)

    try:
        figures = measure(say)
    except (LabError, ApiFailure, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except Interrupted:
        print(f"{name}: interrupted", file=sys.stderr)
        return 1
    show(figures, notes=notes)
    return 0


def run_part(
    part: str, about: str | None, measure: Callable[[Say, bool], Result], arguments: Sequence[str] | None = None
) -> int:
    """One part of ``make bench`` as a command: ``measure(say, quick)`` needs root; ``--out`` keeps all it found."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{part}", description=(about or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few repeats: to see that it works, not for figures")
    parser.add_argument("--out", type=Path, metavar="FILE", help="keep the whole result there, as JSON")
    chosen = parser.parse_args(arguments)

    def figures(say: Say) -> Sequence[Figure]:
        if os.geteuid() != 0:
            raise LabError("needs root: network namespaces and containers")
        result = replace(measure(say, chosen.quick), quick=chosen.quick, machine=facts())
        if chosen.out:
            result.save(chosen.out)
        for table in result.tables:
            print(table.text(), end="\n\n")
        return result.figures

    return run(f"bench.{part}", figures)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """No interrupt reaches what is inside: taking down what was started, whatever comes."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def on_interrupt() -> None:
    """From now on an interrupt is raised as `Interrupted`."""
    for number in _INTERRUPTS:
        signal.signal(number, _interrupted)


def _interrupted(number: int, frame: object) -> NoReturn:
    raise Interrupted
