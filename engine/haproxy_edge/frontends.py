"""Which services one host's frontends name, read from its raw pillar on the master.

Pure, and lenient on purpose: the edge checks its pillar and reports every problem; here a malformed part must not stop
the rest from being served. It must agree with ``haproxy_edge_minion.spec`` on the short forms; a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from haproxy_edge.snapshot import CLUSTER, DEFAULT_CLUSTER, SERVICE

DEFAULT_SERVICE = "kube-system/traefik"
SHORT_FORMS = ("bind", "bind_insecure")


def services_of(pillar: Any) -> list[tuple[str, str]]:
    """(cluster, namespace/name) of every frontend, once each, sorted."""
    haproxy = pillar.get("haproxy") if isinstance(pillar, Mapping) else None
    return sorted(set(_named(haproxy))) if isinstance(haproxy, Mapping) else []


def _named(haproxy: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if any(haproxy.get(form) for form in SHORT_FORMS):
        yield DEFAULT_CLUSTER, DEFAULT_SERVICE
    frontends = haproxy.get("frontends")
    for frontend in frontends.values() if isinstance(frontends, Mapping) else ():
        if isinstance(frontend, Mapping):
            cluster = frontend.get("cluster", DEFAULT_CLUSTER)
            service = frontend.get("service", DEFAULT_SERVICE)
            # both become part of a path in the store
            if _matches(CLUSTER, cluster) and _matches(SERVICE, service):
                yield cluster, service


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
