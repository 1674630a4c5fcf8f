"""Processes the lab started, by pid, so that only those are ended, also after the lab itself was killed.

A pid alone may have been given to another process since, so its start time is kept beside it; nothing is ever ended
by name.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

# several labs may run side by side: each name has its own namespaces, groups, mounts and folder
NAME = os.environ.get("HAPROXY_EDGE_LAB", "hel")
RUN = Path(f"/run/haproxy-edge-lab-{NAME}")


class LabError(Exception):
    """Something in the lab did not work; the message says what and where to look."""


def netns(namespace: str | None, command: Sequence[str]) -> list[str]:
    """The command inside a network namespace; as it is when there is none."""
    return ["ip", "netns", "exec", namespace, *command] if namespace else list(command)


def spawn(
    name: str, command: Sequence[str], *, run: Path = RUN, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start in a session of its own, with its output in ``<run>/<name>.log`` and its pid in ``<name>.pid``."""
    run.mkdir(parents=True, exist_ok=True)
    with (run / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
    (run / f"{name}.pid").write_text(f"{process.pid} {_started(process.pid)}")
    return process


def recorded(pid_file: Path) -> int | None:
    """The pid in the file, if that very process is still there: a pid may have been given to another since."""
    try:
        pid, started = map(int, pid_file.read_text().split())
    except (FileNotFoundError, ValueError):
        return None
    return pid if _started(pid) == started else None


def end(pid_file: Path, *, patience: float = 5.0, first: signal.Signals = signal.SIGTERM) -> None:
    """End the process group: asked first, killed after ``patience`` seconds."""
    pid = recorded(pid_file)
    if pid is not None:
        signal_group(pid, first)
        with contextlib.suppress(LabError):
            wait_for(lambda: recorded(pid_file) is None, patience, "the process to end")
        signal_group(pid, signal.SIGKILL)
    pid_file.unlink(missing_ok=True)


def signal_group(pid: int, number: signal.Signals) -> None:
    """To a process we started and all that it started in its session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def session(leader: int) -> Iterator[int]:
    """Process ids of all that runs in the session which that process leads."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(stat.read_text().rpartition(")")[2].split()[3]) == leader:
                yield int(stat.parent.name)


def title(pid: int) -> str:
    """Its command line; empty once it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def wait_for(condition: Callable[[], object], timeout: float, what: str, *, every: float = 0.05) -> None:
    """Raises `LabError` when ``condition`` is not true within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"waited {timeout:g} s in vain for {what}")
        time.sleep(every)


def run(command: Sequence[str], *, timeout: float = 120, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run to the end; `LabError` with its output when it fails."""
    result = subprocess.run(list(command), capture_output=True, text=True, timeout=timeout, check=False)
    if check and result.returncode:
        said = (result.stderr + result.stdout).strip()[-2000:]
        raise LabError(f"{' '.join(command)[:200]}: exit status {result.returncode}: {said}")
    return result


def _started(pid: int) -> int:
    """The start time of a process in clock ticks since boot; 0 when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] == "Z" else int(fields[19])
