"""Take back what was written on this host: the configuration found at first apply returns, our own files go.

Whoever tries this software has to be able to leave. It must never take away a file that is not ours: a run that was
killed may have given the one found at first apply back already.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from haproxy_edge_minion.files import Paths, read
from haproxy_edge_minion.renderer import is_whole


def footprint(paths: Paths) -> tuple[list[Path], list[Path]]:
    """(what goes, what returns)."""
    restored = [paths.config] if paths.backup.exists() else []
    removed = [path for path in (paths.backup, paths.state) if path.exists()]
    if not restored and _is_ours(paths.config):
        removed.append(paths.config)
    return removed, restored


def clean(paths: Paths, *, restorecon: Callable[[Path], None]) -> None:
    """Nothing of ours is left."""
    if paths.backup.exists():
        paths.backup.replace(paths.config)
        restorecon(paths.config)
    elif _is_ours(paths.config):
        paths.config.unlink()
    shutil.rmtree(paths.state, ignore_errors=True)


def _is_ours(config: Path) -> bool:
    return is_whole(read(config))
