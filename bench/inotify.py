"""When files were opened, put in place or removed, as the kernel tells whoever asks.

So a border that leaves a trace on a disk is seen without a line in the product: an order that is stored, a reactor's
SLS that is opened, a job that a minion has begun. A process of its own reads the kernel's events, ahead of all others,
because one that waits for its turn would stamp them late. It must never miss an event in silence: a queue that ran over
is an error.

Source: inotify(7).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from lab.processes import LabError, wait_for

OPENED, MOVED_IN, CREATED, REMOVED = 0x20, 0x80, 0x100, 0x200
_DIRECTORY, _OVERFLOW, _IGNORED = 0x40000000, 0x4000, 0x8000
_HEAD = struct.Struct("iIII")
# seconds
_START_PATIENCE = 20
_READY = "ready\n"


@dataclass(frozen=True)
class Seen:
    """``place``: what the watch was called; ``name``: the file in it, empty for itself; ``at``: seconds since 1970."""

    at: float
    place: str
    name: str
    what: int


class Watches:
    """A context in which the places are watched; what is seen goes through ``file``.

    ``places``: (what to call it, path, kinds). Raises `LabError` when a path is not there.
    """

    def __init__(self, file: Path, places: list[tuple[str, Path, int]]) -> None:
        self._file = file
        self._places = [(place, str(path), what) for place, path, what in places]
        self._read = 0
        self._seen: list[Seen] = []

    def __enter__(self) -> Watches:
        with self._file.open("wb") as output:
            command = [sys.executable, "-m", "bench.inotify", json.dumps(self._places)]
            checkout = Path(__file__).resolve().parent.parent
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, text=True, cwd=checkout)
        wait_for(self._is_ready, _START_PATIENCE, "the kernel's events to be read")
        self._read = len(_READY)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            raise LabError(self._process.communicate()[1].strip().splitlines()[-1])
        return self._file.stat().st_size >= len(_READY)

    def forget(self) -> None:
        """What was seen so far."""
        self.seen()
        self._seen.clear()

    def seen(self) -> list[Seen]:
        """In the order of the events. Raises `LabError` when some were lost."""
        if self._process.poll() is not None:
            raise LabError(f"the kernel's events are read no more: {self._process.communicate()[1][-500:]}")
        with self._file.open() as lines:
            lines.seek(self._read)
            for line in iter(lines.readline, ""):
                # the last one may still be being written
                if not line.endswith("\n"):
                    break
                self._seen.append(Seen(*json.loads(line)))
                self._read += len(line)
        return list(self._seen)


def events(data: bytes) -> Iterator[tuple[int, int, str]]:
    """(watch, mask, name) of each ``struct inotify_event``."""
    at = 0
    while at < len(data):
        number, mask, _, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        yield number, mask, data[at : at + length].rstrip(b"\0").decode(errors="replace")
        at += length


def _tell(places: list[tuple[str, str, int]]) -> None:
    """For as long as this process lives."""
    descriptor, names = _watched(places)
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    sys.stdout.write(_READY)
    sys.stdout.flush()
    while True:
        data, now = os.read(descriptor, 1 << 16), time.time()
        for number, mask, name in events(data):
            if mask & _OVERFLOW:
                sys.exit("inotify: more events than its queue takes; some borders were not seen")
            if number in names and not mask & _IGNORED:
                print(json.dumps(astuple(Seen(now, names[number], name, mask & ~_DIRECTORY))), flush=True)


def _watched(places: list[tuple[str, str, int]]) -> tuple[int, dict[int, str]]:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor, names = libc.inotify_init1(0), {}
    for place, path, what in places:
        number = libc.inotify_add_watch(descriptor, os.fsencode(path), what)
        if number < 0:
            code = ctypes.get_errno()
            hint = "; raise fs.inotify.max_user_watches" if code == errno.ENOSPC else ""
            sys.exit(f"{path}: cannot be watched: {os.strerror(code)}{hint}")
        names[number] = place
    return descriptor, names


if __name__ == "__main__":
    _tell(json.loads(sys.argv[1]))
