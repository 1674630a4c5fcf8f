"""The load generators of the data plane: ``ab`` for new connections, ``wrk`` for requests on kept ones, from Debian.

They run in the client's namespace, one process for each address asked, all at once: one that is alone on its core would
hide what an edge costs. A run with a single failed request is no measurement.
"""

from __future__ import annotations

import csv
import json
import re
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import fabric
from lab.processes import RUN, LabError, netns
from lab.watchers import BENCH, missing

# connections of one process at once
AT_ONCE = 16
# ab reserves memory for as many results; far more than come in the few seconds of a run
_MOST_RESULTS = 500_000
# seconds over its time that a process may take to end
_PATIENCE = 30
# clients are other machines: that this one is busy must not make them slow
_PRIORITY = ["nice", "-n", "-10"]
_SCRIPT = Path(__file__).with_name("wrk_told.lua")
_COMPLETE = re.compile(r"^(Complete|Failed) requests:\s+(\d+)", re.M)
_TAKEN = re.compile(r"^Time taken for tests:\s+([\d.]+) seconds", re.M)


@dataclass(frozen=True)
class Shot:
    """One short run: how many a second, and how long one took, in milliseconds."""

    rate: float
    p50: float
    p99: float


Fire = Callable[[Sequence[str], int], Shot]


def require_tools() -> None:
    """Raises `LabError` with the way out when one is missing."""
    if lacking := missing(BENCH):
        raise LabError(f"needs the packages {', '.join(lacking)}: run lab/bootstrap bench")


def new_connections(urls: Sequence[str], seconds: int) -> Shot:
    """A connection for each request, timed from its opening on, a TLS handshake included."""
    tables = [RUN / f"ab-{number}.csv" for number in range(len(urls))]
    commands = [_ab(url, seconds, table) for url, table in zip(urls, tables, strict=True)]
    said = _all_at_once(commands, seconds)
    return together([of_ab(text, table.read_text()) for text, table in zip(said, tables, strict=True)])


def kept_connections(urls: Sequence[str], seconds: int) -> Shot:
    """One request after the other on connections that stay."""
    commands = [["wrk", "-t1", f"-c{AT_ONCE}", f"-d{seconds}s", "-s", str(_SCRIPT), url] for url in urls]
    return together([of_wrk(text) for text in _all_at_once(commands, seconds)])


def together(shots: Sequence[Shot]) -> Shot:
    """Of processes that ran at once: rates add up, times are those of a mean process."""
    return Shot(
        rate=sum(shot.rate for shot in shots),
        p50=statistics.fmean(shot.p50 for shot in shots),
        p99=statistics.fmean(shot.p99 for shot in shots),
    )


def of_ab(said: str, table: str) -> Shot:
    """What ab printed and its table of percentiles. Raises `LabError` when a request failed."""
    counts = {name: int(number) for name, number in _COMPLETE.findall(said)}
    taken = _TAKEN.search(said)
    if taken is None or not counts.get("Complete"):
        raise LabError(f"ab measured nothing: {said[-500:]}")
    if counts.get("Failed"):
        raise LabError(f"ab: {counts['Failed']} of {counts['Complete']} requests failed: {said[-500:]}")
    percentiles = dict(list(csv.reader(table.splitlines()))[1:])
    return Shot(counts["Complete"] / float(taken[1]), float(percentiles["50"]), float(percentiles["99"]))


def of_wrk(said: str) -> Shot:
    """The line of JSON that our script has wrk print last. Raises `LabError` when a request failed."""
    try:
        told = json.loads(said.splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise LabError(f"wrk measured nothing: {said[-500:]}") from error
    if told["failed"] or not told["requests"]:
        raise LabError(f"wrk: {told['failed']} of {told['requests']} requests failed: {said[-500:]}")
    return Shot(told["requests"] / told["seconds"], told["p50_ms"], told["p99_ms"])


def _ab(url: str, seconds: int, table: Path) -> list[str]:
    # -l: answers hold the client's port, so their lengths differ
    return ["ab", "-q", "-l", "-t", str(seconds), "-n", str(_MOST_RESULTS), "-c", str(AT_ONCE), "-e", str(table), url]


def _all_at_once(commands: Sequence[list[str]], seconds: int) -> list[str]:
    """What each printed. Raises `LabError` when one failed; none outlives this."""
    started: list[subprocess.Popen[str]] = []
    try:
        for command in commands:
            inside = netns(fabric.namespace("client"), [*_PRIORITY, *command])
            started.append(subprocess.Popen(inside, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        said = [process.communicate(timeout=seconds + _PATIENCE)[0] for process in started]
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{commands[0][0]} did not end {_PATIENCE} s after its time") from error
    finally:
        for process in started:
            process.kill()
            process.wait()
    for process, text in zip(started, said, strict=True):
        if process.returncode:
            raise LabError(f"{' '.join(commands[0])}: exit status {process.returncode}: {text[-500:]}")
    return said
