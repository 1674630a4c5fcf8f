"""HAProxy's service through Salt's service module, which knows systemd and the others.

``functions`` are Salt's execution functions; ``refusals`` what they raise. This package imports nothing of Salt. It
must never say that an action took: only the process itself proves that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from haproxy_edge_minion.outcome import EdgeError

NAME = "haproxy"


class SystemService:
    """One host's haproxy service."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]], *, refusals: type[Exception]) -> None:
        self._functions = functions
        self._refusals = refusals

    def running(self) -> bool:
        return bool(self._functions["service.status"](NAME))

    def enabled(self) -> bool:
        return bool(self._functions["service.enabled"](NAME))

    def enable(self) -> None:
        self._act("enable")

    def start(self) -> None:
        self._act("start")

    def reload(self) -> None:
        self._act("reload")

    def journal(self, since: float) -> str:
        command = ["journalctl", "-u", NAME, f"--since=@{int(since)}", "-o", "cat", "--no-pager"]
        return str(self._functions["cmd.run_stdout"](command, python_shell=False, ignore_retcode=True))

    def _act(self, action: str) -> None:
        try:
            done = self._functions[f"service.{action}"](NAME)
        except self._refusals as error:
            raise EdgeError(f"service {NAME}: {action}: {error}") from error
        if not done:
            raise EdgeError(f"service {NAME}: {action} was refused; see: systemctl status {NAME}")
