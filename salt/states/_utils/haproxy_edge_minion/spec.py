"""What one host's pillar resolves to, checked before anything is touched.

Pure. `resolve` lists every problem at once, each with its pillar key, its value and what would be right. `TABLES` is
the vocabulary, and the only place where a default stands; ``docs/pillar.md`` and the fuzz follow it. CONTRIBUTING.md
says where a new key goes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from haproxy_edge_minion.binds import identities
from haproxy_edge_minion.snapshot import CLUSTER, DEFAULT_CLUSTER, PORT_NAME, SERVICE

DEFAULT_SERVICE = "kube-system/traefik"
PROXY_PROTOCOLS = ("v2", "v1", "none")
BALANCES = ("leastconn", "roundrobin", "source", "random", "first")
LOGGED = ("failed", "all")

_FRONTEND_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_TIME = re.compile(r"(?P<number>[1-9][0-9]{0,9})(?P<unit>us|ms|s|m|h|d)?")
# HAProxy's longest time, and its units, in milliseconds; a number without unit is milliseconds
_LONGEST_TIME = 2**31 - 1
_UNITS = {"us": 0.001, "ms": 1, None: 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# raw HAProxy words: printable, one line, and no comment sign that would hide the rest
_LINE = re.compile(r"[\x21\x22\x24-\x7e][\x20-\x22\x24-\x7e]*")


class SpecError(ValueError):
    """Every problem of a pillar, one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Frontend:
    """One frontend with its backend of the same name: a field for each row of `FRONTEND_KEYS`.

    ``key`` is the pillar key it comes from, for messages.
    """

    name: str
    binds: tuple[str, ...]
    key: str
    service: str
    port: str
    cluster: str
    proxy_protocol: str
    balance: str


@dataclass(frozen=True)
class Check:
    """Health checks: a field for each row of `CHECK_KEYS`."""

    inter: str
    fall: int
    rise: int


@dataclass(frozen=True)
class Spec:
    """One edge's checked pillar."""

    frontends: tuple[Frontend, ...]
    check: Check
    hard_stop_after: str
    drain_timeout: int
    reconcile_interval: int
    health_binds: tuple[str, ...]
    metrics_binds: tuple[str, ...]
    globals: Mapping[str, Any]
    defaults: Mapping[str, Any]
    discouraged: tuple[str, ...]

    @classmethod
    def nothing(cls) -> Spec:
        """A spec without frontends."""
        return _spec({}, [])

    @property
    def listeners(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """(name in the configuration, pillar key, binds) of everything that listens."""
        yield from ((frontend.name, frontend.key, frontend.binds) for frontend in self.frontends)
        yield HEALTH, "haproxy.health_bind", self.health_binds
        yield METRICS, "haproxy.metrics_bind", self.metrics_binds


@dataclass(frozen=True)
class Key:
    """One row of a table: a pillar key, its default, what it means and what is wrong with a value (None: nothing)."""

    name: str
    default: Any
    meaning: str
    problem: Callable[[Any], str | None]


def _matches(pattern: re.Pattern[str], words: str) -> Callable[[Any], str | None]:
    return lambda value: None if isinstance(value, str) and pattern.fullmatch(value) else f"must be {words}"


def _one_of(*allowed: str) -> Callable[[Any], str | None]:
    return lambda value: None if value in allowed else f"must be one of {', '.join(allowed)}"


def _whole(lowest: int, highest: int) -> Callable[[Any], str | None]:
    def problem(value: Any) -> str | None:
        good = isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest
        return None if good else f"must be a whole number from {lowest} to {highest}"

    return problem


def _lines(value: Any) -> str | None:
    listed = value if isinstance(value, list) else [value]
    good = listed and all(isinstance(item, str) and _LINE.fullmatch(item) for item in listed)
    return None if good else "must be one line of printable text without '#', or a list of them"


def _optional(check: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    return lambda value: None if value is None else check(value)


def _balance(value: Any) -> str | None:
    if value == "static-rr":
        return "takes no server at run time, so every pod change would reload; use roundrobin"
    return _one_of(*BALANCES)(value)


def _is_time(value: Any) -> bool:
    found = _TIME.fullmatch(str(value))
    return found is not None and int(found["number"]) * _UNITS[found["unit"]] <= _LONGEST_TIME


def _timeouts(value: Any) -> str | None:
    good = isinstance(value, dict) and all(
        isinstance(name, str) and _WORD.fullmatch(name) and _is_time(time) for name, time in value.items()
    )
    return None if good else "must map names of HAProxy timeouts to times, for example {client: 1h}"


def _tune(value: Any) -> str | None:
    good = isinstance(value, dict) and all(
        isinstance(name, str) and _WORD.fullmatch(name) and _LINE.fullmatch(str(setting))
        for name, setting in value.items()
    )
    return None if good else "must map names after 'tune.' to values"


def _time(value: Any) -> str | None:
    good = isinstance(value, str) and _is_time(value)
    return None if good else "must be a time of HAProxy up to 24 days, for example 500ms, 30s or 1h"


def _mapping(value: Any) -> str | None:
    return None if isinstance(value, dict) else "must be a mapping"


def _extra_lines(value: Any) -> str | None:
    if value == []:
        return None
    if any(str(line).split()[:2] == ["stats", "socket"] for line in _listed(value)):
        return "the stats socket is always there and cannot be replaced"
    return _lines(value)


FRONTEND_KEYS = (
    Key("bind", None, "what to listen on: raw HAProxy bind words, one or a list; required", _lines),
    Key("service", DEFAULT_SERVICE, "`namespace/name`", _matches(SERVICE, "namespace/name")),
    Key(
        "port",
        None,
        "name of the service's port; required, `''` for an unnamed one",
        _matches(PORT_NAME, "the name of a port"),
    ),
    Key("cluster", DEFAULT_CLUSTER, "the engine's `cluster`", _matches(CLUSTER, "the name of a cluster")),
    Key("proxy_protocol", "v2", "`v2`, `v1` or `none`", _one_of(*PROXY_PROTOCOLS)),
    Key("balance", "leastconn", "`leastconn`, `roundrobin`, `source`, `random` or `first`", _balance),
)
CHECK_KEYS = (
    Key("inter", "2s", "time between two health checks", _time),
    Key("fall", 3, "failed checks until a server is down", _whole(1, 100)),
    Key("rise", 2, "good checks until it is up again", _whole(1, 100)),
)
GLOBAL_KEYS = (
    Key(
        "maxconn",
        None,
        "most connections of the process; unset: as HAProxy finds by the limit of open files",
        _optional(_whole(1, 10_000_000)),
    ),
    Key("nbthread", None, "threads; unset: as many as cores", _optional(_whole(1, 64))),
    Key("log", "/dev/log local0", "targets of `log`, one or a list", _lines),
    Key("tune", {}, "`tune.*` settings by their name after the dot", _tune),
    Key("extra", [], "further raw lines of `global`", _extra_lines),
)
_TIMEOUTS = {"connect": "2s", "client": "1h", "server": "1h", "check": "2s"}
DEFAULTS_KEYS = (
    Key(
        "timeouts",
        {},
        f"over the defaults {', '.join(f'`{name}: {time}`' for name, time in _TIMEOUTS.items())}",
        _timeouts,
    ),
    Key("maxconn", None, "most connections of one frontend", _optional(_whole(1, 10_000_000))),
    Key("log_connections", "failed", "which connections get a line in the log: `failed` or `all`", _one_of(*LOGGED)),
    Key("extra", [], "further raw lines of `defaults`", _extra_lines),
)
HAPROXY_KEYS = (
    Key("bind", None, "short form: frontend `websecure` of `kube-system/traefik`", _optional(_lines)),
    Key("bind_insecure", None, "short form: frontend `web` of `kube-system/traefik`; discouraged", _optional(_lines)),
    Key("frontends", {}, "long form: name to frontend", _mapping),
    Key("global", {}, "HAProxy's section `global`", _mapping),
    Key("defaults", {}, "HAProxy's section `defaults`", _mapping),
    Key("check", {}, "health checks of every server", _mapping),
    Key("hard_stop_after", "30m", "how long an old worker may live after a reload", _time),
    Key("drain_timeout", 300, "seconds that connections to a server which is gone may go on", _whole(0, 604_800)),
    Key("reconcile_interval", 60, "seconds between two looks of the edge at itself", _whole(5, 86_400)),
    Key("health_bind", None, "where to answer by HTTP whether every frontend has a live server", _optional(_lines)),
    Key("metrics_bind", None, "where HAProxy's own Prometheus exporter answers, at `/metrics`", _optional(_lines)),
)
# every key by the path it stands at
TABLES = {
    "haproxy": HAPROXY_KEYS,
    "haproxy.frontends.<name>": FRONTEND_KEYS,
    "haproxy.check": CHECK_KEYS,
    "haproxy.global": GLOBAL_KEYS,
    "haproxy.defaults": DEFAULTS_KEYS,
}
# a dot is no character of a frontend's name in the pillar, so none can be called like these
HEALTH, METRICS = "haproxy-edge.health", "haproxy-edge.metrics"
_SHORT_FORMS = {"bind": "websecure", "bind_insecure": "web"}


def resolve(haproxy: Any) -> Spec:
    """The pillar ``haproxy`` of one host as a spec. Raises `SpecError` with every problem."""
    if not isinstance(haproxy, Mapping) or not haproxy:
        example = "for example haproxy: {bind: 'ipv6@:443'}"
        raise SpecError([f"haproxy: {haproxy!r}: the pillar of this host must say what to bind, {example}"])
    problems: list[str] = []
    spec = _spec(haproxy, problems)
    if not spec.frontends and not problems:
        problems.append("haproxy: no bind, no bind_insecure and no frontends: nothing would be served")
    problems += _shared_addresses(spec)
    if problems:
        raise SpecError(problems)
    return spec


def _spec(haproxy: Mapping[Any, Any], problems: list[str]) -> Spec:
    """What is wrong goes to ``problems`` and its default stands in."""
    top = _section(haproxy, "haproxy", problems)
    frontends = tuple(_frontends(top, problems))
    globals_, defaults, check = (
        _section(_as_mapping(top[name]), f"haproxy.{name}", problems) for name in ("global", "defaults", "check")
    )
    return Spec(
        frontends=frontends,
        check=Check(**check),
        hard_stop_after=top["hard_stop_after"],
        drain_timeout=top["drain_timeout"],
        reconcile_interval=top["reconcile_interval"],
        health_binds=_listed(top["health_bind"]) if top["health_bind"] else (),
        metrics_binds=_listed(top["metrics_bind"]) if top["metrics_bind"] else (),
        globals=globals_,
        defaults={**defaults, "timeouts": {**_TIMEOUTS, **defaults["timeouts"]}},
        discouraged=("haproxy.bind_insecure",) if top["bind_insecure"] else (),
    )


def _section(raw: Mapping[Any, Any], path: str, problems: list[str], *, table: str | None = None) -> dict[str, Any]:
    """Values with defaults; what is wrong goes to ``problems`` and its default stands in."""
    known = {key.name: key for key in TABLES[table or path]}
    for name in raw:
        if name not in known:
            problems.append(f"{path}.{_plain(name)}: {raw[name]!r}: {_unknown(path, str(name), known)}")
    values = {}
    for name, key in known.items():
        values[name] = raw.get(name, key.default)
        problem = key.problem(values[name])
        if problem:
            problems.append(f"{path}.{name}: {values[name]!r}: {problem}")
            values[name] = key.default
        if key.problem in (_lines, _extra_lines):
            values[name] = _listed(values[name])
    return values


def _unknown(path: str, name: str, known: Mapping[str, Key]) -> str:
    if path == "haproxy.global" and name == "stats":
        return "the stats socket is always there and cannot be replaced"
    near = difflib.get_close_matches(name, known, n=1)
    return f"no such key; did you mean {near[0]}?" if near else f"no such key; known are {', '.join(known)}"


def _frontends(top: Mapping[str, Any], problems: list[str]) -> Iterator[Frontend]:
    for key, name in _SHORT_FORMS.items():
        if top[key]:
            yield from _frontend(name, {"bind": top[key], "port": name}, f"haproxy.{key}", problems)
    for name, raw in _as_mapping(top["frontends"]).items():
        path = f"haproxy.frontends.{_plain(name)}"
        if not isinstance(name, str) or not _FRONTEND_NAME.fullmatch(name):
            problems.append(f"{path}: {name!r}: a frontend's name is letters, digits, '-' and '_'")
        elif any(top[key] and short == name for key, short in _SHORT_FORMS.items()):
            problems.append(f"{path}: {name!r}: the short form makes a frontend of this name already")
        elif not isinstance(raw, Mapping):
            problems.append(f"{path}: {raw!r}: must be a mapping")
        else:
            yield from _frontend(name, raw, path, problems)


def _frontend(name: str, raw: Mapping[Any, Any], path: str, problems: list[str]) -> Iterator[Frontend]:
    before = len(problems)
    values = _section(raw, path, problems, table="haproxy.frontends.<name>")
    if len(problems) == before:
        binds = values.pop("bind")
        yield Frontend(name=name, binds=binds, key=path, **values)


def _shared_addresses(spec: Spec) -> Iterator[str]:
    taken: dict[tuple[str, str, str], str] = {}
    for _, key, binds in spec.listeners:
        for bind in binds:
            for place in identities(bind):
                if place in taken:
                    yield f"{key}: {bind!r}: {taken[place]} already listens there"
                taken.setdefault(place, key)


def _plain(name: Any) -> str:
    """A key as it may stand in a message: whatever it holds, the message stays one line."""
    return str(name) if str(name).isprintable() else repr(name)


def _listed(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _as_mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}
