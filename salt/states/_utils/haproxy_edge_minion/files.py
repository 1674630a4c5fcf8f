"""The edge's files: where they are and how they are replaced.

A file is replaced whole or not at all, and is on the disk before anything goes on, unless its caller can do without it
after a power cut.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

BACKUP_SUFFIX = ".before-haproxy-edge"


@dataclass(frozen=True)
class Paths:
    """Where things are on an edge."""

    config: Path = Path("/etc/haproxy/haproxy.cfg")
    state: Path = Path("/var/lib/haproxy-edge")
    socket: Path = Path("/run/haproxy/admin.sock")
    haproxy: Path = Path("/usr/sbin/haproxy")

    @property
    def backup(self) -> Path:
        """The hand-written configuration found at first apply."""
        return self.config.with_name(self.config.name + BACKUP_SUFFIX)

    @property
    def applied(self) -> Path:
        """The record of what the configuration file holds."""
        return self.state / "applied.json"

    @property
    def good(self) -> Path:
        """The last record that was proven to serve."""
        return self.state / "good.json"

    @property
    def edited(self) -> Path:
        """A configuration file that somebody edited by hand, until what runs is known not to come from it."""
        return self.state / "edited-by-hand.cfg"

    @property
    def edited_last(self) -> Path:
        """The same, afterwards; kept for whoever wrote it."""
        return self.state / "edited-by-hand.last.cfg"

    @property
    def snapshots(self) -> Path:
        """The directory of accepted snapshots."""
        return self.state / "snapshots"

    @property
    def ack_key(self) -> Path:
        """The key this edge signs with."""
        return self.state / "ack.key"

    @property
    def sequence(self) -> Path:
        """The number of the last acknowledgement."""
        return self.state / "sequence"

    @property
    def told(self) -> Path:
        """What the master was told last."""
        return self.state / "told"

    @property
    def leaving(self) -> Path:
        """Since when which server drains away."""
        return self.state / "leaving.json"


@contextlib.contextmanager
def locked(directory: Path, *, make: bool = True) -> Iterator[bool]:
    """One holder at a time, whoever calls; freed by the kernel when the holder dies.

    Gives whether ``directory`` is there; without ``make`` it may not be, and then there is nothing to lock.
    """
    held = None
    while held is None and (make or directory.exists()):
        if make:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = _lock_in(directory)
    with held or contextlib.nullcontext():
        yield held is not None


def _lock_in(directory: Path) -> TextIO | None:
    """None when it was taken away while we waited: the next one to come would lock another file."""
    try:
        held = (directory / "lock").open("w")
    except FileNotFoundError:
        return None
    fcntl.flock(held, fcntl.LOCK_EX)
    if os.fstat(held.fileno()).st_nlink:
        return held
    held.close()
    return None


def read(path: Path) -> str:
    """The text of a file; empty when there is none."""
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def replace(path: Path, text: str, *, mode: int, durable: bool = True) -> None:
    """Atomically, and on the disk when it returns. Raises ``OSError`` with the old file untouched.

    Not ``durable``: a power cut may leave it empty, or as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if durable:
                os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if durable:
        _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
