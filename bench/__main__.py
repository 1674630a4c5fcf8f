"""``python -m bench``: every part in turn, each a process of its own, then the page from what was kept.

A part that fails is named at the end and loses no other; its former result stays. A quick run keeps nothing: its
figures are none to go by. The exit status says whether all could be measured, not whether goals were met.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import page
from bench.command import Interrupted, on_interrupt
from bench.parts import PARTS, ROOT, measure
from bench.result import Malformed
from lab.figures import show


def measured(names: Sequence[str], folder: Path, *, quick: bool) -> list[str]:
    """Run these parts, each result into ``folder``; those that failed, each with its reason."""
    failed = []
    for number, name in enumerate(names, start=1):
        began = time.monotonic()
        say(f"{number} of {len(names)}: {name}")
        try:
            measure(PARTS[name], folder / f"{name}.json", quick=quick)
        except (Malformed, OSError) as error:
            failed.append(f"{name} ({error})")
            say(f"{name}: FAILED, the others go on: {error}")
        else:
            say(f"{name}: measured in {time.monotonic() - began:.0f} s")
    return failed


def bench(names: Sequence[str], *, quick: bool) -> int:
    """Measure, keep, write, print; the exit status."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        folder = Path(scratch) if quick else page.KEPT
        failed = measured(names, folder, quick=quick)
        results = page.kept(folder)
    if not quick:
        for path in page.write(results):
            say(f"written: {path.relative_to(ROOT)}")
    asked = [result for name, result in results.items() if not names or name in names]
    show([figure for result in asked for figure in result.figures])
    if failed:
        print(f"bench: not measured, what was kept of them stays: {'; '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def say(text: str) -> None:
    """Progress."""
    print(f"[bench] {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="few repeats of each; keeps and writes nothing")
    parser.add_argument("--page", action="store_true", help="measure nothing: the page again, from what is kept")
    chosen = parser.parse_args(arguments)
    on_interrupt()
    try:
        return bench([] if chosen.page else chosen.only or list(PARTS), quick=chosen.quick and not chosen.page)
    except (Malformed, ImportError) as error:
        print(f"bench: {error}", file=sys.stderr)
    except Interrupted:
        print("bench: interrupted; what was measured before is kept: make bench ARGS=--page", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
