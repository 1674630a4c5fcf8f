"""Each edge by itself: is it one, does it answer, is it in step, and can it listen. Pure.

What an edge says of itself is a fact like any other: a silent edge is judged as silent, never left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from haproxy_edge.doctor.configuration import MASTER, modules_served
from haproxy_edge.doctor.facts import Facts
from haproxy_edge.doctor.finding import Finding, advice, ok, unknown, wrong
from haproxy_edge.status import for_people

# the first HAProxy whose `add server` and `del server` are not experimental
RUNTIME_SERVERS_SINCE = (2, 6)


def target(facts: Facts) -> Iterator[Finding]:
    """The engine's target matches somebody, and everybody who ever was an edge."""
    matched = {name for engine in facts.engines for name in engine.fleet or ()}
    for engine in facts.engines:
        options = engine.installed.options
        if options and engine.fleet is None:
            found = f"which minions {options.target} ({options.target_type}) matches cannot be told"
            mend = "salt-run prints the row at fault above; salt <that minion> saltutil.refresh_pillar writes it anew"
            yield wrong("target", engine.name, found, mend)
        elif options and not engine.fleet:
            found = f"no accepted minion matches {options.target} ({options.target_type})"
            mend = "salt 'edge*' grains.append roles haproxy-edge, or set the engine's 'target'"
            yield wrong("target", engine.name, found, mend)
        elif options:
            yield ok("target", engine.name, f"{len(engine.fleet or ())} edges")
    if any(engine.fleet is None for engine in facts.engines):
        return
    for name in sorted(set(facts.known_edges) & set(facts.keys.get("accepted") or ()) - matched):
        found = "its pillar has frontends, but no engine's target matches it, so no change is sent to it"
        yield wrong("target", name, found, f"salt {name} grains.append roles haproxy-edge, or take it out of pillar")


def answering(facts: Facts) -> Iterator[Finding]:
    """Its minion answers."""
    if facts.unpublished:
        mend = "systemctl status salt-master; run this as the master's user"
        yield wrong("answering", MASTER, facts.unpublished, mend)
        return
    for edge in facts.edges:
        if edge.answers:
            yield ok("answering", edge.name, "its minion answers")
        else:
            found = "its minion does not answer"
            mend = "is the host up, and salt-minion running there? Ports 4505 and 4506 of the master have to be open"
            yield wrong("answering", edge.name, found, mend)


def modules(facts: Facts) -> Iterator[Finding]:
    """Its modules are those the master serves."""
    served = modules_served(facts)
    for edge in facts.edges:
        mend = f"salt {edge.name} state.apply haproxy brings them"
        if edge.examination is None:
            if edge.answers:
                yield wrong("modules", edge.name, edge.failure or "it could not examine itself", mend)
        elif served is None:
            yield unknown("modules", edge.name, "what the master serves is not known")
        elif edge.examination["modules"] != served:
            yield wrong("modules", edge.name, "its modules are not those the master serves", mend)
        else:
            yield ok("modules", edge.name, f"in step with the master, Salt {edge.examination['salt']}")


def state_queue(facts: Facts) -> Iterator[Finding]:
    """A number of queued states makes them wait for each other for ever."""
    for name, seen in facts.examined():
        value = seen.get("state_queue")
        if isinstance(value, int) and not isinstance(value, bool) and value:
            found = f"state_queue: {value}: with a number, queued states wait for each other"
            yield wrong("state-queue", name, found, "set state_queue to True or False there, restart salt-minion")
        else:
            yield ok("state-queue", name, f"{value}")


def haproxy_version(facts: Facts) -> Iterator[Finding]:
    """HAProxy is there and new enough."""
    for name, seen in facts.examined():
        version = seen["haproxy"]
        if version is None:
            yield wrong("haproxy-version", name, "HAProxy is not installed", f"salt {name} state.apply haproxy")
        elif tuple(map(int, re.findall(r"\d+", version)[:2])) < RUNTIME_SERVERS_SINCE:
            found = f"{version}: it cannot take servers at run time, so every change would reload it"
            yield wrong("haproxy-version", name, found, "install 2.6 or newer")
        else:
            yield ok("haproxy-version", name, version)


def pillar(facts: Facts) -> Iterator[Finding]:
    """Its pillar can be used, and ours is in it."""
    for name, seen in facts.examined():
        problems = seen["pillar"]["problems"]
        yield from (wrong("pillar", name, problem, "docs/pillar.md lists every key") for problem in problems)
        if not problems and not seen["pillar"]["has_snapshots"]:
            found = "pillar haproxy_edge is missing, so it would get no snapshot"
            yield wrong("pillar", name, found, "see ext-pillar above; then look into the master's log")
        elif not problems:
            yield ok("pillar", name, f"frontends {', '.join(one['name'] for one in seen['frontends'])}")


def ports(facts: Facts) -> Iterator[Finding]:
    """Each frontend's service is followed and has a port of that name."""
    stored = {
        (engine.installed.cluster, service): found
        for engine in facts.engines
        for service, found in engine.stored.items()
    }
    for name, seen in facts.examined():
        for one in seen["frontends"]:
            yield _port(name, one, stored)


def _port(name: str, one: Mapping[str, Any], stored: Mapping[tuple[str, str], Mapping[str, int] | None]) -> Finding:
    subject = f"{name} {one['key']}"
    place = (one["cluster"], one["service"])
    if place not in stored:
        found = f"no engine follows {one['service']} of cluster {one['cluster']}"
        return wrong("port-name", subject, found, "add it to the engine's 'services', or mend service and cluster")
    found_ports = stored[place]
    if found_ports is None:
        return unknown("port-name", subject, f"{one['service']} has not been listed yet")
    with_servers = sorted(port for port, count in found_ports.items() if count)
    if one["port"] not in found_ports and with_servers:
        found = f"{one['service']} has no port {one['port']!r}; it has {', '.join(with_servers)}"
        return wrong("port-name", subject, found, "use one of these names in the frontend's 'port'")
    return ok("port-name", subject, f"{one['service']} port {one['port']!r}: {found_ports.get(one['port'], 0)} servers")


def binds(facts: Facts) -> Iterator[Finding]:
    """It serves each bind, or could."""
    for name, seen in facts.examined():
        yield from (_bind(f"{name} {bind['key']}", bind) for bind in seen["binds"])


def _bind(subject: str, bind: Mapping[str, Any]) -> Finding:
    strangers = [holder for holder in bind["held_by"] if holder != "haproxy"]
    if bind["problem"]:
        mend = "bind an address of this host, or make the address there first"
        return wrong("bind", subject, f"{bind['bind']!r}: {bind['problem']}", mend)
    if strangers:
        found = f"{bind['bind']!r}: {', '.join(strangers)} listens there"
        return wrong("bind", subject, found, f"stop it, or bind another port; ss -ltnp 'sport = :{bind['port']}'")
    served = "served" if bind["held_by"] else "free, not served yet"
    return ok("bind", subject, f"{bind['bind']!r}: {served}")


def ipv6(facts: Facts) -> Iterator[Finding]:
    """A bind for IPv6 where the host has it, and only there."""
    for name, seen in facts.examined():
        frontends = {one["key"] for one in seen["frontends"]}
        bound = [one["key"] for one in seen["binds"] if one["family"] == "ipv6" and one["key"] in frontends]
        if bound and not seen["ipv6"]:
            found = f"{', '.join(dict.fromkeys(bound))} bind IPv6, and this host has no IPv6 address others can reach"
            yield wrong("ipv6", name, found, "give it one, or bind ipv4@ alone")
        elif seen["ipv6"] and seen["frontends"] and not bound:
            found = f"it has {', '.join(seen['ipv6'])}, and no frontend binds IPv6"
            yield advice("ipv6", name, found, 'to serve IPv6 clients: bind: ["ipv4@:443", "ipv6@:443 v6only"]')
        elif bound:
            yield ok("ipv6", name, f"bound, reachable at {', '.join(seen['ipv6'])}")


def serving(facts: Facts) -> Iterator[Finding]:
    """HAProxy runs with a configuration of ours."""
    for name, seen in facts.examined():
        process, mend = seen["process"], f"salt {name} state.apply haproxy"
        if process["pid"] is None and seen["haproxy"] is not None:
            state = "it does not run, or its socket does not answer"
            yield wrong("serving", name, f"{state}: {process['problem']}", mend)
        elif process["pid"] is not None and not process["ours"]:
            yield wrong("serving", name, "what runs is not a configuration of ours", f"look first: {mend} test=True")
        elif process["pid"] is not None:
            yield ok("serving", name, f"pid {process['pid']}")


def behind(facts: Facts) -> Iterator[Finding]:
    """It has confirmed what the store holds, or a change is on its way to it and its time is not over."""
    for engine in facts.engines:
        patience = ((engine.report or {}).get("options") or {}).get("ack_timeout") or 0.0
        for name, row in ((engine.report or {}).get("edges") or {}).items():
            yield _in_step(name, row, facts.now, patience)


def _in_step(name: str, row: Mapping[str, Any], now: float, patience: float) -> Finding:
    if row.get("behind_since") is None:
        return ok("in-step", name, "has confirmed what the store holds")
    age = max(0.0, now - row["behind_since"])
    why = "; ".join(row.get("problems") or ()) or row.get("state_needed")
    if not why and age <= patience:
        return ok("in-step", name, f"a change is on its way to it since {for_people(age)}")
    mend = f"mend what is wrong above; the engine tries again by itself, or: resync {name}"
    return wrong("in-step", name, f"behind for {for_people(age)}: {why or 'it has not confirmed'}", mend)


CHECKS = (
    target,
    answering,
    modules,
    state_queue,
    haproxy_version,
    pillar,
    ports,
    binds,
    ipv6,
    serving,
    behind,
)
