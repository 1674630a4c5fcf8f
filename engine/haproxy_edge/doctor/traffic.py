"""From the edge to the pods and through it: the way, the address it is seen by, the PROXY header. Pure.

All earlier steps may be right and no client served. What no probe has shown is never called right here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from haproxy_edge.doctor.facts import Facts
from haproxy_edge.doctor.finding import Finding, ok, unknown, wrong

_NAMED = 3


def pods(facts: Facts) -> Iterator[Finding]:
    """A connection to each endpoint opens."""
    for name, seen in facts.examined():
        found = seen["endpoints"]
        if not found["tried"]:
            yield unknown("pods", name, "no ready endpoint is known to it")
        elif found["failed"]:
            first = "; ".join(f"{one['endpoint']}: {one['error']}" for one in found["first"][:_NAMED])
            said = f"{found['failed']} of {found['tried']} endpoints cannot be reached: {first}"
            mend = "a route to the pod network and a way back, and no firewall between: docs/networking.md"
            yield wrong("pods", name, said, mend)
        else:
            yield ok("pods", name, f"{found['tried']} of {found['total']} endpoints tried, all can be reached")


def sources(facts: Facts) -> Iterator[Finding]:
    """The addresses Traefik has to trust."""
    for name, seen in facts.examined():
        if seen["sources"]:
            yield ok("source-address", name, f"pods see it as {', '.join(sorted(seen['sources']))}")
        elif seen["endpoints"]["tried"]:
            yield wrong("source-address", name, "it has no route to any pod", "docs/networking.md")


def proxy_header(facts: Facts) -> Iterator[Finding]:
    """Connections through each frontend show what the pods make of the PROXY header."""
    for name, seen in facts.examined():
        for one in seen["frontends"]:
            probes = [probe for probe in seen["probes"] if probe["frontend"] == one["name"]]
            yield _judged(f"{name} {one['key']}", one, probes, seen)


def _judged(
    subject: str, one: Mapping[str, Any], probes: Sequence[Mapping[str, Any]], seen: Mapping[str, Any]
) -> Finding:
    check = "proxy-protocol"
    if not probes:
        return unknown(check, subject, "not probed: HAProxy does not serve it yet, no pod is ready, or accept-proxy")
    bad = [probe for probe in probes if probe["verdict"] != "accepted"]
    if not bad:
        return _believed(check, subject, one, probes, seen)
    said = f"{len(bad)} of {len(probes)} connections failed: {bad[0]['words']}"
    if seen["endpoints"]["failed"]:
        return unknown(check, subject, said, "endpoints that cannot be reached come first, see pods")
    refused = any(probe["verdict"] == "refused" for probe in bad)
    if refused and one["proxy_protocol"] != "none":
        mend = "have the pod expect a PROXY header (docs/proxy-protocol.md), or say proxy_protocol: none"
        return wrong(check, subject, f"the header is taken for data: {said}", mend)
    if one["proxy_protocol"] == "none":
        return wrong(check, subject, said, "does the pod expect a PROXY header? Then proxy_protocol: v2")
    return unknown(check, subject, said, "it takes the header, and not what a web client says: is it another protocol?")


def _believed(
    check: str, subject: str, one: Mapping[str, Any], probes: Sequence[Mapping[str, Any]], seen: Mapping[str, Any]
) -> Finding:
    """Whether the pod takes the client's address from the header can be told only from an answer that shows one."""
    if one["proxy_protocol"] == "none":
        return ok(check, subject, f"no header is sent; {probes[0]['words']}")
    others = [probe for probe in probes if probe["client"] not in seen["sources"]]
    shown = [probe for probe in others if probe["client"] in probe["shown"]]
    instead = sorted({a for probe in others if probe not in shown for a in probe["shown"] if a in seen["sources"]})
    if instead:
        said = f"the header is ignored: pods see {', '.join(instead)} instead of the client"
        mend = "trust that address: salt-run haproxy_edge.traefik_values prints the HelmChartConfig"
        return wrong(check, subject, said, mend)
    if shown:
        return ok(check, subject, f"accepted and believed, {len(probes)} connections: {probes[0]['words']}")
    said = f"accepted, {len(probes)} connections: {probes[0]['words']}; whether the address is believed does not show"
    return ok(check, subject, f"{said}; doctor host=… with a service that shows its client tells")


CHECKS = (pods, sources, proxy_header)
