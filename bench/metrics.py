"""What metrics and status page cost the engine: memory, and whether anything wakes while nobody looks.

Two engines, one after the other, each in a real salt-master with 1,000 endpoints: one without the option, one with it
that has been scraped and has had pages open. Everything runs on loopback, and nothing is left behind.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench.command import Say, run
from bench.engine import ENDPOINTS, SETTLE, Bench
from lab.cluster import free_port
from lab.figures import Figure, figure

SCRAPES, PAGES = 100, 8
# seconds: how long pages stay open, and how long nobody looks
OPEN, QUIET = 3.0, 10.0
# seconds for one answer; an open page hears something every five
PATIENCE = 20.0


def measure(port: int | None, say: Say) -> tuple[float, int]:
    """(MB resident, threads that woke while nobody looked) of one engine."""
    options = {} if port is None else {"metrics": f"127.0.0.1:{port}"}
    with tempfile.TemporaryDirectory(prefix="bench-metrics-", ignore_cleanup_errors=True) as directory:
        bench = Bench(Path(directory), say, **options)
        with bench.running():
            if port is not None:
                say(f"{SCRAPES} scrapes and {PAGES} open pages")
                look(port)
            time.sleep(SETTLE)
            say(f"nobody looks for {QUIET:g} s")
            woken = bench.engine.woken(QUIET)
            return bench.engine.resident_mb(), woken


def look(port: int) -> None:
    """What a Prometheus and people do. Raises `OSError` when it is not answered."""
    for _ in range(SCRAPES):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
            answer.read()
    with contextlib.ExitStack() as stack:
        pages = [
            stack.enter_context(urllib.request.urlopen(f"http://127.0.0.1:{port}/events", timeout=PATIENCE))
            for _ in range(PAGES)
        ]
        until = time.monotonic() + OPEN
        while time.monotonic() < until:
            for page in pages:
                page.readline()


def figures(say: Say) -> list[Figure]:
    """Measure both engines."""
    without, woken_without = measure(None, say)
    with_it, woken_with = measure(free_port(), say)
    say(f"{ENDPOINTS:,} endpoints: {without:.1f} MB resident and {woken_without} threads that wake without the option")
    say(f"and {with_it:.1f} MB, {woken_with} threads with it")
    return [
        figure("metrics and status page, resident", "<= 5", round(with_it - without, 1), "MB"),
        figure("threads they wake while nobody looks", "<= 0", woken_with - woken_without, "threads"),
    ]


if __name__ == "__main__":
    sys.exit(run("bench.metrics", figures))
