"""Label and field selectors: text to a predicate over objects, or 400 as the API answers it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from lab.kubeapi.status import bad_request

Predicate = Callable[[Mapping[str, Any]], bool]
LabelTest = Callable[[Mapping[str, str]], bool]

_KEY = r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_SET = re.compile(rf"(?P<key>{_KEY})\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUALITY = re.compile(rf"(?P<key>{_KEY})\s*(?P<op>==|=|!=)\s*(?P<value>{_VALUE})")
_EXISTS = re.compile(rf"(?P<not>!?)\s*(?P<key>{_KEY})")
_BETWEEN = re.compile(r",(?![^(]*\))")
_FIELDS = ("metadata.name", "metadata.namespace")


def labels(text: str) -> Predicate:
    """A label selector, equality and set based. Raises a 400 `Failure`."""
    tests = [_requirement(part.strip()) for part in _BETWEEN.split(text)] if text.strip() else []

    def matches(item: Mapping[str, Any]) -> bool:
        found = (item.get("metadata") or {}).get("labels") or {}
        return all(test(found) for test in tests)

    return matches


def _requirement(part: str) -> LabelTest:
    if match := _SET.fullmatch(part):
        return _set_test(match["key"], {value.strip() for value in match["values"].split(",")}, match["op"] == "in")
    if match := _EQUALITY.fullmatch(part):
        return _set_test(match["key"], {match["value"]}, match["op"] != "!=")
    if match := _EXISTS.fullmatch(part):
        key, wanted = match["key"], not match["not"]
        return lambda found: (key in found) is wanted
    raise bad_request(f"unable to parse requirement: {part!r} is no label requirement")


def _set_test(key: str, values: set[str], wanted: bool) -> LabelTest:
    for value in values:
        if not re.fullmatch(_VALUE, value):
            raise bad_request(f"unable to parse requirement: values[0][{key}]: Invalid value: {value!r}")
    # an object without the key satisfies notin and !=
    return lambda found: (found.get(key) in values) is wanted


def fields(text: str) -> Predicate:
    """A field selector; only name and namespace are selectable here. Raises a 400 `Failure`."""
    tests = [_field(part.strip()) for part in text.split(",") if part.strip()]

    def matches(item: Mapping[str, Any]) -> bool:
        return all(test(item.get("metadata") or {}) for test in tests)

    return matches


def _field(part: str) -> LabelTest:
    match = re.match(r"^([^=!]+)(==|=|!=)(.*)$", part)
    if not match:
        raise bad_request(f"invalid selector: {part!r}; can't understand {part!r}")
    field, wanted = match[1].strip(), match[2] != "!="
    if field not in _FIELDS:
        raise bad_request(f"field label not supported: {field}")
    key, value = field.removeprefix("metadata."), match[3]
    return lambda metadata: (metadata.get(key, "") == value) is wanted


def selected_name(text: str) -> str:
    """The one name a field selector asks for, else "": RBAC's resourceNames then apply to list and watch."""
    match = re.match(r"^(?:.*,)?metadata\.name==?([^,]+)(?:,.*)?$", text)
    return match[1] if match else ""
