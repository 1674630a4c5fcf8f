"""A full disk: a small one of its own over a directory, with the directory's content and no byte left.

Done where a given process sees it: ``ip netns exec`` gives each its own mounts. It must never fill this machine's disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.processes import run

_KEPT = "full disk"
_FILL = """
set -e
cp -a "$1" "$1.content"
mount -t tmpfs -o size=2m,mode=700 full "$1"
cp -a "$1.content/." "$1"
rm -r "$1.content"
dd if=/dev/zero of="$1/filler" bs=1k 2>/dev/null && exit 1 || exit 0
"""
# the old content stands under the mount; it may be seen for a moment, nothing at all for hardly any
_FREE = """
set -e
rm -f "$1/filler"
cp -a "$1" "$1.content"
umount -l "$1"
mv "$1" "$1.old"
mv "$1.content" "$1"
rm -r "$1.old"
"""


def fill(pid: int, directory: Path, kept: dict[str, Any]) -> None:
    """From now on a write of that process under ``directory`` fails for want of room."""
    _run(pid, _FILL, directory)
    kept[_KEPT] = (pid, directory)


def free(kept: dict[str, Any]) -> None:
    """Room again, with everything that is there now."""
    if _KEPT in kept:
        pid, directory = kept.pop(_KEPT)
        _run(pid, _FREE, directory)


def _run(pid: int, script: str, directory: Path) -> None:
    run(["nsenter", "-t", str(pid), "-m", "--", "sh", "-c", script, "sh", str(directory)])
