"""The master's configuration: engines, ext_pillar, reactor, files. Pure.

Most of what goes wrong at an installation is a line that is missing here, or that stands in the wrong place.
It must never change one: a finding shows the lines to write.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

from haproxy_edge.doctor.facts import Facts
from haproxy_edge.doctor.finding import Finding, advice, ok, wrong
from haproxy_edge.event_filter import DOORBELL
from haproxy_edge.installed import ENGINE
from haproxy_edge.options import LANES

MASTER = "master"
# as the loader knows it, and so as ext_pillar names it
EXT_PILLAR = "haproxy_edge"
VERSION_FILE = "salt://_utils/haproxy_edge_minion/version_of_modules.py"
# what an edge is served, and what each is for
STATES = {
    "salt://haproxy/init.sls": "the states",
    "salt://haproxy/files/haproxy.cfg.jinja": "the template",
    VERSION_FILE: "the edge's modules",
}
_README = "README, 'Install', step 4"
_MODULES = re.compile(r'^MODULES = "([0-9a-f]+)"$', re.MULTILINE)


def engines_configured(facts: Facts) -> Iterator[Finding]:
    """There is an engine, and its options are valid."""
    if not facts.engines:
        yield wrong(
            "engine-configured", MASTER, f"no {ENGINE} in 'engines'", f"add it ({_README}) and restart the master"
        )
    for engine in facts.engines:
        if engine.installed.options is None:
            for problem in engine.installed.problems:
                yield wrong("engine-options", engine.name, problem, "mend it; docs/options.md lists every option")
        else:
            yield ok("engine-options", engine.name, f"follows {', '.join(engine.installed.options.services)}")


def ext_pillar(facts: Facts) -> Iterator[Finding]:
    """Ours is there, comes last, and after the pillar."""
    configured = [name for entry in facts.configuration.get("ext_pillar") or [] for name in entry]
    if EXT_PILLAR not in configured:
        yield wrong(
            "ext-pillar",
            MASTER,
            f"no {EXT_PILLAR} in 'ext_pillar'",
            f"add '- {EXT_PILLAR}: {{}}' as the last of the list",
        )
    elif configured[-1] != EXT_PILLAR:
        later = configured[configured.index(EXT_PILLAR) + 1 :]
        yield wrong(
            "ext-pillar",
            MASTER,
            f"{', '.join(later)} come after {EXT_PILLAR} in 'ext_pillar', so frontends they give are not seen",
            f"make {EXT_PILLAR} the last of the list and restart the master",
        )
    elif facts.configuration.get("ext_pillar_first"):
        yield wrong(
            "ext-pillar",
            MASTER,
            "ext_pillar_first: True, so it runs before the pillar is known and sees no frontends",
            "set ext_pillar_first: False and restart the master",
        )
    else:
        yield ok("ext-pillar", MASTER, f"{EXT_PILLAR} is the last of {len(configured)}")


def pillar_cache(facts: Facts) -> Iterator[Finding]:
    """A cached pillar holds snapshots that may be an hour old."""
    if facts.configuration.get("pillar_cache"):
        yield wrong(
            "pillar-cache",
            MASTER,
            f"pillar_cache: True: snapshots in pillar may be {facts.configuration.get('pillar_cache_ttl', 3600)} s old",
            "set pillar_cache: False and restart the master",
        )
    else:
        yield ok("pillar-cache", MASTER, "off")


def reactor(facts: Facts) -> Iterator[Finding]:
    """Each doorbell is mapped to an SLS that takes orders of its lane."""
    for lane in lanes(facts):
        tag = f"{DOORBELL}{lane}"
        mapped = [path for path in reactor_files(facts.configuration) if path[0] == tag]
        files = [path for _, path in mapped]
        absent = [path for path in files if facts.texts.get(path) is None]
        taking = [path for path in files if _takes(facts.texts.get(path), lane)]
        mend = f"map {tag} to haproxy_{lane}.sls of salt/reactor ({_README}) and restart the master"
        if not files:
            yield wrong("reactor", MASTER, f"{tag} is not in 'reactor', so orders of that lane stay", mend)
        elif absent:
            yield wrong("reactor", MASTER, f"{tag}: {', '.join(absent)}: no such file, or not readable", mend)
        elif not taking:
            yield wrong("reactor", MASTER, f"{tag}: {', '.join(files)} takes no orders of the {lane} lane", mend)
        else:
            yield ok("reactor", MASTER, f"{tag} runs {', '.join(taking)}")


def reactor_files(configuration: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(doorbell's tag, path) of every SLS that a doorbell runs; the tags of a reactor may be globs."""
    for entry in configuration.get("reactor") or []:
        for pattern, files in entry.items() if isinstance(entry, Mapping) else ():
            for lane in LANES:
                tag = f"{DOORBELL}{lane}"
                if fnmatch(tag, str(pattern)):
                    yield from ((tag, str(path)) for path in ([files] if isinstance(files, str) else files or []))


def lanes(facts: Facts) -> Iterable[str]:
    """The lanes that are used; the hot one unless no engine has it."""
    options = [engine.installed.options for engine in facts.engines if engine.installed.options]
    return ["state"] if options and all(one.lane == "state" for one in options) else LANES


def states(facts: Facts) -> Iterator[Finding]:
    """The master serves our states and the edge's modules."""
    absent = [path for path in STATES if facts.texts.get(path) is None]
    for path in absent:
        yield wrong(
            "states",
            MASTER,
            f"{path} ({STATES[path]}) is not in the master's file roots (saltenv base)",
            f"add the checkout's salt/states to file_roots, or its gitfs remote ({_README})",
        )
    if not absent:
        yield ok("states", MASTER, f"served; modules {(modules_served(facts) or 'without a digest')[:12]}")


def modules_served(facts: Facts) -> str | None:
    """The digest of the modules that the master serves."""
    found = _MODULES.search(facts.texts.get(VERSION_FILE) or "")
    return found[1] if found else None


def keys(facts: Facts) -> Iterator[Finding]:
    """Nobody waits to be accepted."""
    for kind, mend in (
        ("pending", "compare fingerprints (salt-key -f {0}), then: salt-key -a {0}"),
        ("denied", "another key is accepted under that name: is it a reinstalled host? salt-key -d {0}, then accept"),
        ("rejected", "if that was a mistake: salt-key --include-rejected -a {0}"),
    ):
        for name in facts.keys.get(kind) or ():
            judge = wrong if kind != "rejected" else advice
            yield judge("key", name, f"its key is {kind}", mend.format(name))
    if not facts.keys.get("pending") and not facts.keys.get("denied"):
        yield ok("key", MASTER, f"{len(facts.keys.get('accepted') or ())} accepted, none waits")


def _takes(text: str | None, lane: str) -> bool:
    wanted = rf"haproxy_edge_outbox\.take['\"]\]\(\s*['\"]{lane}['\"]"
    return text is not None and re.search(wanted, text) is not None


CHECKS = (engines_configured, ext_pillar, pillar_cache, reactor, states, keys)
