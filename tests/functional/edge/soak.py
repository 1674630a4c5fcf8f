"""``make soak``: tens of thousands of random steps on the HAProxy of each release, with the same machine as the tests.

The first step that breaks a promise ends it, with the steps that led there.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from lab.figures import figure, show
from tests.functional.edge.binaries import RELEASES, haproxy, version
from tests.functional.edge.machine import SETTINGS, EdgeMachine

STEPS = 50_000
# seconds
_TELL_EVERY = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="in all, over both releases")
    each = -(-parser.parse_args().steps // len(RELEASES))
    figures, broken = [], []
    for release in RELEASES:
        program = haproxy(release)
        done, breach = soak(program, each)
        figures.append(figure(f"random steps on HAProxy {version(program)}", f">= {each}", done, ""))
        broken += breach
    print(*broken, sep="\n", file=sys.stderr)
    figures.append(figure("broken promises: no parity, a leaked server, a cut session", "== 0", len(broken), ""))
    show(figures)
    return int(not all(one.met for one in figures))


def soak(program: Path, wanted: int) -> tuple[int, list[str]]:
    """(steps done, what broke: the first breach ends it)."""
    machine = type("Machine", (EdgeMachine,), {"haproxy": program, "steps": 0, "breaches": []})
    began = told = time.monotonic()
    while machine.steps < wanted:
        try:
            run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=5))
        except Exception as error:
            return machine.steps, ["\n".join([*machine.breaches, repr(error), *getattr(error, "__notes__", [])])]
        if time.monotonic() - told > _TELL_EVERY:
            told = time.monotonic()
            print(
                f"HAProxy {version(program)}: {machine.steps} of {wanted} steps, {told - began:.0f} s", file=sys.stderr
            )
    return machine.steps, []


if __name__ == "__main__":
    sys.exit(main())
