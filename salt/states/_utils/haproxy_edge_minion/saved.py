"""The newest snapshot of each service this edge has accepted: what both lanes build on, and what survives a reboot.

An older generation never replaces a newer one, whichever lane brings it and in whatever order they arrive. A file that
cannot be read counts as absent, so a damaged one never locks an edge out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from haproxy_edge_minion.files import read, replace
from haproxy_edge_minion.snapshot import Snapshot, SnapshotError, check


@dataclass(frozen=True)
class Saved:
    """The snapshots in ``directory``, one file each."""

    directory: Path

    def load(self, cluster: str, service: str) -> Snapshot | None:
        """None when this service was never accepted here."""
        text = read(self._path(cluster, service))
        try:
            return check(text) if text else None
        except SnapshotError:
            return None

    def newest(self, offered: Snapshot) -> Snapshot:
        """``offered``, or what is saved when that is newer and of other content."""
        saved = self.load(offered.cluster, offered.service)
        if saved is None or saved.digest == offered.digest or saved.generation < offered.generation:
            return offered
        return saved

    def save(self, snapshot: Snapshot) -> None:
        """On the disk when it returns. Raises ``OSError`` with the old one untouched."""
        path = self._path(snapshot.cluster, snapshot.service)
        if read(path) != snapshot.text:
            replace(path, snapshot.text, mode=0o600)

    def _path(self, cluster: str, service: str) -> Path:
        # neither part can hold a dot
        return self.directory / f"{cluster}.{service.replace('/', '.')}.json"
