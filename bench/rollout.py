"""Pods that roll, one set after the other, under load: the same change for whoever is in charge of the edges.

A change swaps all pods that serve for others, so that every connection tells which set its edge knows of, and no pod
that stays hides an edge that is late. Pods that leave end as in a cluster: they accept for `GRACE` seconds after they
were told, take no new connection then, and let open ones go on. So an edge that is late loses new connections, and an
open one that breaks was broken by the edge. It must never end a pod at once: what breaks then is no edge's fault.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lab.cluster_objects import Endpoint, endpoint_slice, endpoints
from lab.pods import Pod
from lab.processes import LabError, wait_for
from lab.topology import SERVICE, Lab
from lab.traffic import Probe, converged, fetch

# pods of a set, and sets that take turns: with fewer, a change a second would find none that has been away
PODS, SETS = 2, 8
# seconds a pod accepts after it was told to end
GRACE = 5.0
PORTS = {"tcp": 9000}
# seconds: for edges to serve at first
START_PATIENCE = 90.0
# seconds an answer from the old set would have to come in to take the verdict back
LOOK_AGAIN = 0.35
# families each edge is asked over
_FAMILIES = 2


class WentBack(LabError):
    """An edge that had moved on was seen to route to the former pods again."""


def arrival(probe: Probe, began: float, names: frozenset[str], *, places: int, patience: float) -> float:
    """Seconds until every place was answered by these pods alone. Raises `WentBack` when that does not last."""

    def moved() -> dict[str, float] | None:
        found = converged(probe.records(), began, names)
        return found if found and len(found) == places else None

    wait_for(moved, patience, f"all edges to route to {', '.join(sorted(names))} alone", every=0.01)
    time.sleep(LOOK_AGAIN)
    found = moved()
    if not found:
        raise WentBack("an edge went back to pods that are gone")
    return max(found.values())


def await_serving(lab: Lab) -> None:
    """Until every edge answers over both families at first, package and all."""
    for place in lab.places(PORTS["tcp"]):
        wait_for(lambda place=place: not fetch(place).failed, START_PATIENCE, f"{place.name} to serve", every=0.3)  # type: ignore[misc]


def as_endpoint(pod: Pod) -> Endpoint:
    """As the cluster lists it while it serves."""
    return Endpoint(pod.name, pod.address, pod.node)


class Rollout:
    """The sets of one lab. ``probe`` has to run before the first change."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._sets: list[list[Pod]] = []
        self._serving = 0
        self._closing: dict[int, threading.Thread] = {}
        self._over = threading.Event()
        self.probe: Probe | None = None

    def start(self) -> None:
        """All pods, and the first set behind the service."""
        pods = self._lab.pods
        assert pods is not None
        with ThreadPoolExecutor(4) as pool:
            started = list(pool.map(lambda _: pods.add(), range(PODS * SETS)))
        self._sets = [started[first : first + PODS] for first in range(0, len(started), PODS)]
        self._publish()

    def change(self, patience: float) -> float:
        """The next set comes, the present one is told to end; seconds until all edges route to the next alone."""
        self._next()
        began = time.monotonic()
        self._publish()
        self._end_former(began)
        return self._await(began, patience)

    def hand_over(self, begin: Callable[[], None], patience: float) -> None:
        """A change that nobody answers for: whoever ``begin`` puts in charge has to bring it.

        The former pods accept until it is there.
        """
        self._next()
        self._publish()
        until = time.monotonic() + patience
        begin()
        self._await_lasting(until)
        self._end_former(time.monotonic())

    def await_end_of_former(self) -> None:
        """Until no pod is left that was told to end and still accepts."""
        for closing in list(self._closing.values()):
            closing.join()

    def stop(self) -> None:
        """No pod ends any more; those under way are let go."""
        self._over.set()
        self.await_end_of_former()

    def _next(self) -> None:
        """One that has been away: it accepts again from now on."""
        self._serving = (self._serving + 1) % SETS
        if closing := self._closing.pop(self._serving, None):
            closing.join()
            for pod in self._sets[self._serving]:
                pod.accept()

    def _publish(self) -> None:
        """Both kinds, as a cluster's controllers would; the one our engine does not look at comes first."""
        here, before = self._sets[self._serving], self._sets[self._serving - 1]
        listed = [as_endpoint(pod) for pod in here]
        self._lab.cluster.put(endpoints(SERVICE, listed))
        leaving = [as_endpoint(pod).leaving() for pod in before]
        self._lab.cluster.put(endpoint_slice(SERVICE, listed + leaving, ports=PORTS))

    def _end_former(self, told: float) -> None:
        number = (self._serving - 1) % SETS
        closing = threading.Thread(target=self._close, args=(self._sets[number], told + GRACE), daemon=True)
        self._closing[number] = closing
        closing.start()

    def _close(self, pods: list[Pod], due: float) -> None:
        if not self._over.wait(max(0.0, due - time.monotonic())):
            for pod in pods:
                pod.refuse()

    def _await_lasting(self, until: float) -> None:
        """An edge of ours that begins where another way was in charge first serves what it had kept itself."""
        while True:
            try:
                self._await(time.monotonic(), until - time.monotonic())
            except WentBack:
                continue
            return

    def _await(self, began: float, patience: float) -> float:
        assert self.probe is not None
        names = frozenset(pod.name for pod in self._sets[self._serving])
        places = len(self._lab.edges) * _FAMILIES
        return arrival(self.probe, began, names, places=places, patience=patience)
