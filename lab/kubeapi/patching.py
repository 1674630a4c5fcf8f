"""The three patches of the API: merge (RFC 7386), JSON (RFC 6902) and strategic merge for the kinds served here."""

from __future__ import annotations

import copy
from typing import Any

from lab.kubeapi.status import Failure, bad_request

# lists the API merges element by element, by the path inside the object; every other list is replaced as a whole
_MERGE_KEYS = {
    ("spec", "ports"): "port",
    ("secrets",): "name",
    ("imagePullSecrets",): "name",
    ("metadata", "ownerReferences"): "uid",
}


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def strategic(target: Any, patch: Any, path: tuple[str, ...] = ()) -> Any:
    """Strategic merge: like merge, but with ``$patch`` directives and the lists above merged by key."""
    if isinstance(patch, list) and path in _MERGE_KEYS:
        return _merge_list(target or [], patch, path)
    if not isinstance(patch, dict):
        return patch
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key.startswith("$"):
            continue  # $setElementOrder, $retainKeys: order and leftovers do not matter to the kinds here
        if value is None:
            result.pop(key, None)
        else:
            result[key] = strategic(result.get(key), value, (*path, key))
    return result


def _merge_list(target: list[Any], patch: list[Any], path: tuple[str, ...]) -> list[Any]:
    key = _MERGE_KEYS[path]
    result = {element.get(key): element for element in target}
    for element in patch:
        if element.get("$patch") == "delete":
            result.pop(element.get(key), None)
        else:
            result[element.get(key)] = strategic(result.get(element.get(key)), element)
    return list(result.values())


def json_patch(target: Any, operations: Any) -> Any:
    """RFC 6902: add, remove, replace and test."""
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: a JSON patch is a list of operations")
    document = copy.deepcopy(target)
    for operation in operations:
        document = _apply(document, operation)
    return document


def _apply(document: Any, operation: dict[str, Any]) -> Any:
    kind, pointer = operation.get("op"), str(operation.get("path", ""))
    keys = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    if not keys:
        return operation.get("value")
    try:
        _edit(document, keys, str(kind), operation.get("value"))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        message = f"the server rejected our request due to an error in our request: {kind} {pointer}: {error}"
        raise Failure(422, "Invalid", message) from error
    return document


def _edit(document: Any, keys: list[str], kind: str, value: Any) -> None:
    parent = document
    for key in keys[:-1]:
        parent = parent[int(key)] if isinstance(parent, list) else parent[key]
    last: Any = keys[-1]
    if isinstance(parent, list):
        last = len(parent) if last == "-" else int(last)
    if kind == "add" and isinstance(parent, list):
        parent.insert(last, value)
    elif kind == "add":
        parent[last] = value
    elif kind == "remove":
        del parent[last]
    elif kind == "replace":
        parent[last]
        parent[last] = value
    elif kind == "test":
        if parent[last] != value:
            raise ValueError("test failed")
    else:
        raise ValueError("unknown operation")
