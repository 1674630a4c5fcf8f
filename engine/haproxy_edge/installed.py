"""The engines a master's configuration names, each checked, whether or not it runs.

Pure. Salt takes ``engines`` as a list of mappings or as one mapping, and tells several instances of one engine apart by
names of their own with ``engine_module``.
One whose options are refused must never hide the others: it is listed with its problems.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from haproxy_edge.options import BadOptions, Options, check
from haproxy_edge.snapshot import DEFAULT_CLUSTER

ENGINE = "k8s_endpoints"


@dataclass(frozen=True)
class Installed:
    """One configured engine. ``options`` is None when they are refused, for the ``problems``."""

    name: str
    cluster: str
    options: Options | None
    problems: tuple[str, ...] = ()


def installed(configuration: Mapping[str, Any]) -> list[Installed]:
    """From the master's configuration, in its order."""
    return [_checked(name, options) for name, options in _instances(configuration.get("engines"))]


def clusters(configuration: Mapping[str, Any]) -> list[str]:
    """Their names, each once; the default one where no engine is configured."""
    return list(dict.fromkeys(one.cluster for one in installed(configuration))) or [DEFAULT_CLUSTER]


def followed(engines: Iterable[Installed]) -> list[str]:
    """The services of all of them, sorted."""
    return sorted({service for one in engines if one.options for service in one.options.services})


def options_now(configuration: Mapping[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What the configuration has now for an engine that was ``given`` its options: those of the same cluster."""
    found = [options for _, options in _instances(configuration.get("engines"))]
    same = [options for options in found if options.get("cluster") == given.get("cluster")]
    # a single one may have had its cluster's name mended
    return (same or (found if len(found) == 1 else []) or [given])[0]


def _instances(engines: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, options in _entries(engines):
        given = dict(options) if isinstance(options, Mapping) else {}
        if given.pop("engine_module", name) == ENGINE:
            yield str(name), given


def _entries(engines: Any) -> Iterator[tuple[Any, Any]]:
    listed = [engines] if isinstance(engines, Mapping) else engines if isinstance(engines, list) else []
    for entry in listed:
        # an engine without options may be a plain name
        yield from entry.items() if isinstance(entry, Mapping) else [(entry, {})]


def _checked(name: str, raw: dict[str, Any]) -> Installed:
    cluster = str(raw.get("cluster") or DEFAULT_CLUSTER)
    try:
        return Installed(name, cluster, check(raw))
    except BadOptions as error:
        return Installed(name, cluster, None, tuple(error.problems))
