"""What the runner returns, as text for people; the same data is its JSON.

Pure. Salt's outputter ``haproxy_edge`` calls `text`. It must never fail: an outputter that raises shows nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from haproxy_edge.status import for_people

# findings that need somebody come last, where the eye is
_ORDER = ("ok", "unknown", "advice", "wrong")


def text(data: Any) -> str:
    """Of what a function of the runner gave."""
    if not isinstance(data, Mapping):
        return str(data)
    try:
        return "\n".join(_VIEWS.get(str(data.get("function")), _said)(data)).strip("\n")
    except (KeyError, TypeError, AttributeError, ValueError):
        return json.dumps(data, indent=1, default=str)


def table(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Aligned columns; nothing at all without rows."""
    cells = [["-" if cell in (None, "") else str(cell) for cell in row] for row in rows]
    if not cells:
        return
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    for row in (titles, *cells):
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


def _problems(data: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"! {problem}" for problem in data.get("problems") or ())


def _said(data: Mapping[str, Any]) -> Iterator[str]:
    yield from data.get("said") or ()
    yield from _problems(data)


def _status(data: Mapping[str, Any]) -> Iterator[str]:
    yield from _problems(data)
    for engine in data["engines"]:
        wrong = [watch for watch in engine["watches"] if watch["condition"] != "ok"]
        yield from (f"! {watch['message'] or watch['path']} ({watch['condition']})" for watch in wrong)
    yield ""
    yield from _services(data)
    yield ""
    yield from _edges(data)


def _services(data: Mapping[str, Any]) -> Iterator[str]:
    yield from table(
        ("SERVICE", "STATE", "READY", "DRAINING", "VIEW", "EDGES", "BEHIND", "GENERATION"),
        (
            (
                _named(data, row, row["service"]),
                _service_state(row),
                row["ready"],
                row["draining"],
                for_people(row["age"]),
                row["served_by"],
                len(row["behind"]),
                row["generation"],
            )
            for row in data["services"]
        ),
    )


def _edges(data: Mapping[str, Any]) -> Iterator[str]:
    yield from table(
        ("EDGE", "STATE", "BEHIND", "LANE", "HEARD", "GENERATION", "LAST RELOAD", "ERROR"),
        (
            (
                _named(data, row, row["edge"]),
                row["state"],
                None if row["behind_for"] is None else for_people(row["behind_for"]),
                row["lane"],
                for_people(row["heard"]),
                max(row["applied"].values(), default=None),
                row["reload"] and f"{for_people(row['reload']['ago'])}: {row['reload']['reason']}",
                row["error"],
            )
            for row in data["edges"]
        ),
    )


def _named(data: Mapping[str, Any], row: Mapping[str, Any], name: str) -> str:
    """With its cluster where there are several."""
    return f"{row['cluster']} {name}" if len(data["engines"]) > 1 else name


def _service_state(row: Mapping[str, Any]) -> str:
    return f"held: {row['held']}, {for_people(row['held_for'])}" if row["state"] == "held" else str(row["state"])


def _history(data: Mapping[str, Any]) -> Iterator[str]:
    yield from _problems(data)
    yield from table(
        ("WHEN", "SERVICE", "READY", "WHAT", "EDGES", "FIRST", "LAST"),
        (
            (row["at"], row["service"], row["ready"], _what(row), _reached(row), _took(row["first"]), _last(row))
            for row in data["changes"]
        ),
    )


def _what(row: Mapping[str, Any]) -> str:
    """By pod: the ports of one come and go together."""
    parts = [f"{sign}{pod}" for sign, kind in _SIGNS for pod in dict.fromkeys(name.split(":")[0] for name in row[kind])]
    return " ".join(parts) or "only details"


_SIGNS = (("+", "added"), ("~", "drained"), ("-", "removed"))


def _reached(row: Mapping[str, Any]) -> str:
    return f"{row['edges']}, {len(row['waiting'])} to come" if row["waiting"] else str(row["edges"])


def _took(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:.2f} s"


def _last(row: Mapping[str, Any]) -> str | None:
    return None if row["last"] is None else f"{_took(row['last'])} {row['last_edge']}"


def _plan(data: Mapping[str, Any]) -> Iterator[str]:
    yield from _problems(data)
    for edge, plan in data["edges"].items():
        yield f"{edge}: {_verdict(plan)}"
        yield from (f"  ! {problem}" for problem in plan["problems"])
        yield from (f"  > {command}" for command in plan["commands"])
        yield from (f"  {line}" for line in plan["diff"].splitlines())


def _verdict(plan: Mapping[str, Any]) -> str:
    file = "the file would change" if plan["changed"] else "the file stays as it is"
    step = f"{plan['action']}: {plan['reason']}" if plan["action"] else "HAProxy needs nothing"
    return f"{file}; {step}"


def _file(key: str) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    def lines(data: Mapping[str, Any]) -> Iterator[str]:
        # as comments, so that the whole is still a configuration, or YAML
        yield from (f"# {problem}" for problem in data["problems"])
        yield data[key]

    return lines


def _doctor(data: Mapping[str, Any]) -> Iterator[str]:
    yield from _problems(data)
    for finding in sorted(data["findings"], key=lambda finding: _ORDER.index(finding["state"])):
        mark = {"ok": "ok", "advice": "note"}.get(finding["state"], finding["state"].upper())
        yield f"{mark:8}{finding['check']}: {finding['subject']}: {finding['found']}"
        if finding["mend"]:
            yield f"        -> {finding['mend']}"
    count = {state: sum(finding["state"] == state for finding in data["findings"]) for state in _ORDER}
    yield f"{count['ok']} right, {count['wrong']} wrong, {count['unknown']} could not be told; {data['seconds']} s"


_VIEWS: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "status": _status,
    "history": _history,
    "plan": _plan,
    "render": _file("text"),
    "doctor": _doctor,
    "traefik_values": _file("values"),
}
