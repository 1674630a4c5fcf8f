"""The lab as `bench.growth` needs it: real edges, any number of stand-ins, services and endpoints, and one change.

Nothing here answers a client: a change is over when every edge has confirmed it, signed. Addresses belong to nobody,
and edges have no way to them, so checking thousands costs next to nothing. It must never leave anything behind.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import yaml
from haproxy_edge.options import Lane

from bench.borders import Bus
from bench.change_cost import Cost
from bench.command import Say, undisturbed
from bench.far_endpoints import PER_SLICE, cut_off, far_endpoint
from bench.hot_fleet import PORTS
from bench.likeness import Likeness
from bench.master_costs import MasterCosts, MasterSpent
from bench.stand_ins import StandIns
from lab.cluster_objects import Endpoint, endpoint_slice
from lab.kubeapi.resources import object_path
from lab.processes import RUN, LabError, wait_for
from lab.topology import SERVICE, Lab, down

# seconds: for one change, for a fleet of another size or thousands of servers to be followed
PATIENCE, SETTLE_PATIENCE = 90.0, 240.0
# seconds between two changes, in which the engine can order again, and after the last, in which it writes its report
PAUSE, AFTERMATH = 0.4, 2.5
# seconds in which nothing changes, to know what would be spent anyway
IDLE = 5.0


class Rig:
    """``lab`` has the real edges; ``services`` of three endpoints each are there beside the one that grows."""

    def __init__(self, lab: Lab, say: Say, *, idle: float = IDLE, aftermath: float = AFTERMATH) -> None:
        self.lab = lab
        self.say = say
        self._idle, self._aftermath = idle, aftermath
        self._slices: dict[tuple[str, int], list[Endpoint]] = {}
        self._written: set[str] = set()
        self._followed = [SERVICE]
        self._fresh = 0
        self.stand_ins: StandIns | None = None
        self.bus: Bus | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[Rig]:
        """Up inside, every real edge serving; gone afterwards, whatever happens."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._take_down)
            self.lab.up()
            self._give_pillar([SERVICE])
            for edge in self.lab.edges:
                cut_off(edge)
            self.use(SERVICE, 3)
            self._listen()
            self.say("the engine orders the first apply: package, configuration, service on every edge")
            self.await_fleet()
            yield self

    @property
    def edges(self) -> int:
        """Real ones and stand-ins."""
        return len(self.lab.edges) + (self.stand_ins.number if self.stand_ins else 0)

    def use(self, service: str, endpoints: int) -> None:
        """Have so many behind ``service``, in slices of a hundred, the fullest first."""
        count = -(-endpoints // PER_SLICE)
        before = sum(name == service for name, _ in self._slices)
        for number in range(max(count, before)):
            size = max(0, min(PER_SLICE, endpoints - number * PER_SLICE))
            known = self._slices.get((service, number), [])[:size]
            self._slices[service, number] = known + [self._endpoint() for _ in range(size - len(known))]
            self._put(service, number)

    def follow(self, services: Sequence[str]) -> None:
        """Have the engine follow these, and every edge serve all of them; the master starts anew for others."""
        if list(services) == self._followed:
            return
        for service in services:
            if (service, 0) not in self._slices:
                self.use(service, 3)
        self._followed = list(services)
        self._give_pillar(services)
        self.lab.configure_engine(services=list(services))
        self.lab.master.stop()
        self._hush()
        self.lab.master.start()
        self._listen()
        wait_for(self._all_seen, PATIENCE, f"the engine to follow {len(services)} services", every=0.2)
        self._order("state", ["*"])
        self.await_fleet()

    def change(self, lane: Lane = "hot", service: str = SERVICE) -> tuple[float, list[dict[str, Any]]]:
        """One pod gives way to another, or the state lane is ordered; (seconds to the last edge, acknowledgements)."""
        began = self._moment()
        if lane == "hot":
            self._replace_one(service)
        else:
            self._order(lane, ["*"])
        return self._await(began, self.edges, lane)

    def order(self, lane: Lane, edges: Sequence[str]) -> tuple[float, list[dict[str, Any]]]:
        """The same for these alone, as the engine rings those that are behind; nothing has changed."""
        began = self._moment()
        self._order(lane, edges)
        return self._await(began, len(edges), lane)

    def _moment(self) -> float:
        """Wall time, from which on events count."""
        assert self.bus
        self.bus.forget()
        return time.time()

    def _await(self, began: float, edges: int, lane: Lane) -> tuple[float, list[dict[str, Any]]]:
        assert self.bus
        events = self.bus.of_change(began, edges=edges, patience=PATIENCE, lane=lane)
        if len(events.acks) < edges:
            raise LabError(f"{len(events.acks)} of {edges} edges confirmed within {PATIENCE:g} s ({lane} lane)")
        self.returned = events.returns
        return events.borders["confirmed by all"], events.acks

    def idle(self, service: str = SERVICE) -> MasterSpent:
        """What is spent with nothing to do, after one change that pays what only the first one costs."""
        self.change("hot", service)
        time.sleep(self._aftermath)
        return self.costs.over(self._idle)

    def cost(self, count: int, idle: MasterSpent, *, lane: Lane = "hot", service: str = SERVICE) -> Cost:
        """So many changes, and what they cost."""
        if self.stand_ins:
            self.stand_ins.traffic()
        before, seconds, acks = self.costs.now(), [], []
        for _ in range(count):
            took, said = self.change(lane, service)
            seconds.append(took)
            acks += said
            time.sleep(PAUSE)
        time.sleep(self._aftermath)
        spent = self.costs.now().since(before).without(idle)
        return self._told(Cost(self.edges, spent, seconds, acks, engine_mb=self.costs.engine.resident_mb()))

    def cost_of_orders(self, lane: Lane, edge: str, count: int, idle: MasterSpent) -> float:
        """Processor time of the master for one order of one edge, when that alone gets so many of them; ms."""
        before = self.costs.now()
        for _ in range(count):
            self.order(lane, [edge])
        return 1000 * self.costs.now().since(before).without(idle).master / count

    def _told(self, cost: Cost) -> Cost:
        if not self.stand_ins:
            return cost
        traffic = self.stand_ins.traffic()
        published = traffic["published_bytes"] / max(1, traffic["publishes"])
        returned = traffic["requested_bytes"] / max(1, self.stand_ins.number * len(cost.seconds))
        return replace(cost, published_bytes=published, returned_bytes=returned)

    def likeness(self) -> Likeness:
        """What the first real edge says in both lanes."""
        grains = self.lab.master.salt("edge1", "grains.items")["edge1"]
        self.change("hot")
        hot = self._return_of("edge1")
        self.change("state")
        return Likeness(grains, hot, self._return_of("edge1"))

    def _return_of(self, edge: str) -> dict[str, Any]:
        return next(one for one in self.returned if one["id"] == edge)

    def grow(self, stand_ins: int) -> None:
        """Until so many stand-ins beside the real edges are known to the engine and have confirmed."""
        if self.stand_ins is None:
            self.stand_ins = StandIns(self.likeness())
        began = time.monotonic()
        self.stand_ins.grow(stand_ins)
        self.say(f"{stand_ins} stand-ins run, after {time.monotonic() - began:.1f} s")
        self.await_fleet()
        self.say(f"all {self.edges} edges have confirmed, after {time.monotonic() - began:.1f} s")

    def await_fleet(self) -> None:
        """Until the engine knows every edge and none is behind what the store holds."""
        wait_for(self._all_confirmed, SETTLE_PATIENCE, f"{self.edges} edges to confirm", every=0.2)

    def _report(self) -> dict[str, Any]:
        """The last word of the engine that runs now, some seconds old at most."""
        report = self._store.report("default") or {}
        return report if report.get("pid") == self.costs.engine.pid else {"services": {}, "edges": {}}

    def _all_seen(self) -> bool:
        services = self._report()["services"]
        return {name: row["ready"] for name, row in services.items()} == self._listed()

    def _all_confirmed(self) -> bool:
        if not self._all_seen():
            return False
        report = self._report()
        services, edges = report["services"], report["edges"]
        held = {name: row["generation"] for name, row in services.items()}
        return len(edges) == self.edges and all(
            edge["behind_since"] is None and edge["applied"] == held for edge in edges.values()
        )

    def _listed(self) -> dict[str, int]:
        """Endpoints of each service that is followed."""
        found = dict.fromkeys(self._followed, 0)
        for (service, _), endpoints in self._slices.items():
            if service in found:
                found[service] += len(endpoints)
        return found

    def _listen(self) -> None:
        import salt.config
        from haproxy_edge.outbox import Outbox
        from haproxy_edge.salt_adapter import Bus as Doorbell
        from haproxy_edge.salt_adapter import SaltCache
        from haproxy_edge.store import Store

        config = RUN / "master/etc/master"
        opts = salt.config.master_config(str(config))
        self._store, self._outbox, self._doorbell = Store(SaltCache(opts)), Outbox(SaltCache(opts)), Doorbell(opts)
        self.bus = Bus(config)
        self.attach()

    def attach(self) -> None:
        """To the master that runs now."""
        self.costs = MasterCosts.of_lab()

    def _order(self, lane: Lane, edges: Sequence[str]) -> None:
        """As the engine and a resync do: the reactor takes it out of the outbox and publishes it."""
        whole = list(edges) == ["*"]
        target = ("roles:haproxy-edge", "grain") if whole else (",".join(edges), "list")
        self._outbox.put(
            lane, tgt=target[0], tgt_type=target[1], services=[SERVICE], cluster="default", now=time.time()
        )
        self._doorbell.ring(lane)

    def _give_pillar(self, services: Sequence[str]) -> None:
        """The same to every edge: one frontend for each service."""
        ports = {service: 9000 + number for number, service in enumerate(services)}
        frontends = {
            service.partition("/")[2]: {"bind": f"ipv4@:{port}", "service": service, "port": "tcp"}
            for service, port in ports.items()
        }
        given = RUN / "pillar-given"
        given.mkdir(exist_ok=True)
        (given / "top.sls").write_text(yaml.safe_dump({"base": {"*": ["edges"]}}))
        (given / "edges.sls").write_text(
            yaml.safe_dump({"haproxy": {**self.lab.first_pillar["haproxy"], "frontends": frontends}})
        )
        self.lab.copy_pillar(given)

    def _replace_one(self, service: str) -> None:
        self._slices[service, 0][-1] = self._endpoint()
        self._put(service, 0)

    def _endpoint(self) -> Endpoint:
        self._fresh += 1
        return far_endpoint(self._fresh)

    def _put(self, service: str, number: int) -> None:
        plain = service.partition("/")[2]
        item = endpoint_slice(service, self._slices[service, number], name=f"{plain}-{number:03}", ports=PORTS)
        path = object_path(item)
        if path in self._written:
            self.lab.cluster.client.replace(path, item)
        else:
            self.lab.cluster.put(item)
            self._written.add(path)

    def _take_down(self) -> None:
        self.say("taking the lab down")
        with undisturbed():
            if self.stand_ins:
                self.stand_ins.stop()
            self._hush()
            down()

    def _hush(self) -> None:
        """No connection to the master's bus is left."""
        if self.bus:
            self.bus.close()
            self._doorbell.close()
            self.bus = None
