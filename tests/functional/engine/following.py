"""The reflector on a real HTTPS connection, in a thread; what it says comes out of a queue."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path

from haproxy_edge import kube
from haproxy_edge.backoff import Backoff
from haproxy_edge.reflector import Condition, Freshness, forever, watches_for
from haproxy_edge.view import View

from lab.cluster_objects import Endpoint, endpoint_slice

SERVICE = "kube-system/traefik"
ENGINE = "system:serviceaccount:kube-system:haproxy-edge"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
ROLE = Path(__file__).resolve().parents[3] / "deploy" / "rbac.yaml"
# seconds until a test gives up, and how long a connection may be silent
PATIENCE = 60.0
READ_TIMEOUT, WATCH_TIMEOUT = 2.0, 240.0
TIMEOUTS = kube.Timeouts(connect=10, read=READ_TIMEOUT)


def slice_of(*addresses, name="traefik-1", service=SERVICE):
    """A slice as the API takes it."""
    listed = [Endpoint(f"traefik-{address.split('.')[-1]}", address) for address in addresses]
    return endpoint_slice(service, listed, name=name, ports={"websecure": 8443})


class Stopped(Exception):
    """The test is over."""


class Follower:
    """Takes in what the reflector says, keeps the view it gives, and remembers the fewest servers it ever had."""

    def __init__(self, connect, *, slices=True):
        (self.watch,) = watches_for((SERVICE,), slices=slices)
        self.freshness = Freshness(time.monotonic)
        self.waits, self.conditions, self.sizes = [], [], []
        self._view, self._said, self._stop = View(), queue.SimpleQueue(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(connect,), daemon=True)
        self._thread.start()

    def _run(self, connect):
        changes = forever(
            connect,
            self.watch,
            timeout=WATCH_TIMEOUT,
            backoff=Backoff(0.5, 30),
            freshness=self.freshness,
            sleep=self._sleep,
        )
        try:
            for change in changes:
                self._said.put(change)
        except Stopped:
            pass

    def _sleep(self, seconds):
        self.waits.append(seconds)
        # short of what is asked for, so that tests are; never none, so that they do not spin
        if self._stop.wait(min(seconds, 0.02)):
            raise Stopped

    def stop(self):
        """Call when its connections are closed or about to be."""
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _next(self, what):
        try:
            change = self._said.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"waited {PATIENCE:g} s for {what}; seen so far: {self.conditions}") from None
        if isinstance(change, Condition):
            self.conditions.append(change.name)
        self._view.accept(self.watch, change)
        if not isinstance(change, Condition):
            self.sizes.append(len(self.addresses()))
        return change

    def servers(self):
        """All that the view has now."""
        merged = self._view.merged(SERVICE)
        assert merged is not None, "no list yet"
        return [server for servers in merged.ports.values() for server in servers]

    def addresses(self):
        """Of all servers the view has now."""
        return sorted({server.address for server in self.servers()})

    def places(self):
        """``address:port`` of all servers the view has now, in their order."""
        return [f"{server.address}:{server.port}" for server in self.servers()]

    def until_condition(self, name):
        while not (isinstance(change := self._next(f"condition {name}"), Condition) and change.name == name):
            pass
        return change

    def until_well(self):
        """The newest condition is ok."""
        while self.conditions[-1] != "ok":
            self._next("condition ok")

    def until_addresses(self, *expected):
        while isinstance(self._next(f"addresses {expected}"), Condition) or self.addresses() != sorted(expected):
            pass
