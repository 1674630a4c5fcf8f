"""HAProxy's own messages, translated to the pillar key a person can mend.

Pure. It never hides a message it does not understand: that one is passed on as it stands.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

from haproxy_edge_minion.spec import Spec

# "parsing [haproxy.cfg:17] : 'bind' : missing port" and "Binding [haproxy.cfg:17] for frontend a: cannot bind …"
_AT_LINE = re.compile(r"\[[^\[\]]*:(?P<line>\d+)\](?: for (?:frontend|proxy) [^ :]+)? ?: ?(?P<message>.*)")
_NOISE = re.compile(r"^\[(?:ALERT|WARNING|NOTICE)\]\s*(?:\d+/\d+\s*)?\(?\d*\)?\s*:\s*(?:config : )?")

# lines that only say that there were lines above, or that a host has no syslog
_SUMMARIES = (
    "Fatal errors found",
    "Error(s) found",
    "[haproxy.main()] Some protocols failed",
    "sendmsg()/writev() failed in logger",
)


def refused(status: int, output: str, text: str, spec: Spec) -> list[str]:
    """`explain`, for a ``haproxy -c`` that ended with ``status``. Where no line is blamed, it says what to suspect."""
    suspects = "suspect are the values that only HAProxy judges: tune, extra and bind"
    if status < 0:
        # what it said before is about something else
        return [f"haproxy.global: HAProxy itself died of this configuration ({signal.strsignal(-status)}); {suspects}"]
    explained = explain(output, text, spec) or [f"haproxy: exit status {status} of haproxy -c"]
    if all(line.startswith("haproxy: ") for line in explained):
        return [*explained, f"haproxy.global: HAProxy blames no line; {suspects}"]
    return explained


def explain(output: str, text: str, spec: Spec) -> list[str]:
    """One line per error in HAProxy's ``output`` about the configuration ``text``, with pillar key and value."""
    alerts = [line for line in output.splitlines() if "ALERT" in line]
    return list(dict.fromkeys(_explained(alerts or output.splitlines(), text.splitlines(), spec)))


def _explained(messages: list[str], lines: list[str], spec: Spec) -> Iterator[str]:
    for message in messages:
        found = _AT_LINE.search(message)
        plain = _NOISE.sub("", message).strip()
        place = _place(lines, int(found["line"]), spec) if found else None
        if found and place:
            yield f"{place}: haproxy: {found['message']}"
        elif plain and not plain.startswith(_SUMMARIES):
            yield f"haproxy: {plain}"


def _place(lines: list[str], number: int, spec: Spec) -> str | None:
    """The pillar key and value that line ``number`` (from 1) came from; the line itself where there is no key."""
    if not 0 < number <= len(lines):
        return None
    line = lines[number - 1].strip()
    section = next((above.split() for above in reversed(lines[:number]) if above[:1].isalpha()), [])
    if section[:1] == ["frontend"] and line.startswith("bind "):
        keys = {name: key for name, key, _ in spec.listeners}
        return f"{keys.get(section[1], section[1])}: {line[len('bind ') :]!r}"
    return _setting(section[:1], line, spec) or f"line {number}: {line!r}"


def _setting(section: list[str], line: str, spec: Spec) -> str | None:
    """Pillar key and value of a line of ``global`` or ``defaults`` that came from the pillar."""
    name, _, value = line.partition(" ")
    if section == ["global"]:
        if line in map(str.strip, spec.globals["extra"]):
            return f"haproxy.global.extra: {line!r}"
        tune = f"tune.{name.removeprefix('tune.')}" if name.startswith("tune.") else None
        keys = {"hard-stop-after": "hard_stop_after", "log": "global.log", tune: f"global.{tune}"}
        keys |= {known: f"global.{known}" for known in ("maxconn", "nbthread")}
        return f"haproxy.{keys[name]}: {value!r}" if name in keys else None
    if section == ["defaults"]:
        if line in map(str.strip, spec.defaults["extra"]):
            return f"haproxy.defaults.extra: {line!r}"
        if name == "timeout":
            name, _, value = value.partition(" ")
            return f"haproxy.defaults.timeouts.{name}: {value!r}"
        return f"haproxy.defaults.maxconn: {value!r}" if name == "maxconn" else None
    return None
