"""Label and field selectors, as in "Labels and Selectors" and "Field Selectors" of the Kubernetes documentation."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Match = Callable[[Mapping[str, Any]], bool]

_SET = re.compile(r"(?P<key>[\w./-]+)\s+(?P<operator>in|notin)\s*\((?P<values>[^)]*)\)")
_EQUALITY = re.compile(r"(?P<key>[\w./-]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[\w.-]*)")
_EXISTS = re.compile(r"(?P<absent>!?)\s*(?P<key>[\w./-]+)")


class BadSelector(ValueError):
    """A selector that cannot be read."""


def matcher(labels: str, fields: str) -> Match:
    """Whether an object fits both selectors; an empty one fits all. Raises `BadSelector`."""
    tests = [_label_test(part) for part in _split(labels)] + [_field_test(part) for part in _split(fields)]
    return lambda item: all(test(item) for test in tests)


def _split(selector: str) -> list[str]:
    """At commas outside parentheses."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", selector) if part.strip()]


def _label_test(requirement: str) -> Match:
    if match := _SET.fullmatch(requirement):
        values, wanted = {value.strip() for value in match["values"].split(",")}, match["operator"] == "in"
        return lambda item, key=match["key"]: (_labels(item).get(key) in values) == wanted  # type: ignore[misc]
    if match := _EQUALITY.fullmatch(requirement):
        value, equal = match["value"], match["operator"] != "!="
        return lambda item, key=match["key"]: (_labels(item).get(key) == value) == equal  # type: ignore[misc]
    if match := _EXISTS.fullmatch(requirement):
        present = not match["absent"]
        return lambda item, key=match["key"]: (key in _labels(item)) == present  # type: ignore[misc]
    raise BadSelector(f"unable to parse requirement: {requirement!r}")


def _field_test(requirement: str) -> Match:
    match = _EQUALITY.fullmatch(requirement)
    if match is None or match["key"] not in ("metadata.name", "metadata.namespace"):
        raise BadSelector(f"field label not supported: {requirement}")
    field, value, equal = match["key"].partition(".")[2], match["value"], match["operator"] != "!="
    return lambda item: (item["metadata"].get(field) == value) == equal


def _labels(item: Mapping[str, Any]) -> Mapping[str, str]:
    return item["metadata"].get("labels") or {}
