"""What an edge costs a connection: configured by us, by a hand-written minimal ``haproxy.cfg``, and no edge at all.

Both configurations run on the same edge host, by the same HAProxy, in front of the same pods, and take turns in short
rounds, so that what disturbs one disturbs the other. TLS is passed through and the PROXY protocol v2 is on; a handshake
costs client and pod so much that it hides what HAProxy does, so plain HTTP is measured, too, and what HAProxy itself
uses of the processor. It must never compare numbers of different rounds.
"""

from __future__ import annotations

import contextlib
import statistics
import string
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.certainty import median_interval
from bench.clients import Fire, Shot, kept_connections, new_connections, require_tools
from bench.command import Say, run_part, undisturbed
from bench.process import spent
from bench.result import Plot, Result, Series, Table
from bench.settings import settings
from lab.figures import Figure, figure
from lab.pods import DIRECT, Pod
from lab.processes import wait_for
from lab.topology import SERVICE, Lab, down
from lab.traffic import fetch

PODS, ROUNDS, SECONDS = 2, 24, 1
QUICK_ROUNDS = 3
# no edge at all is a reference, not one of the two that are compared: in every so many rounds only
DIRECT_EVERY = 4
GOAL = ">= 0.98"
OURS, BY_HAND, NO_EDGE = WAYS = ("ours", "by hand", "direct")
PILLAR: dict[str, Any] = {
    "haproxy": {
        "frontends": {
            "websecure": {"bind": ["ipv4@:443", "ipv6@:443 v6only"], "service": SERVICE, "port": "websecure"},
            "web": {"bind": ["ipv4@:80", "ipv6@:80 v6only"], "service": SERVICE, "port": "web"},
        },
        "global": {"maxconn": 4000},
    }
}
# (port of TLS, port of plain HTTP) on the edge
_PORTS = {OURS: (443, 80), BY_HAND: (8443, 8080)}
_OURS_CONFIG, _BY_HAND_CONFIG = "/etc/haproxy/haproxy.cfg", "/etc/haproxy/by-hand.cfg"
_TEMPLATE = Path(__file__).with_name("by_hand.cfg")
_START_PATIENCE = 90.0


@dataclass(frozen=True)
class Load:
    """One kind of load; what it counts is a connection or a request."""

    name: str
    fire: Fire
    tls: bool


LOADS = (
    Load("new connections, TLS passed through", new_connections, True),
    Load("new connections, plain HTTP", new_connections, False),
    Load("requests on kept connections, TLS", kept_connections, True),
)


@dataclass(frozen=True)
class Sample:
    """One shot, and the microseconds of processor that HAProxy used for each of what was counted; 0: no HAProxy."""

    shot: Shot
    processor: float


# by load, by way: one sample a round, the same place in both lists is the same round
Samples = Mapping[str, Mapping[str, Sequence[Sample]]]


class Ground:
    """One edge with both configurations, and the pods behind it."""

    def __init__(self, lab: Lab, say: Say) -> None:
        self._lab = lab
        self._edge = lab.edges[0]
        self._say = say
        self._pods: list[Pod] = []

    @contextlib.contextmanager
    def running(self) -> Iterator[Ground]:
        """Up inside, gone afterwards, whatever happens."""
        try:
            self._start()
            yield self
        finally:
            with undisturbed():
                self._say("taking the lab down")
                down()

    def shoot(self, load: Load, way: str, seconds: int) -> Sample:
        """For so long."""
        before = self._used(way)
        shot = load.fire(self._urls(way, tls=load.tls), seconds)
        return Sample(shot, (self._used(way) - before) * 1e6 / (shot.rate * seconds))

    def empty_logs(self) -> None:
        """Of pods: they log each request to a disk of memory."""
        for pod in self._pods:
            pod.access_log.write_text("")

    def _start(self) -> None:
        require_tools()
        self._lab.up()
        assert self._lab.pods is not None
        self._pods = [self._lab.pods.add() for _ in range(PODS)]
        self._lab.serve(self._pods)
        self._say("the engine orders the first apply: package, configuration, service")
        (place, *_) = self._lab.places(443, tls=True)
        authority = self._lab.pods.authority
        wait_for(lambda: not fetch(place, authority).failed, _START_PATIENCE, f"{place.name} to serve", every=0.3)
        self._lab.await_confirmed()
        self._start_by_hand()

    def _start_by_hand(self) -> None:
        self._edge.path(_BY_HAND_CONFIG).write_text(by_hand(self._pods))
        service = ["systemd-run", "--quiet", "--unit=haproxy-by-hand", "--property=Type=notify"]
        self._edge.run([*service, "/usr/sbin/haproxy", "-Ws", "-f", _BY_HAND_CONFIG])

    def _used(self, way: str) -> float:
        if way == NO_EDGE:
            return 0.0
        return spent(self._edge.pids(_OURS_CONFIG if way == OURS else _BY_HAND_CONFIG))

    def _urls(self, way: str, *, tls: bool) -> list[str]:
        scheme = "https" if tls else "http"
        if way == NO_EDGE:
            return [f"{scheme}://{pod.address}:{DIRECT[scheme]}/" for pod in self._pods]
        return [f"{scheme}://{self._edge.ipv4}:{_PORTS[way][0 if tls else 1]}/"] * PODS


def by_hand(pods: Sequence[Pod]) -> str:
    """The hand-written configuration with these pods for servers."""

    def lines(port: int) -> str:
        return "\n".join(f"    server {pod.name} {pod.address}:{port} send-proxy-v2 check" for pod in pods)

    return string.Template(_TEMPLATE.read_text()).substitute(websecure=lines(8443), web=lines(8000))


def measured(ground: Ground, rounds: int, say: Say) -> dict[str, dict[str, list[Sample]]]:
    """Every load by turns, who is first by turns, too; the round before the first is for warming up."""
    found: dict[str, dict[str, list[Sample]]] = {load.name: {way: [] for way in WAYS} for load in LOADS}
    for number in range(rounds + 1):
        first, second = (OURS, BY_HAND) if number % 2 else (BY_HAND, OURS)
        ways = [first, second, *([NO_EDGE] if number % DIRECT_EVERY == 1 else [])]
        for load in LOADS:
            for way in ways:
                sample = ground.shoot(load, way, SECONDS)
                if number:
                    found[load.name][way].append(sample)
        ground.empty_logs()
        if number:
            said = ", ".join(f"{load.name} {compare(found[load.name])['rate'][-1]:.3f}" for load in LOADS)
            say(f"round {number} of {rounds}: ours against by hand: {said}")
    return found


def compare(of_load: Mapping[str, Sequence[Sample]]) -> dict[str, list[float]]:
    """Ours against by hand, within each round: 1 is as good, more is better."""
    pairs = list(zip(of_load[OURS], of_load[BY_HAND], strict=True))
    return {
        "rate": [ours.shot.rate / other.shot.rate for ours, other in pairs],
        "p50": [other.shot.p50 / ours.shot.p50 for ours, other in pairs],
        "p99": [other.shot.p99 / ours.shot.p99 for ours, other in pairs],
        # with ticks of 10 ms a round may show none at all: then it tells nothing
        "HAProxy's processor time": [
            other.processor / ours.processor for ours, other in pairs if ours.processor and other.processor
        ],
    }


def figures(samples: Samples) -> list[Figure]:
    """The medians of all rounds."""
    ratios = {load.name: compare(samples[load.name]) for load in LOADS}
    plain = LOADS[1].name
    rows = [(load.name, "rate", "a second") for load in LOADS]
    rows += [(plain, "p50", "latency p50"), (plain, "HAProxy's processor time", "HAProxy's processor time")]
    return [
        figure(f"{load}: {words}", GOAL, round(statistics.median(ratios[load][what]), 3), "of by hand")
        for load, what, words in rows
    ]


def tables(samples: Samples, rounds: int) -> list[Table]:
    """What was measured, and what it says."""
    return [
        Table(
            "Through an edge and past it",
            ["load", "way", "a second", "p50, ms", "p99, ms", "HAProxy's processor, µs each"],
            [_medians(load.name, way, samples[load.name][way]) for load in LOADS for way in WAYS],
            note=f"Medians of {rounds} rounds of {SECONDS} s each.",
        ),
        Table(
            "Ours against by hand, within each round",
            ["load", "what", "median", "95 %, from", "to"],
            [
                [load.name, what, *(round(one, 3) for one in (statistics.median(ratios), *median_interval(ratios)))]
                for load in LOADS
                for what, ratios in compare(samples[load.name]).items()
            ],
            note="1 is as good as by hand, more is better: rates as they are, times turned round.",
        ),
    ]


def _medians(load: str, way: str, samples: Sequence[Sample]) -> list[str | float | None]:
    shots = [sample.shot for sample in samples]
    return [
        load,
        way,
        round(statistics.median(shot.rate for shot in shots)),
        round(statistics.median(shot.p50 for shot in shots), 2),
        round(statistics.median(shot.p99 for shot in shots), 2),
        round(statistics.median(sample.processor for sample in samples), 1) if way != NO_EDGE else None,
    ]


def plots(samples: Samples) -> list[Plot]:
    """Rates side by side, and the ratio round by round."""
    rates = [
        Series(
            way, [(load.name, statistics.median(one.shot.rate for one in samples[load.name][way])) for load in LOADS]
        )
        for way in WAYS
    ]
    rounds = [
        Series(
            load.name, [(float(number), ratio) for number, ratio in enumerate(compare(samples[load.name])["rate"], 1)]
        )
        for load in LOADS
    ]
    return [
        Plot("data-plane-rates", "Through an edge and past it", "bars", "load", "a second", rates),
        Plot("data-plane-rounds", "Ours against by hand, round by round", "lines", "round", "rate, of by hand", rounds),
    ]


NOTES = (
    f"Both configurations stand in front of the same {PODS} nginx pods, with `balance leastconn`, `send-proxy-v2` and "
    "health checks; the one by hand is `bench/by_hand.cfg`.",
    "Neither logs a connection that went well; what logging each would cost stands in "
    "[decision 0018](decisions/0018-connections-that-went-well-are-not-logged.md).",
    "Direct: the clients ask the pods themselves, on listeners without PROXY protocol.",
    "Clients, HAProxy and pods share this machine's cores, so a rate tells what all of them use together: a TLS "
    "handshake costs client and pod several times what HAProxy costs. Plain HTTP shows more of HAProxy, and its own "
    "processor time nothing else.",
)


def measure(say: Say, quick: bool) -> Result:
    """The lab up, all rounds, the lab down."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    lab = Lab(edges=1, pillar=PILLAR)
    notes = [*NOTES, settings(lab)]
    with Ground(lab, say).running() as ground:
        samples = measured(ground, rounds, say)
    found = tables(samples, rounds)
    for load, what, median, low, high in found[1].rows:
        say(f"{load}: {what}: {median} of by hand, 95 %: {low} to {high}")
    return Result("data_plane", "The data plane", figures(samples), notes, found, plots(samples))


def main() -> int:
    """Measure and print; 0 when everything could be measured, whether or not the goals are met."""
    return run_part("data_plane", __doc__, measure)


if __name__ == "__main__":
    sys.exit(main())
