"""Snapshots and specs for the tests of the edge."""

import contextlib
import hashlib
import itertools
import json
import secrets
import socket
from ipaddress import IPv6Address
from pathlib import Path

from hypothesis import strategies as st

TEMPLATE = Path(__file__).parents[3] / "salt/states/haproxy/files/haproxy.cfg.jinja"

_GENERATIONS = itertools.count(1764000000000)

# 16 bits, often zero: where zeros stand decides how an address is written
_hextets = st.sampled_from([0, 0, 0, 0xFFFF, 1]) | st.integers(0, 0xFFFF)
ipv6_addresses = st.lists(_hextets, min_size=8, max_size=8).map(
    lambda words: IPv6Address(b"".join(word.to_bytes(2, "big") for word in words))
)


def server(address="10.42.0.7", port=8443, *, pod="traefik-1", state="ready", node="k3s-1", zone=""):
    return {"pod": pod, "address": address, "port": port, "state": state, "node": node, "zone": zone}


def digest(content):
    meant = {key: content[key] for key in ("schema", "cluster", "service", "ports")}
    text = json.dumps(meant, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def raw(ports, *, service="kube-system/traefik", cluster="default", generation=None):
    """Each call's generation is newer than the one before, unless it is said."""
    generation = next(_GENERATIONS) if generation is None else generation
    content = {"schema": 1, "cluster": cluster, "service": service, "generation": generation, "ports": ports}
    return {**content, "digest": digest(content)}


def snapshot(*servers, port="websecure", **more):
    """JSON text of a snapshot with these servers at one port name."""
    return json.dumps(raw({port: list(servers)} if servers else {}, **more), sort_keys=True, separators=(",", ":"))


class Time:
    """Passes by sleeping only; somebody puts the wall clock forward by an hour before each look at it."""

    now = 1000.0
    today = 1764000000.0

    def clock(self):
        return self.now

    def wall(self):
        self.today += 3600
        return self.today

    def sleep(self, seconds):
        self.now += seconds


def free_port():
    """Below the range the kernel takes outgoing connections' ports from, so that none of them gets it meanwhile."""
    while True:
        # not of `random`: hypothesis seeds it alike in every run, and two HAProxies would share one port unnoticed
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as taken, contextlib.suppress(OSError):
            taken.bind(("127.0.0.1", port))
            return port
