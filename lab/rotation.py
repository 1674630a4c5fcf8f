"""Pods that come and go as in a cluster, as fast as asked: one comes and one is told to end with every change.

A pod that is told to end is listed as terminating at once, accepts for `GRACE` seconds more, ends, and is no longer
listed from the next change on. Pods are started ahead of their change, so that starting never delays one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from lab.pods import Pod, Pods
from lab.topology import Lab

# seconds a pod accepts after it was told to end; kubelet waits 30 before it kills
GRACE = 8.0
_AHEAD = 4


class Rotation:
    """``ready`` are the pods behind the service, the one that stays longest last."""

    def __init__(self, lab: Lab, ready: list[Pod]) -> None:
        assert lab.pods is not None
        self._lab = lab
        self._pods: Pods = lab.pods
        self.ready = deque(ready)
        self.seen = list(ready)
        self._leaving: deque[tuple[float, Pod]] = deque()
        self._ending: list[Future[None]] = []

    def changes(self, count: int, *, every: float) -> Iterator[int]:
        """Make them, that many seconds apart; the number of each after it was accepted by the API."""
        with ThreadPoolExecutor(2) as pool:
            coming = deque(pool.submit(self._pods.add) for _ in range(min(_AHEAD, count)))
            due = time.monotonic()
            for number in range(1, count + 1):
                pod = coming.popleft().result()
                if number + _AHEAD <= count:
                    coming.append(pool.submit(self._pods.add))
                time.sleep(max(0.0, due - time.monotonic()))
                due = max(due + every, time.monotonic())
                self._change(pod, pool)
                yield number

    def settle(self) -> None:
        """End who is still leaving, each in its time, and list the others alone."""
        while self._leaving:
            due, pod = self._leaving.popleft()
            time.sleep(max(0.0, due - time.monotonic()))
            pod.stop()
        self._lab.serve(list(self.ready))

    def end(self) -> None:
        """End who is still leaving, at once."""
        while self._leaving:
            self._leaving.popleft()[1].stop()

    def _change(self, pod: Pod, pool: ThreadPoolExecutor) -> None:
        now = time.monotonic()
        while self._leaving and self._leaving[0][0] <= now:
            self._ending.append(pool.submit(self._leaving.popleft()[1].stop))
        self._leaving.append((now + GRACE, self.ready.popleft()))
        self.ready.append(pod)
        self.seen.append(pod)
        self._lab.serve(list(self.ready), leaving=[each for _, each in self._leaving])
