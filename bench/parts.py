"""What `make bench` is made of, and how one part is run: a process of its own, so that none can spoil another.

Of a part with a title here the last line is taken: it has figures and notes and no more. It must never keep the
result of a part that failed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.command import Interrupted, undisturbed
from bench.machine import facts
from bench.result import Malformed, Result
from lab.figures import Figure

ROOT = Path(__file__).parent.parent
# seconds that an interrupted part may take to take its lab down
_TAKE_DOWN = 120


@dataclass(frozen=True)
class Part:
    """The module ``bench.<name>``. With ``title`` it prints figures and notes only, and takes these arguments."""

    name: str
    title: str = ""
    arguments: tuple[str, ...] = ()
    quick_arguments: tuple[str, ...] = ()


# in the order of the page
PARTS = {
    part.name: part
    for part in (
        Part("side_by_side"),
        Part("growth"),
        Part("storm"),
        Part("data_plane"),
        Part("waterfall"),
        Part(
            "hot",
            "The hot lane by itself",
            ("--changes", "50", "--per-size", "8"),
            ("--changes", "8", "--per-size", "2"),
        ),
        Part("engine", "The engine by itself, 1,000 endpoints"),
        Part("metrics", "What metrics and status page cost"),
        Part("operate", "Asking a big fleet"),
    )
}


def measure(part: Part, out: Path, *, quick: bool) -> None:
    """Run it and have its result in ``out``. Raises `Malformed` or ``OSError``; ``out`` is as it was then."""
    module = [sys.executable, "-m", f"bench.{part.name}"]
    if part.title:
        printed = _run([*module, *(part.quick_arguments if quick else part.arguments)])
        figures, notes = told_by(printed)
        Result(part.name, part.title, figures, notes, machine=facts(), quick=quick).save(out)
    else:
        _run([*module, "--out", str(out), *(["--quick"] if quick else [])])
        Result.load(out)


def told_by(printed: str) -> tuple[list[Figure], list[str]]:
    """Figures and notes of the last line. Raises `Malformed`."""
    try:
        line = json.loads(printed.splitlines()[-1])
        return [Figure(**each) for each in line["figures"]], list(line.get("notes", ()))
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise Malformed(f"its last line is no JSON of figures: {printed[-200:]!r}") from error


def _run(command: Sequence[str]) -> str:
    """What it printed. Interrupted, the part is interrupted as well, and waited for: it has a lab to take down."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        printed, _ = process.communicate()
    except Interrupted:
        with undisturbed():
            process.terminate()
            try:
                process.wait(_TAKE_DOWN)
            except subprocess.TimeoutExpired:
                process.kill()
        raise
    print(printed, file=sys.stderr, end="", flush=True)
    if process.returncode:
        raise Malformed(f"exit status {process.returncode}")
    return printed
