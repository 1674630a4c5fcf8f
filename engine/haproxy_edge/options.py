"""The options of the engine: one table, from which the check, the defaults and ``docs/options.md`` come.

Pure. A mistake must never stop the master: `check` lists every problem at once and the engine waits for a better
configuration.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any, Literal, get_args

from haproxy_edge.snapshot import CLUSTER, DEFAULT_CLUSTER, SERVICE

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]*):[0-9]{1,5}")
Lane = Literal["hot", "state"]
LANES = get_args(Lane)
SOURCES = ("auto", "endpointslices", "endpoints")


@dataclass(frozen=True)
class Option:
    """One row of the table. ``problem`` gives None or what is wrong with a value."""

    name: str
    default: Any
    unit: str
    meaning: str
    problem: Callable[[Any], str | None]


@dataclass(frozen=True)
class Options:
    """The checked configuration of one engine. Times are seconds."""

    services: tuple[str, ...]
    cluster: str
    target: str
    target_type: str
    kubeconfig: str | None
    context: str | None
    source: str
    lane: Lane
    min_interval: float
    empty_grace: float
    resync: float
    ack_timeout: float
    watch_timeout: float
    read_timeout: float
    connect_timeout: float
    backoff_min: float
    backoff_max: float
    stale_after: float
    allowed_networks: Mapping[str, tuple[str, ...]] = field(hash=False)
    metrics: str | None


class BadOptions(ValueError):
    """Every problem of a configuration, one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else "must be a non-empty text"


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _seconds(lowest: float) -> Callable[[Any], str | None]:
    def problem(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= 86400:
            return f"must be a number of seconds from {lowest:g} to 86400"
        return None

    return problem


def _one_of(*allowed: str) -> Callable[[Any], str | None]:
    return lambda value: None if value in allowed else f"must be one of {', '.join(allowed)}"


def _cluster(value: Any) -> str | None:
    good = isinstance(value, str) and CLUSTER.fullmatch(value)
    return None if good else "must be lower case letters, digits and '-'"


def _address(value: Any) -> str | None:
    if value is None or (
        isinstance(value, str) and _ADDRESS.fullmatch(value) and 0 < int(value.rpartition(":")[2]) < 65536
    ):
        return None
    return "must be address:port, for example 127.0.0.1:9105 or '[::1]:9105'"


def _services(value: Any) -> str | None:
    if not isinstance(value, list) or not value:
        return "must be a list of namespace/name with at least one entry, for example [kube-system/traefik]"
    wrong = [item for item in value if not isinstance(item, str) or not SERVICE.fullmatch(item)]
    if wrong:
        return f"{', '.join(map(repr, wrong))} is not namespace/name, for example kube-system/traefik"
    return None


def _networks(value: Any) -> str | None:
    if value is None:
        return None
    wanted = "must be lists of CIDRs by service, for example {kube-system/traefik: [10.42.0.0/16]}"
    if not isinstance(value, Mapping):
        return wanted
    wrong = [f"{service!r} is not namespace/name" for service in value if not _is_service(service)]
    for service, networks in value.items():
        if not isinstance(networks, list) or not networks:
            wrong.append(f"{service} has no list of CIDRs with at least one entry")
        else:
            wrong += [f"{service}: {one!r} is not a CIDR ({why})" for one in networks if (why := _not_a_network(one))]
    return f"{wanted}: {'; '.join(wrong)}" if wrong else None


def _is_service(value: Any) -> bool:
    return isinstance(value, str) and SERVICE.fullmatch(value) is not None


def _not_a_network(value: Any) -> str | None:
    try:
        ip_network(value if isinstance(value, str) else "")
    except ValueError as error:
        return str(error)
    return None


TABLE: tuple[Option, ...] = (
    Option("services", None, "", "the services to follow, each `namespace/name`; required", _services),
    Option("cluster", DEFAULT_CLUSTER, "", "name of this cluster; one engine per cluster", _cluster),
    Option("target", "roles:haproxy-edge", "", "which minions are edges", _text),
    Option(
        "target_type",
        "grain",
        "",
        "how `target` matches: `grain`, `glob`, `list`, `compound`, `pillar`, `pcre`, `grain_pcre`, `nodegroup`",
        _one_of("grain", "glob", "list", "compound", "pillar", "pcre", "grain_pcre", "nodegroup"),
    ),
    Option("kubeconfig", None, "", "path of a kubeconfig; unset: in-cluster, else the default one", _optional_text),
    Option("context", None, "", "context in the kubeconfig; unset: its current one", _optional_text),
    Option("source", "auto", "", "`endpointslices`, `endpoints`, or `auto`: slices where served", _one_of(*SOURCES)),
    Option(
        "lane", "hot", "", "how pods' changes reach edges: `hot`, or `state`: only by `state.apply`", _one_of(*LANES)
    ),
    Option("min_interval", 0.2, "s", "least time between two publishes; the first change never waits", _seconds(0)),
    Option("empty_grace", 30, "s", "how long a service that became empty or absent keeps its servers", _seconds(0)),
    Option("resync", 600, "s", "an order for the whole fleet at least this often; 0: never", _seconds(0)),
    Option(
        "ack_timeout",
        5,
        "s",
        "how long an edge may take to confirm; then it is rung again, and again",
        _seconds(0.5),
    ),
    Option("watch_timeout", 240, "s", "how long the API server keeps one watch open", _seconds(1)),
    Option(
        "read_timeout", 120, "s", "silence after which a watch is torn down; bookmarks come each minute", _seconds(1)
    ),
    Option("connect_timeout", 5, "s", "for the TCP and TLS connection to the API", _seconds(0.1)),
    Option("backoff_min", 0.5, "s", "wait after a first failure; doubles, jittered", _seconds(0.01)),
    Option("backoff_max", 30, "s", "longest wait after failures, and longest Retry-After honoured", _seconds(0.01)),
    Option("stale_after", 300, "s", "age of the view from which on a warning is fired, once", _seconds(1)),
    Option(
        "allowed_networks",
        None,
        "",
        "`{service: [CIDR, …]}`: endpoints outside are refused; a service not named may be anywhere",
        _networks,
    ),
    Option(
        "metrics", None, "", "where to serve metrics and status page, such as `127.0.0.1:9105`; unset: off", _address
    ),
)


def check(raw: Mapping[str, Any]) -> Options:
    """The options with their defaults. Raises `BadOptions` with every problem."""
    known = {option.name: option for option in TABLE}
    problems = [_unknown(name, raw[name], known) for name in raw if name not in known]
    values = {name: raw.get(name, option.default) for name, option in known.items()}
    for name, option in known.items():
        problem = option.problem(values[name])
        if problem:
            problems.append(f"{name}: {values[name]!r}: {problem}")
    problems += _strangers(values)
    if problems:
        raise BadOptions(problems)
    allowed = values["allowed_networks"] or {}
    values["allowed_networks"] = {service: tuple(networks) for service, networks in allowed.items()}
    values["services"] = tuple(dict.fromkeys(values["services"]))
    return Options(**values)


def _strangers(values: Mapping[str, Any]) -> list[str]:
    """A network for a service that is not followed protects nothing: a slip that must not go unnoticed."""
    services, allowed = values["services"], values["allowed_networks"]
    if not isinstance(services, list) or not isinstance(allowed, Mapping):
        return []
    return [f"allowed_networks: {one}: is not one of services" for one in allowed if one not in services]


def _unknown(name: str, value: Any, known: Mapping[str, Option]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
    return f"{name}: {value!r}: no such option{hint}"
