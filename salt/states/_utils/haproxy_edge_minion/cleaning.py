"""Take back what was written on this host: the configuration found at first apply returns, our own files go.

Whoever tries this software has to be able to leave. It must never take away a file that is not ours.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from haproxy_edge_minion.files import Paths


def footprint(paths: Paths) -> tuple[list[Path], list[Path]]:
    """(what goes, what returns)."""
    restored = [paths.config] if paths.backup.exists() else []
    removed = [path for path in (paths.backup, paths.state) if path.exists()]
    if paths.applied.exists() and not restored:
        removed.append(paths.config)
    return removed, restored


def clean(paths: Paths, *, restorecon: Callable[[Path], None]) -> None:
    """Nothing of ours is left."""
    if paths.backup.exists():
        paths.backup.replace(paths.config)
        restorecon(paths.config)
    elif paths.applied.exists():
        paths.config.unlink(missing_ok=True)
    shutil.rmtree(paths.state, ignore_errors=True)
