"""The edge's files: where they are and how they are replaced.

A file is replaced whole or not at all, and is on the disk before anything goes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
def locked(directory: Path) -> Iterator[None]:
    """One holder at a time, whoever calls; freed by the kernel when the holder dies."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


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
