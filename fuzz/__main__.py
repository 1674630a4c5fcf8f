"""``python -m fuzz``: cases of all targets with progress, a table and one line of JSON.

The exit status says whether all held. ``--cases`` are shared among the targets, ``--seed`` makes a run again,
``--only`` chooses targets by a part of a name. A target that fails must never hide what the others have found.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from random import SystemRandom

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from fuzz.haproxy import PROGRAM
from fuzz.targets import TARGETS, Target
from lab.figures import Figure, figure, show

CASES = 100_000
# cases of one hypothesis run: its memory of what it tried grows with them
_CHUNK = 2_500


def fuzz(target: Target, cases: int, seed: int) -> int:
    """Examine that many cases; how many there were. Raises what the target raises, with the smallest case found."""
    examined = 0

    def examine(case: object) -> None:
        nonlocal examined
        examined += 1
        target.different.add(hash(repr(case)))
        target.examine(case)

    for chunk, first in enumerate(range(0, cases, _CHUNK)):
        _run(examine, target, min(_CHUNK, cases - first), seed + chunk)
        _say(f"{target.name}: {first + min(_CHUNK, cases - first):,} of {cases:,}; {_told(target)}")
    target.judge.flush()
    return examined


def _run(examine: object, target: Target, cases: int, seed: int) -> None:
    limits = settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        # one exception at a time, as the target raised it
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    limits(hypothesis.seed(seed)(given(target.cases())(examine)))()  # type: ignore[operator, arg-type]


def figures(cases: int, seed: int, only: str) -> list[Figure]:
    """Fuzz every chosen target with its share."""
    chosen = [target for target in TARGETS if only in target.name]
    total, failures, judged, different, seen = 0, 0, 0, 0, Counter[str]()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as directory:
        for kind in chosen:
            target = kind(Path(directory))
            try:
                total += fuzz(target, -(-cases // len(chosen)), seed)
            except Exception:
                failures += 1
                traceback.print_exc()
            judged += target.judge.judged + target.seen["alone"]
            different += len(target.different)
            seen.update(target.seen)
    return [
        figure("cases", f">= {cases}", total, "cases"),
        figure("different cases", f">= {cases // 2}", different, "cases"),
        figure("accepted", f">= {cases // 10}", seen["accepted"], "cases"),
        figure("refused, or taken in part", f">= {cases // 10}", seen["refused"], "cases"),
        figure("accepted and judged by haproxy -c", "> 0", judged, "configurations"),
        figure("targets with a case that does not hold", "== 0", failures, "targets"),
    ]


def _told(target: Target) -> str:
    seen = {"different": len(target.different), **dict(sorted(target.seen.items()))}
    return ", ".join(f"{what} {count:,}" for what, count in seen.items())


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz what takes the words of others.")
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**9))
    parser.add_argument("--only", default="", metavar="NAME", help=f"of {', '.join(one.name for one in TARGETS)}")
    arguments = parser.parse_args()
    if not any(arguments.only in target.name for target in TARGETS):
        parser.error(f"--only {arguments.only}: no target has that in its name")
    if shutil.which(PROGRAM) is None:
        print("fuzz: haproxy is needed as judge: apt install haproxy", file=sys.stderr)
        return 1
    _say(f"seed {arguments.seed}")
    found = figures(arguments.cases, arguments.seed, arguments.only)
    show(found)
    return 0 if all(one.met for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
