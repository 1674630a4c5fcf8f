"""The configuration file: judged by HAProxy before it is replaced, and never lost when somebody edited it by hand.

An edited file is set aside. Until a reload or start from our own is proven, what runs may have been loaded from it, and
nothing on the socket would tell: so `edited` is a reason to reload.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from haproxy_edge_minion.diagnosis import refused
from haproxy_edge_minion.files import Paths, read, replace
from haproxy_edge_minion.outcome import EdgeError
from haproxy_edge_minion.renderer import is_whole
from haproxy_edge_minion.spec import Spec

EDITED = "haproxy.cfg was edited by hand, and may have been loaded so"
# seconds: a check of 5,000 servers takes 0.24 s
_CHECK_TIMEOUT = 30.0
# HAProxy 2.6 reads all certificates of the system at each start, 19 of the 26 ms of a check, for an HTTP client of its
# own, which only Lua uses; where a template says something about that client, it is judged as it stands
_HTTP_CLIENT = "httpclient"
NO_CERTIFICATES = f"global\n    {_HTTP_CLIENT}.ssl.verify none\n"


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
        if not self._paths.haproxy.exists() or self._is_plainly_good(text):
            return
        result = self._judged(text)
        # 1 is a refused configuration, 2 one without a listener, below 0 it died: all are failures
        if result.returncode:
            raise EdgeError("\n".join(refused(result.returncode, result.stderr + result.stdout, text, spec)))

    def _is_plainly_good(self, text: str) -> bool:
        """By a cheaper look, whose no means nothing: an older HAProxy does not know the line it adds."""
        return _HTTP_CLIENT not in text and self._judged(NO_CERTIFICATES, text).returncode == 0

    def _judged(self, *texts: str) -> subprocess.CompletedProcess[str]:
        """What ``haproxy -c`` says to these files, one after the other. Raises `EdgeError` when it says nothing."""
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(_in_memory(text)) for text in texts]
            try:
                return subprocess.run(
                    [str(self._paths.haproxy), "-c", *(word for file in files for word in ("-f", f"/dev/fd/{file}"))],
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=_CHECK_TIMEOUT,
                    check=False,
                    pass_fds=files,
                )
            except subprocess.TimeoutExpired as error:
                raise EdgeError(
                    f"haproxy: haproxy -c has not ended after {_CHECK_TIMEOUT:g} s; suspect are host names in bind, "
                    "log and extra, for which it waits for DNS"
                ) from error

    def put(self, text: str) -> None:
        """Replace it, atomically; what somebody wrote into it is set aside first."""
        self.set_aside()
        replace(self._paths.config, text, mode=0o644)
        self._restorecon(self._paths.config)

    def set_aside(self) -> None:
        """Keep an edited one."""
        if self.is_by_hand():
            replace(self._paths.edited, self.text(), mode=0o600)

    def is_by_hand(self) -> bool:
        """Whether it is one to set aside. The hand-written one of the first apply has a backup already."""
        found = self.text()
        return bool(found) and not is_whole(found) and found != read(self._paths.backup)

    @property
    def edited(self) -> bool:
        """Whether what runs may have been loaded from an edited one."""
        return self._paths.edited.exists()

    def loaded(self) -> None:
        """What runs is proven to be ours."""
        if self.edited:
            self._paths.edited.replace(self._paths.edited_last)


@contextlib.contextmanager
def _in_memory(text: str) -> Iterator[int]:
    """A file that leaves nothing behind when killed, and to which a full disk is no obstacle."""
    descriptor = os.memfd_create("haproxy.cfg")
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(text.encode())
        yield descriptor
    finally:
        os.close(descriptor)
