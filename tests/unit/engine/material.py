"""What the tests of the master's half share: slices as the API sends them, and plain fakes of what stands around."""

from __future__ import annotations

import pickle
import queue
from collections import deque

from haproxy_edge import slices
from haproxy_edge.ack import Ack
from haproxy_edge.daemon import Clocks, Daemon
from haproxy_edge.forgeries import Forgeries
from haproxy_edge.options import check
from haproxy_edge.outbox import BANK, Outbox
from haproxy_edge.reflector import Applied, Listed, watches_for
from haproxy_edge.slices import SERVICE_LABEL
from haproxy_edge.snapshot import Server, Snapshot
from haproxy_edge.store import Store, StoreError

SERVICE = "kube-system/traefik"
OLD, NEW = "10.42.0.7", "10.42.0.8"
WEB = "kube-system/web"
STORED = {"websecure": (Server(OLD, 8443, pod="traefik-1", node="k3s-1"),)}
SERVICES = "haproxy_edge/default/services"
WALL = 1_764_000_000.0
# of two edges, and what one of them would sign
KEYS = {"edge1": "11" * 32, "edge2": "22" * 32}
TOLD = {
    "edge": "edge1",
    "order": "o-1",
    "lane": "hot",
    "serves": {"default kube-system/traefik": {"generation": 7, "digest": "sha256:aa"}},
    "done": "1 added, 0 changed, 0 removed",
    "problems": [],
    "state_needed": None,
    "ms": 3.5,
}
# cycles without news and without waiting; more is a busy loop
_SPINNING = 50


def endpoint(address="10.42.0.7", *, pod="traefik-1", node="k3s-1", **conditions):
    """One endpoint of a slice; without conditions they are all nil."""
    target = {"kind": "Pod", "name": pod} if pod else None
    return {"addresses": [address], "conditions": conditions, "targetRef": target, "nodeName": node}


def a_slice(*endpoints, name="traefik-1", service=SERVICE, ports=(("websecure", 8443),), **more):
    """An EndpointSlice with these endpoints."""
    namespace, _, plain = service.partition("/")
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": {SERVICE_LABEL: plain}},
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": [{"name": port, "port": number, "protocol": "TCP"} for port, number in ports],
        **more,
    }


def listed(*addresses, **more):
    """What a watch says first: one slice with these endpoints."""
    return Listed((a_slice(*map(endpoint, addresses), **more),))


def applied(*addresses, **more):
    """What a watch says of a slice that has these endpoints from now on."""
    return Applied(a_slice(*map(endpoint, addresses), **more))


def at(*addresses):
    """What is stored of them."""
    return {"websecure": [f"{address}:8443" for address in addresses]}


def merge(items):
    """Slices as the API sends them, read and merged."""
    return slices.merge(map(slices.read, items))


def places(ports):
    """``{port name: [address:port, …]}`` of what was merged or stored."""
    return {name: [f"{server.address}:{server.port}" for server in servers] for name, servers in ports.items()}


def states(ports, name="websecure"):
    return {server.address: server.state for server in ports[name]}


def _copied(data):
    # property tests copy a hundred thousand rows, which takes copy.deepcopy many times as long
    return pickle.loads(pickle.dumps(data))


class FakeCache:
    """A dict; the methods named in ``broken`` fail, where bank and key contain ``broken_key``."""

    def __init__(self, journal=None):
        self.rows = {}
        self.broken = set()
        self.broken_key = ""
        self.journal = [] if journal is None else journal

    def fetch(self, bank, key):
        self._may_fail("fetch", f"{bank}/{key}")
        return _copied(self.rows.get((bank, key)))

    def store(self, bank, key, data):
        self._may_fail("store", f"{bank}/{key}")
        kind = {BANK: "order", SERVICES: "store"}.get(bank)
        if kind:
            self.journal.append((kind, data.get("lane", key)))
        self.rows[bank, key] = _copied(data)

    def flush(self, bank, key):
        self._may_fail("flush", f"{bank}/{key}")
        return self.rows.pop((bank, key), None) is not None

    def list(self, bank):
        self._may_fail("list", bank)
        return [key for inside, key in list(self.rows) if inside == bank]

    def _may_fail(self, method, place):
        if method in self.broken and self.broken_key in place:
            raise StoreError(f"store: {method} {place}: broken on purpose")


class FakeBus:
    """Takes what is fired, or does not while ``deaf``. The reactor behind it takes orders at once, unless ``dead``."""

    def __init__(self, journal, outbox):
        self.journal = journal
        self.outbox = outbox
        self.deaf = self.dead = False
        self.warnings = []
        self.taken = []

    def ring(self, lane):
        self.journal.append(("deaf" if self.deaf else "ring", lane))
        if not self.deaf and not self.dead:
            self.taken += self.outbox.take(lane, now=0.0)
        return not self.deaf

    def warn(self, data):
        self.warnings.append(data)
        return not self.deaf

    def conditions(self, service=SERVICE):
        return [warning["condition"] for warning in self.warnings if warning["service"] == service]


class Inbox:
    """A queue in which waiting takes no time: it moves ``steady`` as far as was to be waited."""

    def __init__(self):
        self.steady = 1000.0
        self.horizon = self.steady
        self.items = deque()
        self.put = self.items.append
        self._idle = 0

    def get(self, timeout):
        if self.items:
            self._idle = 0
            return self.items.popleft()
        # the least step is what a real clock moves anyway
        self.steady += min(max(timeout, 1e-6 if timeout else 0.0), self.horizon - self.steady)
        self._idle = 0 if timeout else self._idle + 1
        assert self._idle < _SPINNING, "the engine spins without waiting"
        raise queue.Empty

    def get_nowait(self):
        if not self.items:
            raise queue.Empty
        return self.items.popleft()


class World:
    """One engine with fakes around it, in a time of its own that begins with its first start."""

    def __init__(self, *services, **options):
        self.options = check({"services": list(services or [SERVICE]), "resync": 0, **options})
        self.journal = []
        self.cache = FakeCache(self.journal)
        self.bus = FakeBus(self.journal, Outbox(self.cache))
        self.fleet = []
        self.lease = None
        self.inbox = Inbox()
        self.set_back = 0.0
        self.store = Store(self.cache)
        self.watches = {watch.path.split("/")[-2]: watch for watch in watches_for(self.options.services, slices=True)}
        self.start()

    def start(self):
        """A new process, with the store of the one before."""
        clocks = Clocks(wall=self.wall, steady=lambda: self.inbox.steady)
        self.forgeries = Forgeries(clocks.steady)
        self.daemon = Daemon(
            self.options,
            self.store,
            Outbox(self.cache),
            self.bus,
            clocks,
            fleet=lambda: list(self.fleet),
            forgeries=self.forgeries,
            lease=self.lease,
        )
        self.daemon.inbox = self.inbox

    def confirm(self, edge, *, digest=None, generation=None, order=None, lane="hot", service=SERVICE, **more):
        """A verified acknowledgement of ``edge`` arrives; by default of what the store holds, for the last order."""
        stored = self.store.snapshot("default", service)
        generation = generation or (stored.generation if stored else 0)
        digest = digest or (stored.digest if stored else "")
        if order is None:
            order = next((one["id"] for one in reversed(self.orders) if one["lane"] == lane), "")
        told = {"done": "", "problems": (), "state_needed": None, "ms": 1.0, "key": "k", **more}
        self.inbox.put(Ack(edge, order, lane, {f"default {service}": (generation, digest)}, **told))
        self.inbox.horizon = self.inbox.steady
        self.daemon.run_cycle()

    def wall(self):
        return WALL + self.inbox.steady - self.set_back

    def say(self, *changes, namespace="kube-system", slices=True):
        """The watch of that namespace delivers; the engine acts on all of it at once."""
        watches = watches_for(self.options.services, slices=slices)
        watch = next(watch for watch in watches if f"/namespaces/{namespace}/" in watch.path)
        for change in changes:
            self.inbox.put((watch, change))
        self.inbox.horizon = self.inbox.steady
        self.daemon.run_cycle()

    def run(self, seconds):
        """Time passes, nothing else happens."""
        self.inbox.horizon = self.inbox.steady + seconds
        while self.inbox.steady < self.inbox.horizon:
            self.daemon.run_cycle()

    def stored(self, service=SERVICE):
        """Addresses of what edges would get; None when they would get "unknown"."""
        snapshot = self.store.snapshot("default", service)
        return None if snapshot is None else places(snapshot.ports)

    def keep(self, ports, *, service=SERVICE, generation=1):
        """What the process before has stored."""
        self.store.save(Snapshot("default", service, ports, generation))
        self.journal.clear()

    @property
    def orders(self):
        return self.bus.taken

    @property
    def steps(self):
        """What happened, without keys and lanes: store, order, ring, deaf."""
        return [kind for kind, _ in self.journal]
