"""Real inputs to begin from: slices as controllers write them, snapshots as the engine does, pillars of the pages.

A mutation of something real gets past the first checks; noise would be refused by them and try nothing else.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from haproxy_edge.snapshot import Server, Snapshot

from lab.cluster_objects import Endpoint, endpoint_slice, endpoints
from lab.topology import PILLAR

_ROOT = Path(__file__).parent.parent
_FENCE = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
SERVICE = "kube-system/traefik"

# `kubectl get endpointslice -o json` of a k3s cluster's Traefik
_FROM_K3S: dict[str, Any] = {
    "addressType": "IPv4",
    "apiVersion": "discovery.k8s.io/v1",
    "endpoints": [
        {
            "addresses": ["10.42.0.8"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "hints": {"forZones": [{"name": "eu-1a"}]},
            "nodeName": "k3s-1",
            "targetRef": {"kind": "Pod", "name": "traefik-d7c9c5778-x7k2p", "namespace": "kube-system", "uid": "0f"},
            "zone": "eu-1a",
        }
    ],
    "kind": "EndpointSlice",
    "metadata": {
        "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "2025-11-24T10:00:00Z"},
        "generateName": "traefik-",
        "labels": {"kubernetes.io/service-name": "traefik", "service.kubernetes.io/headless": ""},
        "name": "traefik-8wz6q",
        "namespace": "kube-system",
        "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "traefik", "uid": "1f"}],
    },
    "ports": [
        {"name": "web", "port": 8000, "protocol": "TCP"},
        {"name": "websecure", "port": 8443, "protocol": "TCP", "appProtocol": "https"},
    ],
}
_PODS = [
    Endpoint("traefik-1", "10.42.0.7"),
    Endpoint("traefik-2", "10.42.1.9", ready=False),
    Endpoint("traefik-3", "fd42::7").leaving(),
    Endpoint("traefik-4", "10.42.2.2", node=None, ready=None, serving=None, terminating=None),
]
SLICES = [
    _FROM_K3S,
    endpoint_slice(SERVICE, _PODS),
    endpoint_slice(SERVICE, _PODS[2:3], family="IPv6", name="six"),
    endpoint_slice(SERVICE, [Endpoint(f"traefik-{n}", f"10.42.3.{n}") for n in range(1, 30)], name="many"),
    {**endpoint_slice(SERVICE, [], name="empty"), "endpoints": None, "ports": None},
    {**endpoint_slice(SERVICE, _PODS[:1], name="names"), "addressType": "FQDN"},
]
ENDPOINTS = [endpoints(SERVICE, _PODS), endpoints(SERVICE, [])]

_SERVERS = (
    Server("10.42.0.7", 8443, "ready", "traefik-1", "k3s-1", "eu-1a"),
    Server("10.42.0.8", 8443, "draining", "traefik-2"),
    Server("fd42::7", 8443, "ready", "", "k3s-2"),
)
SNAPSHOTS = [
    Snapshot("default", SERVICE, {"websecure": _SERVERS, "": _SERVERS[:1], "web": ()}, 1_764_000_000_000).to_json(),
    Snapshot("default", SERVICE, {}, 1).to_json(),
    Snapshot("blue", "gitea/gitea-ssh", {"ssh": _SERVERS}, 1_764_000_000_001).to_json(),
]

# every key at once, each with values HAProxy takes; a test names those that are missing
EVERY_KEY: dict[str, Any] = {
    "bind": ["ipv4@:443", "ipv6@:443 v6only"],
    "bind_insecure": "ipv4@:80",
    "frontends": {
        "ssh": {"bind": "ipv4@:2222", "service": "gitea/gitea-ssh", "port": "ssh", "cluster": "blue"},
        "plain": {"bind": ["127.0.0.1:7", ":::8 v6only"], "port": "", "proxy_protocol": "none", "balance": "source"},
        "old": {"bind": "ipv6@[::1]:9", "port": "web", "proxy_protocol": "v1", "balance": "first"},
    },
    "global": {
        "maxconn": 4000,
        "nbthread": 2,
        "log": ["/dev/log local1"],
        "tune": {"bufsize": 16384},
        "extra": "spread-checks 5",
    },
    "defaults": {
        "timeouts": {"client": "5m", "tunnel": "1h"},
        "maxconn": 2000,
        "log_connections": "all",
        "extra": ["option tcpka"],
    },
    "check": {"inter": "1s", "fall": 2, "rise": 1},
    "hard_stop_after": "10m",
    "drain_timeout": 60,
    "reconcile_interval": 30,
    "health_bind": "127.0.0.1:8404",
    "metrics_bind": ["127.0.0.1:9101"],
}


def _of_pages() -> list[Any]:
    """Every pillar ``haproxy`` that a page or the example shows."""
    texts = [path.read_text() for path in sorted((_ROOT / "pillar.example").glob("*.sls"))]
    texts += [text for page in sorted((_ROOT / "docs").glob("*.md")) for text in _FENCE.findall(page.read_text())]
    parsed = [document for text in texts for document in yaml.safe_load_all(text)]
    return [document["haproxy"] for document in parsed if isinstance(document, dict) and document.get("haproxy")]


_GIVEN = {
    "snapshots": {
        cluster: {json.loads(text)["service"]: text for text in SNAPSHOTS if json.loads(text)["cluster"] == cluster}
        for cluster in ("default", "blue")
    },
    "ack_key": "0" * 64,
}
# (pillar haproxy, pillar haproxy_edge) as the edge gets them
PILLARS = [[haproxy, _GIVEN] for haproxy in (EVERY_KEY, EVERY_KEY, PILLAR["haproxy"], *_of_pages())]
