"""The running HAProxy: start it, reload it, and see with own eyes that it serves what it should.

``systemctl reload`` returns before the new worker answers, and returns well even when it never will. So nothing here
is believed until a worker with another process id shows the expected skeleton and servers on the socket.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from haproxy_edge_minion.applied import Applied
from haproxy_edge_minion.listening import listens, replaced_workers
from haproxy_edge_minion.outcome import EdgeError
from haproxy_edge_minion.planner import Name, Plan, plan
from haproxy_edge_minion.run_stats import Stopwatch
from haproxy_edge_minion.running import Running
from haproxy_edge_minion.runtime import RuntimeApi, RuntimeApiError

# seconds; a reload takes up to 0.3 s, and a worker that cannot bind tries for about one
PROOF_TIMEOUT = 15.0
# seconds: HAProxy 3.0 loses a reload that comes while its master still starts itself anew for the one before
_LOST_RELOAD_TIMEOUT = 4.0
_POLL = 0.01
_JOURNAL_EVERY = 0.5
# seconds: how long a worker that was told to leave may still answer in place of the new one
_OLD_WORKER_TIMEOUT = 2.0
_FAILED = ("Loading failure", "Failed to load worker", "Fatal errors found", "Failed with result")


class Service(Protocol):
    """The host's haproxy service; `EdgeError` when an action is refused. ``journal`` is its log since a wall time."""

    def running(self) -> bool: ...
    def enabled(self) -> bool: ...
    def enable(self) -> None: ...
    def start(self) -> None: ...
    def reload(self) -> None: ...
    def journal(self, since: float) -> str: ...


class Process:
    """HAProxy under its service. ``clock`` is monotonic seconds, ``wall`` those since 1970, by which a log is asked."""

    def __init__(
        self,
        service: Service,
        api: RuntimeApi,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        listens: Callable[[int], bool] = listens,
        replaced: Callable[[int], set[int]] = replaced_workers,
    ) -> None:
        self.service = service
        self._api = api
        self.version = ""
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._listens = listens
        self._replaced = replaced

    def running(self) -> Running | None:
        """What answers on the socket; None when nothing does."""
        try:
            found = self._api.running()
        except RuntimeApiError:
            return None
        self.version = found.version
        return found

    def plan(self, applied: Applied, overdue: frozenset[Name] = frozenset()) -> tuple[Running | None, Plan]:
        """What runs, and the way from there to ``applied``."""
        running = self.running()
        return running, plan(applied.spec, applied.digest, applied.servers, running, overdue=overdue)

    def adjust(self, applied: Applied, wanted: Plan, watch: Stopwatch) -> str | None:
        """Give the commands of ``wanted``; None when it then serves ``applied``, else why a reload must help."""
        try:
            self._api.send(wanted.changes)
            self._api.send(wanted.collect)
        except RuntimeApiError as error:
            return str(error)
        finally:
            watch.lap("runtime")
        left = self.plan(applied)[1] if wanted.changes else Plan()
        watch.lap("prove")
        return None if left.parity else left.reload_reason or f"after the runtime commands, still: {left.counts}"

    def outlasts_reload(self, pid: int) -> bool:
        """Whether somebody else reloads these seconds: any question or command may then have met the old worker or the
        new one, for both answer for a while. Returns when the old one does no more."""
        replaced = self._replaced(pid)
        self._await_silence(replaced)
        return bool(replaced) or self._answering() != pid

    def _answering(self) -> int | None:
        try:
            return self._api.pid()
        except RuntimeApiError:
            return None

    def start(self, applied: Applied) -> str | None:
        """None when it serves ``applied``, else HAProxy's log of the attempt."""
        return self._attempt(self.service.start, applied, pid_before=None)

    def reload(self, applied: Applied) -> str | None:
        """None when a new worker serves ``applied``, else HAProxy's log of the attempt."""
        before = self.running()
        return self._attempt(self.service.reload, applied, pid_before=before.pid if before else None)

    def _attempt(self, action: Callable[[], None], applied: Applied, *, pid_before: int | None) -> str | None:
        since, began = self._wall(), self._clock()
        try:
            action()
            patience = PROOF_TIMEOUT if pid_before is None else _LOST_RELOAD_TIMEOUT
            proven = self._proven(applied, pid_before, since, began + patience)
            if proven is None and pid_before is not None:
                action()
                proven = self._proven(applied, pid_before, since, began + PROOF_TIMEOUT)
        except EdgeError as error:
            return f"{self.service.journal(since)}\n{error}"
        if proven and pid_before is not None:
            self._await_silence({pid_before})
        return None if proven else self.service.journal(since)

    def _await_silence(self, workers: set[int]) -> None:
        """Until the old workers take no connection: they would give them to the servers of before, gone or not."""
        until = self._clock() + _OLD_WORKER_TIMEOUT
        while any(map(self._listens, workers)) and self._clock() < until:
            self._sleep(_POLL)

    def _proven(self, applied: Applied, pid_before: int | None, since: float, until: float) -> bool | None:
        """None when nothing happened at all."""
        look_at_journal, gone, another = self._clock() + _JOURNAL_EVERY, False, False
        while (now := self._clock()) < until:
            running = self.running()
            if running and running.pid != pid_before:
                if plan(applied.spec, applied.digest, applied.servers, running).parity:
                    return True
                # soon after another reload, a worker that leaves may have told the PID: this one may be the next to
                until, another = min(until, now + _OLD_WORKER_TIMEOUT), True
            if now >= look_at_journal:
                # systemd starts a dead one again at once, so only the second look that finds none means that it is gone
                was_gone, gone = gone, not self.service.running()
                if (was_gone and gone) or any(word in self.service.journal(since) for word in _FAILED):
                    return False
                look_at_journal = now + _JOURNAL_EVERY
            self._sleep(_POLL)
        return False if another else None
