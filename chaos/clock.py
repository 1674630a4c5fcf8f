"""Another wall time for one process, by a preloaded library; the machine's own clock is never touched.

Not libfaketime: its 0.9.10 breaks either ``time.sleep`` or ``threading.Event.wait`` of Python 3.11, whatever its
settings (docs/decisions/0013-a-clock-for-one-process.md).
"""

from __future__ import annotations

from pathlib import Path

from lab.processes import RUN, run

# where an edge finds it
ON_EDGE = "/usr/local/lib/clock.so"


def library() -> Path:
    """Compiled once per lab; gcc is there because Salt's own dependencies need it."""
    built = RUN / "clock.so"
    if not built.exists():
        source = Path(__file__).with_name("clock.c")
        run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(built), str(source)])
    return built


def off_by(hours: int, *, preload: str | None = None) -> dict[str, str]:
    """The environment of a process whose clock is that many hours ahead (or, negative, back)."""
    return {"LD_PRELOAD": preload or str(library()), "CLOCK_OFF_BY": str(hours * 3600)}
