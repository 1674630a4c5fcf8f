"""How every bench runs as a command: progress on stderr, figures on stdout, and an end that cleans up.

It must never let a goal that is missed look like a failure, nor an interrupted run like a measured one.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from bench.figures import Figure, show
from lab.kubeapi.client import ApiFailure
from lab.processes import LabError

Say = Callable[[str], None]
_INTERRUPTS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(BaseException):
    """Not a KeyboardInterrupt: Salt's event bus swallows those."""


def run(name: str, measure: Callable[[Say], Sequence[Figure]]) -> int:
    """Measure and print; 0 when everything could be measured, whether or not the goals are met."""
    for number in _INTERRUPTS:
        signal.signal(number, _interrupted)
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
    show(figures)
    return 0


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """No interrupt reaches what is inside: taking down what was started, whatever comes."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupted(number: int, frame: object) -> NoReturn:
    raise Interrupted
