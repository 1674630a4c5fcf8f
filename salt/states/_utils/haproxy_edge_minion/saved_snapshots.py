"""The newest snapshot of each service this edge has accepted: what both lanes build on, and what survives a reboot.

An older generation never replaces a newer one, whichever lane brings it and in whatever order they arrive. A file that
cannot be read counts as absent, so a damaged one never locks an edge out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from haproxy_edge_minion.files import read, replace
from haproxy_edge_minion.snapshot import Snapshot, SnapshotError, check

# how the master writes it: generation and digest without parsing thousands of servers
_HEAD = re.compile(r'\{"cluster":"[^"]*","digest":"(sha256:[0-9a-f]{64})","generation":([1-9][0-9]{0,18}),')
_HEAD_LENGTH = 300


class Version(NamedTuple):
    """Which snapshot it is."""

    generation: int
    digest: str


@dataclass(frozen=True)
class SavedSnapshots:
    """The snapshots in ``directory``, one file each."""

    directory: Path

    def load(self, cluster: str, service: str) -> Snapshot | None:
        """None when this service was never accepted here."""
        text = read(self._path(cluster, service))
        try:
            return check(text) if text else None
        except SnapshotError:
            return None

    def version(self, cluster: str, service: str) -> Version | None:
        """By the head alone, for thousands of servers may stand behind it.

        A file that is damaged further on has a version, and `load` gives nothing: what is served stays as the record
        has it, and the next snapshot of that service, the same one too, is written over it.
        """
        try:
            with self._path(cluster, service).open(errors="replace") as file:
                found = _HEAD.match(file.read(_HEAD_LENGTH))
        except FileNotFoundError:
            return None
        if found:
            return Version(int(found[2]), found[1])
        loaded = self.load(cluster, service)
        return Version(loaded.generation, loaded.digest) if loaded else None

    def newest(self, offered: Snapshot) -> Snapshot:
        """``offered``, or what is saved when that is newer and of other content."""
        saved = self.version(offered.cluster, offered.service)
        if saved is None or saved.digest == offered.digest or saved.generation < offered.generation:
            return offered
        return self.load(offered.cluster, offered.service) or offered

    def keep(self, offered: Snapshot) -> Snapshot:
        """`newest`, which is saved when it returns, so that nothing older is taken after it."""
        kept = self.newest(offered)
        self.save(kept)
        return kept

    def save(self, snapshot: Snapshot) -> None:
        """On the disk when it returns. Raises ``OSError`` with the old one untouched."""
        path = self._path(snapshot.cluster, snapshot.service)
        if read(path) != snapshot.text:
            replace(path, snapshot.text, mode=0o600)

    def _path(self, cluster: str, service: str) -> Path:
        # neither part can hold a dot
        return self.directory / f"{cluster}.{service.replace('/', '.')}.json"
