"""What is fuzzed, and what must hold for every case: one class per border that takes what others wrote.

A target's ``examine`` raises on the first thing that does not hold; anything but the documented exception counts.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import zlib
from collections import Counter
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jinja2
from haproxy_edge import slices
from haproxy_edge.snapshot import Snapshot as Stored
from haproxy_edge_minion import commands, snapshot
from haproxy_edge_minion.applied import Applied
from haproxy_edge_minion.diagnosis import refused
from haproxy_edge_minion.edge import Edge
from haproxy_edge_minion.files import Paths
from haproxy_edge_minion.outcome import EdgeError
from haproxy_edge_minion.payload import unpack
from haproxy_edge_minion.renderer import fill, seal, server_flags, server_line
from haproxy_edge_minion.snapshot import Server, Snapshot, SnapshotError
from haproxy_edge_minion.spec import Spec, resolve
from hypothesis import strategies as st

from fuzz.haproxy import Judge, refusal
from fuzz.inputs import ENDPOINTS, PILLARS, SERVICE, SLICES, SNAPSHOTS
from fuzz.mutation import anything, mangled, mutated

_TEMPLATE = Path(__file__).parent.parent / "salt/states/haproxy/files/haproxy.cfg.jinja"
# one server line and nothing else: name, place, weight, flags, node as a comment
_SERVER_LINE = re.compile(
    r"    server (?:[A-Za-z0-9][A-Za-z0-9._-]*):[0-9a-f.:]+:\d{1,5} (?:[0-9.]+|\[[0-9a-f:.]+\]):\d{1,5}"
    r" weight (?:0|100)( [a-z0-9-]+)*(?: # node [A-Za-z0-9][A-Za-z0-9._-]*)?"
)
# a case whose raw HAProxy words are not ours, or whose "global" is to be judged, takes a HAProxy of its own: one in
_ALONE = 4
_SPEC = resolve({"bind": ":443"})
_FLAGS = server_flags(_SPEC, _SPEC.frontends[0])


class Target:
    """Counts what it has seen; ``judge`` is asked about what was accepted."""

    name = ""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.judge = Judge(directory)
        self.seen: Counter[str] = Counter()
        # by their digests
        self.different: set[int] = set()

    def cases(self) -> st.SearchStrategy[Any]:
        """How a case is made."""
        raise NotImplementedError

    def examine(self, case: Any) -> None:
        """Raises when something does not hold."""
        raise NotImplementedError

    def _judge_servers(self, found: Snapshot, case: Any) -> None:
        """Each server becomes one clean line and clean commands, and HAProxy takes them all."""
        for servers in filter(None, found.ports.values()):
            lines = [server_line(server, _FLAGS) for server in servers]
            for line in lines:
                assert _SERVER_LINE.fullmatch(line), line
            for server in servers:
                # raises ValueError when a value could end a command
                commands.add("backend", server, _FLAGS)
                commands.maintenance("backend", server.name)
            self.seen["backends"] += 1
            self.judge.add(
                "\n".join([f"backend case{self.seen['backends']}", "    balance leastconn", *lines, ""]), case
            )


class SliceParser(Target):
    """The engine's parser: never an exception, and whatever it makes, the edge's own check takes."""

    name = "slice parser"

    def cases(self) -> st.SearchStrategy[Any]:
        whole = mutated(SLICES) | mutated(SLICES) | st.dictionaries(st.sampled_from(list(SLICES[0])), anything)
        of_endpoints = mutated(ENDPOINTS).map(lambda item: _mapping_with(item, "subsets"))
        return st.lists(whole, min_size=1, max_size=2) | of_endpoints

    def examine(self, case: Any) -> None:
        items = slices.endpoints_as_slices(case) if isinstance(case, dict) else case
        # the reflector hands over mappings only
        self._is_taken(slices.merge([slices.read(item) for item in items if isinstance(item, dict)]), case)

    def _is_taken(self, merged: slices.Merged, case: Any) -> None:
        made = Stored("default", SERVICE, merged.ports, 1)
        text = made.to_json()
        assert Stored.from_json(text) == made
        found = snapshot.check(text)
        assert found.digest == made.digest
        assert all("\n" not in warning for warning in merged.warnings), merged.warnings
        # a parser refuses nothing as a whole: what it leaves out it says
        self.seen["refused" if merged.warnings else "accepted"] += 1
        self.seen["with servers" if any(found.ports.values()) else "empty"] += 1
        self._judge_servers(found, case)


class SnapshotCheck(Target):
    """The edge's check of what the master sends: a snapshot is taken whole, or refused by `SnapshotError`."""

    name = "snapshot check"

    def cases(self) -> st.SearchStrategy[Any]:
        raw = mutated([json.loads(text) for text in SNAPSHOTS])
        # with its digest made right again a mutation is seen by the checks behind that of the digest
        texts = raw.map(_signed) | raw.map(_signed) | raw.map(json.dumps) | mangled(SNAPSHOTS) | anything
        payload = st.fixed_dictionaries({"order": st.just("o") | anything, "snapshots": st.lists(texts, max_size=2)})
        packed = payload.map(json.dumps) | mangled([json.dumps({"order": "o", "snapshots": SNAPSHOTS})])
        payloads = packed | packed.map(_zipped) | mangled([_zipped(SNAPSHOTS[0])]) | anything
        return st.tuples(st.just("snapshot"), texts) | st.tuples(st.just("payload"), payloads)

    def examine(self, case: Any) -> None:
        kind, given = case
        try:
            found = [snapshot.check(given)] if kind == "snapshot" else unpack(given)[1]
        except SnapshotError as error:
            self.seen["refused"] += 1
            assert str(error)
            return
        self.seen["accepted"] += 1
        for one in found:
            assert all(_connectable(server) for servers in one.ports.values() for server in servers)
            self._judge_servers(one, case)


class PillarCheck(Target):
    """The edge's check of its pillar, and the file made from it.

    * `Edge.prepare` gives a configuration or raises `EdgeError` with problems of one line each.
    * The configuration has exactly the lines its harmless twin has, each beginning with the same word: ``bind``,
      ``log``, ``tune`` and ``extra`` are raw HAProxy words, but each stays on its own line.
    * A pillar whose raw words HAProxy knows is taken by HAProxy, whatever else is in it.
    * Where HAProxy refuses raw words, `refused` says why in lines of which one at least names a pillar key.
    * The record of what was applied reads back as it was written.
    """

    name = "pillar check"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._template = jinja2.Template(_TEMPLATE.read_text())
        # prepare asks neither the process nor the file system's labels
        self._edge = Edge(Paths(state=directory / "state"), None, restorecon=str)  # type: ignore[arg-type]
        self._known = _raw_words([haproxy for haproxy, _ in PILLARS])

    def cases(self) -> st.SearchStrategy[Any]:
        return mutated(PILLARS).filter(_is_pair) | st.tuples(anything, anything)

    def examine(self, case: Any) -> None:
        haproxy, given = case
        try:
            applied = self._edge.prepare(haproxy, given, self._render).applied
        except EdgeError as error:
            self.seen["refused"] += 1
            assert all(line.startswith("haproxy") for line in str(error).splitlines()), str(error)
            return
        self.seen["accepted"] += 1
        self._no_line_is_injected(applied)
        self._record_reads_back(applied)
        self._have_it_judged(applied, case)

    def _render(self, spec: Spec) -> str:
        return self._template.render(spec=spec)

    def _no_line_is_injected(self, applied: Applied) -> None:
        twin = _harmless(applied.spec)
        expected = fill(seal(self._render(twin), twin, socket=Paths().socket)[0], twin, applied.servers)
        lines, others = applied.text.splitlines(), expected.splitlines()
        assert applied.text == "\n".join(lines) + "\n", "a line end that is none to HAProxy, or none at the end"
        assert len(lines) == len(others), f"{len(lines)} lines where {len(others)} were asked for"
        for line, other in zip(lines, others, strict=True):
            begins, meant = _first_word(line), _first_word(other)
            assert begins == meant or meant == "raw", f"{line!r} where {other!r} was meant"

    def _record_reads_back(self, applied: Applied) -> None:
        path = self.directory / "applied.json"
        path.write_text(applied.as_json)
        again = Applied.load(path)
        assert again is not None and again.text == applied.text

    def _have_it_judged(self, applied: Applied, case: Any) -> None:
        tame = _raw_words([case[0]]) <= self._known
        if tame:
            self.seen["tame"] += 1
            self.judge.add(self._renamed(applied), case)
        if self.seen["accepted"] % _ALONE == 0:
            self.seen["alone"] += 1
            self._judged_alone(applied, tame)

    def _renamed(self, applied: Applied) -> str:
        """All from ``defaults`` on, under names no other case has."""
        rest = applied.text[applied.text.index("\ndefaults\n") + 1 :]
        # sections added by the template for itself would meet their like of another case
        return re.sub(
            r"^(\s*(?:(?:frontend|backend|default_backend|listen) |monitor fail if { nbsrv\())(\S+)",
            rf"\g<1>case{self.seen['tame']}-\g<2>",
            rest,
            flags=re.MULTILINE,
        )

    def _judged_alone(self, applied: Applied, tame: bool) -> None:
        found = refusal(applied.text, self.directory)
        if found is None:
            return
        assert not tame, f"haproxy -c refuses what was accepted\n{applied.text}\n{found.words}"
        self.seen["refused by HAProxy"] += 1
        explained = refused(found.status, found.words, applied.text, applied.spec)
        assert any(line.startswith("haproxy.") for line in explained), f"no pillar key in {explained}\n{found.words}"


TARGETS = (SliceParser, SnapshotCheck, PillarCheck)


def _mapping_with(item: Any, key: str) -> dict[str, Any]:
    return item if isinstance(item, dict) else {key: item}


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2


def _signed(raw: Any) -> str:
    """As text, with the digest its content has."""
    raw = json.loads(json.dumps(raw))
    if isinstance(raw, dict) and {"schema", "cluster", "service", "ports", "digest"} <= set(raw):
        raw = {**raw, "digest": snapshot._digest(raw)}
    return json.dumps(raw)


def _zipped(text: str) -> str:
    return "zlib:" + base64.b64encode(zlib.compress(text.encode(errors="surrogatepass"))).decode()


def _connectable(server: Server) -> bool:
    address = ip_address(server.address)
    return not (address.is_unspecified or address.is_multicast or "%" in server.address)


def _first_word(line: str) -> str:
    word = (line.split() or [""])[0]
    return "tune" if word.startswith("tune.") else word


def _harmless(spec: Spec) -> Spec:
    """Of the same shape, with nothing in it that a pillar chose the words of."""
    globals_, defaults = dict(spec.globals), dict(spec.defaults)
    globals_.update(log=["x"] * len(spec.globals["log"]), extra=["raw"] * len(spec.globals["extra"]))
    globals_["tune"] = {f"t{index}": 1 for index in range(len(spec.globals["tune"]))}
    defaults["extra"] = ["raw"] * len(spec.defaults["extra"])
    frontends = tuple(dataclasses.replace(one, binds=_raw(one.binds)) for one in spec.frontends)
    return dataclasses.replace(
        spec,
        frontends=frontends,
        health_binds=_raw(spec.health_binds),
        metrics_binds=_raw(spec.metrics_binds),
        globals=globals_,
        defaults=defaults,
    )


def _raw(words: tuple[str, ...]) -> tuple[str, ...]:
    return ("x",) * len(words)


def _raw_words(pillars: list[Any]) -> set[str]:
    """Every value that goes to HAProxy as it stands, with names of timeouts and tune settings."""
    found: set[str] = set()
    for pillar in pillars:
        frontends = pillar.get("frontends") or {}
        raw = [pillar.get(name) for name in ("bind", "bind_insecure", "health_bind", "metrics_bind")]
        raw += [one.get("bind") for one in frontends.values()]
        for name in ("global", "defaults"):
            section = pillar.get(name) or {}
            raw += [section.get("log"), section.get("extra"), *(section.get("timeouts") or ())]
            raw += [f"{key} {value}" for key, value in (section.get("tune") or {}).items()]
        found |= {str(word) for value in raw for word in (value if isinstance(value, list) else [value])}
    return found
