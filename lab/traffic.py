"""Clients in the namespace ``hel-client``: continuous short connections, long streams, and what they saw.

`Probe` runs `lab.traffic_worker` there and collects its records; the rest is pure analysis of them. Times are
``time.monotonic()``, one clock for all processes of the machine.
"""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import fabric
from lab.processes import RUN, LabError, netns, wait_for


@dataclass(frozen=True)
class Place:
    """Where to connect: a name for the report, an address, a port, and whether to speak TLS and HTTP."""

    name: str
    address: str
    port: int
    tls: bool = False


@dataclass(frozen=True)
class Record:
    """One connection: who answered, or why nobody did; ``client`` is the address the pod was told.

    That of a stream is written when the stream has ended: its ``error`` says who cut it, and is empty at the very end.
    """

    place: str
    start: float
    end: float
    pod: str
    client: str
    error: str

    @property
    def failed(self) -> bool:
        return bool(self.error)


class Probe:
    """Connections at ``rate`` a second to each place, for ``seconds`` at most; ``streams`` to each without TLS.

    Several probes may run at once when each has a ``name`` of its own.
    """

    def __init__(
        self,
        places: Sequence[Place],
        *,
        rate: float,
        seconds: float,
        authority: Path | None = None,
        streams: int = 0,
        name: str = "traffic",
    ) -> None:
        self._order = {
            "places": [vars(place) for place in places],
            "rate": rate,
            "seconds": seconds,
            "authority": str(authority) if authority else None,
            "streams": streams,
        }
        self._output = RUN / f"{name}.jsonl"
        self._process: subprocess.Popen[bytes] | None = None
        self._records: list[Record] = []
        self._read = 0

        self._streams: list[Record] = []

    def __enter__(self) -> Probe:
        command = [sys.executable, "-m", "lab.traffic_worker", json.dumps(self._order)]
        self._output.unlink(missing_ok=True)
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                netns(fabric.namespace("client"), command),
                stdout=output,
                stdin=subprocess.DEVNULL,
                cwd=Path(__file__).resolve().parent.parent,
            )
        wait_for(lambda: self._output.stat().st_size or not self.running, 60, "the first connection of the probe")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Let what is under way finish."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)

    def records(self) -> list[Record]:
        """All so far, by their end; streams have a list of their own."""
        with self._output.open() as output:
            output.seek(self._read)
            for line in iter(output.readline, ""):
                # the last line may still be being written
                if not line.endswith("\n"):
                    break
                record = Record(*json.loads(line))
                (self._streams if record.place.startswith("stream ") else self._records).append(record)
                self._read += len(line)
        return self._records

    def streams(self) -> list[Record]:
        """Those that have ended so far."""
        self.records()
        return self._streams


def converged(records: Sequence[Record], changed_at: float, wanted: frozenset[str]) -> dict[str, float] | None:
    """Seconds from ``changed_at`` until each place answered from ``wanted`` alone; None while any has not.

    A place has converged when the last answer from another pod lies behind it and one from ``wanted`` came after; with
    nothing wanted, when the last answer lies behind and a refusal came after.
    """
    by_place: dict[str, list[Record]] = {}
    # they are in order of their end: what came before the change is not looked at again and again
    for record in itertools.takewhile(lambda record: record.end > changed_at, reversed(records)):
        by_place.setdefault(record.place, []).append(record)
    found = {place: _converged(listed, changed_at, wanted) for place, listed in by_place.items()}
    if not found or any(moment is None for moment in found.values()):
        return None
    return {place: moment for place, moment in found.items() if moment is not None}


def _converged(records: list[Record], changed_at: float, wanted: frozenset[str]) -> float | None:
    ordered = sorted(records, key=lambda record: record.start)
    wrong = [index for index, record in enumerate(ordered) if not _right(record, wanted)]
    after = ordered[wrong[-1] + 1 :] if wrong else ordered
    after = [record for record in after if record.start >= changed_at]
    return after[0].end - changed_at if after else None


def _right(record: Record, wanted: frozenset[str]) -> bool:
    return record.pod in wanted if wanted else record.failed


def fetch(place: Place, authority: Path | None = None) -> Record:
    """One connection."""
    order = {
        "places": [vars(place)],
        "rate": 0,
        "seconds": 0,
        "authority": str(authority) if authority else None,
        "streams": 0,
    }
    command = netns(fabric.namespace("client"), [sys.executable, "-m", "lab.traffic_worker", json.dumps(order)])
    checkout = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=checkout)
    if not done.stdout:
        raise LabError(f"the client said nothing: {done.stderr[-500:]}")
    return Record(*json.loads(done.stdout.splitlines()[0]))
