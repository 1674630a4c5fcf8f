"""What a running HAProxy serves, read out of its own answers.

Pure. It must never guess: an answer that is not as the manual says is an error, never fewer servers.

Source: HAProxy management guide, section 9.3 "Unix Socket commands".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from haproxy_edge_minion.renderer import DIGEST_VARIABLE

# what is asked, in the order in which `read` wants the answers
QUESTIONS = ("show info", f"show env {DIGEST_VARIABLE}", "show servers state")
_COLUMNS = ("be_name", "srv_name", "srv_addr", "srv_port", "srv_uweight", "srv_admin_state", "srv_check_state")
# srv_admin_state, bits FMAINT and CMAINT: by command, by configuration
IN_MAINTENANCE = 0x01 | 0x04
# srv_check_state, bit ENABLED: an added server's checks stand still until told
_CHECK_ENABLED = 0x04


class RunningServer(NamedTuple):
    """One row of ``show servers state``. ``admin_state`` is 0 when nobody put it into maintenance or drain.

    A tuple, because there are thousands in each answer.
    """

    backend: str
    name: str
    address: str
    port: int
    weight: int
    admin_state: int
    checked: bool


@dataclass(frozen=True)
class Running:
    """What the process serves: its PID, the digest of its skeleton (None: not a configuration of ours), servers.

    ``version`` is HAProxy's, without what a distribution puts after it.
    """

    pid: int
    digest: str | None
    servers: frozenset[RunningServer]
    version: str = ""

    def is_older_than(self, major: int, minor: int) -> bool:
        """Of an unknown version nothing is said."""
        return bool(self.version) and tuple(map(int, self.version.split(".")[:2])) < (major, minor)


def read(answers: Sequence[str]) -> Running:
    """The answers to `QUESTIONS`. Raises ``ValueError`` on one that is not understood."""
    info, environment, servers = answers
    return Running(pid_of(info), _digest(environment), frozenset(_servers(servers)), _version(info))


def pid_of(info: str) -> int:
    """Of the worker that gave this answer to ``show info``. Raises ``ValueError`` when it tells none."""
    found = re.search(r"^Pid: (\d+)$", info, re.MULTILINE)
    if not found:
        raise ValueError("'show info' tells no Pid")
    return int(found[1])


def _version(info: str) -> str:
    found = re.search(r"^Version: (\d+\.\d+(\.\d+)?)", info, re.MULTILINE)
    return found[1] if found else ""


def _digest(answer: str) -> str | None:
    name, _, digest = answer.strip().partition("=")
    return digest if name == DIGEST_VARIABLE else None


def _servers(answer: str) -> Iterator[RunningServer]:
    version, _, rest = answer.partition("\n")
    header, *rows = rest.splitlines() or [""]
    if version.strip() != "1" or not header.startswith("# "):
        raise ValueError(f"'show servers state' begins with {version[:80]!r}")
    at = _columns(header[2:].split())
    last = max(at)
    for row in filter(None, rows):
        cells = row.split(" ")
        if len(cells) <= last:
            raise ValueError(f"'show servers state' has a row {row[:80]!r}")
        yield RunningServer(
            cells[at[0]],
            cells[at[1]],
            cells[at[2]],
            int(cells[at[3]]),
            int(cells[at[4]]),
            int(cells[at[5]]),
            bool(int(cells[at[6]]) & _CHECK_ENABLED),
        )


def _columns(names: list[str]) -> list[int]:
    """Where the fields of a `RunningServer` stand."""
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise ValueError(f"'show servers state' has no column {', '.join(missing)}")
    return [names.index(name) for name in _COLUMNS]
