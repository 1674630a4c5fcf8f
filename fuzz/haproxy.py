"""The real ``haproxy -c`` as judge. It must never be asked once per case: 34 ms each would be an hour.

So accepted pieces are gathered into one configuration; when that is refused, halving finds the piece that is to blame.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

PROGRAM = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") or "haproxy"
# pieces in one configuration; more lines than that take HAProxy longer than its start
BATCH = 400
_TIMEOUT = 60
# HAProxy wants a listener, and a judge must not depend on this machine's users and directories
_FRAME = """\
global
    maxconn 100
defaults
    mode tcp
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend judge
    bind :1
"""


class Refused(AssertionError):
    """HAProxy refuses what was accepted; the message holds the case and HAProxy's words."""


class Refusal(NamedTuple):
    """How ``haproxy -c`` ended (below 0: by that signal), and its words."""

    status: int
    words: str


def refusal(text: str, directory: Path) -> Refusal | None:
    """HAProxy's on a configuration; None when it takes it."""
    path = directory / "judged.cfg"
    path.write_bytes(text.encode(errors="surrogatepass"))
    done = subprocess.run([PROGRAM, "-c", "-f", str(path)], capture_output=True, timeout=_TIMEOUT, check=False)
    return Refusal(done.returncode, (done.stderr + done.stdout).decode(errors="replace")) if done.returncode else None


@dataclass
class Judge:
    """Gathers pieces (whole sections of uniquely named proxies) and judges them ``BATCH`` at a time."""

    directory: Path
    judged: int = 0
    waiting: list[tuple[str, Any]] = field(default_factory=list)

    def add(self, piece: str, case: Any) -> None:
        """Judged now or with later ones. Raises `Refused`."""
        self.waiting.append((piece, case))
        if len(self.waiting) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Judge what waits. Raises `Refused`."""
        pieces, self.waiting = self.waiting, []
        self.judged += len(pieces)
        self._judge(pieces)

    def _judge(self, pieces: Sequence[tuple[str, Any]]) -> None:
        refused = refusal(_FRAME + "".join(piece for piece, _ in pieces), self.directory) if pieces else None
        if refused is None:
            return
        if len(pieces) == 1:
            piece, case = pieces[0]
            raise Refused(f"haproxy -c refuses what was accepted\ncase: {case!r}\n{piece}\n{refused.words}")
        self._judge(pieces[: len(pieces) // 2])
        self._judge(pieces[len(pieces) // 2 :])
        raise Refused(f"haproxy -c refuses {len(pieces)} pieces together that it takes one by one\n{refused.words}")
