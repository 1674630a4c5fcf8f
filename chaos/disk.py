"""A full disk: a small one of its own over a directory, with the directory's content and no byte left."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

from lab.processes import run

_KEPT = "full disk"


def fill(directory: Path, kept: dict[str, Any]) -> None:
    """From now on a write under ``directory`` fails for want of room."""
    content = directory.with_name(f"{directory.name}.content")
    shutil.copytree(directory, content, symlinks=True)
    run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "full", str(directory)])
    kept[_KEPT] = directory
    shutil.copytree(content, directory, symlinks=True, dirs_exist_ok=True)
    shutil.rmtree(content)
    with contextlib.suppress(OSError), (directory / "filler").open("wb") as filler:
        while True:
            filler.write(b"\0" * 4096)
            filler.flush()


def free(kept: dict[str, Any]) -> None:
    """Room again, with everything that is there now."""
    directory = kept.pop(_KEPT, None)
    if directory is not None:
        (directory / "filler").unlink(missing_ok=True)
        content = directory.with_name(f"{directory.name}.content")
        shutil.copytree(directory, content, symlinks=True)
        run(["umount", "-l", str(directory)])
        # the old content stands under the mount; it may be seen for a moment, nothing at all for hardly any
        old = directory.rename(directory.with_name(f"{directory.name}.old"))
        content.rename(directory)
        shutil.rmtree(old)
