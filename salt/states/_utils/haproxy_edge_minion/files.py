"""The edge's files: where they are, how they are replaced, and the record of what was applied.

A file is replaced whole or not at all, and is on the disk before anything goes on. A record that cannot be read counts
as absent: everything can be made again from what the master says.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from haproxy_edge_minion.snapshot import Server

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
        """The last configuration that was proven to serve."""
        return self.state / "good.cfg"


@dataclass(frozen=True)
class Applied:
    """What the configuration file holds: the digest of its skeleton and the servers of each backend."""

    skeleton: str
    servers: Mapping[str, tuple[Server, ...]]

    def to_json(self) -> str:
        servers = {backend: [asdict(server) for server in listed] for backend, listed in self.servers.items()}
        return json.dumps({"skeleton": self.skeleton, "servers": servers}, sort_keys=True)

    @classmethod
    def load(cls, path: Path) -> Applied | None:
        """None when there is no usable record."""
        try:
            raw = json.loads(read(path))
            servers = {backend: tuple(Server(**item) for item in listed) for backend, listed in raw["servers"].items()}
            return cls(raw["skeleton"], servers)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


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


def replace(path: Path, text: str, *, mode: int) -> None:
    """Atomically, and durable when it returns. Raises ``OSError`` with the old file untouched."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
