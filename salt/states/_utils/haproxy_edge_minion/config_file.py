"""The configuration file: judged by HAProxy before it is replaced, and never lost when somebody edited it by hand.

An edited file is set aside. Until a reload or start from our own is proven, what runs may have been loaded from it, and
nothing on the socket would tell: so `edited` is a reason to reload.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from haproxy_edge_minion.diagnosis import refused
from haproxy_edge_minion.files import Paths, read, replace
from haproxy_edge_minion.process import EdgeError
from haproxy_edge_minion.renderer import is_whole
from haproxy_edge_minion.spec import Spec

EDITED = "haproxy.cfg was edited by hand, and may have been loaded so"
# seconds: a check of 5,000 servers takes 0.24 s
_CHECK_TIMEOUT = 30.0


class ConfigFile:
    """``restorecon`` sets a file's SELinux context where that is on."""

    def __init__(self, paths: Paths, restorecon: Callable[[Path], None]) -> None:
        self._paths = paths
        self._restorecon = restorecon

    def text(self) -> str:
        """As it stands there; empty when there is none."""
        return read(self._paths.config)

    def check(self, text: str, spec: Spec) -> None:
        """Have HAProxy judge it. Raises `EdgeError` with its words; without a binary there is no judge yet."""
        if not self._paths.haproxy.exists():
            return
        # in memory: nothing is left behind by a kill, and a full disk is no obstacle
        descriptor = os.memfd_create("haproxy.cfg")
        try:
            _write_all(descriptor, text.encode())
            result = subprocess.run(
                [str(self._paths.haproxy), "-c", "-f", f"/dev/fd/{descriptor}"],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_CHECK_TIMEOUT,
                check=False,
                pass_fds=(descriptor,),
            )
        finally:
            os.close(descriptor)
        # 1 is a refused configuration, 2 one without a listener, below 0 it died: all are failures
        if result.returncode:
            raise EdgeError("\n".join(refused(result.returncode, result.stderr + result.stdout, text, spec)))

    def put(self, text: str) -> None:
        """Replace it, atomically; what somebody wrote into it is set aside first."""
        self.set_aside()
        replace(self._paths.config, text, mode=0o644)
        self._restorecon(self._paths.config)

    def set_aside(self) -> None:
        """Keep an edited one. The hand-written one of the first apply has a backup already."""
        found = self.text()
        if found and not is_whole(found) and found != read(self._paths.backup):
            replace(self._paths.edited, found, mode=0o600)

    @property
    def edited(self) -> bool:
        """Whether what runs may have been loaded from an edited one."""
        return self._paths.edited.exists()

    def loaded(self) -> None:
        """What runs is proven to be ours."""
        if self.edited:
            self._paths.edited.replace(self._paths.edited_before)


def _write_all(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(data)
