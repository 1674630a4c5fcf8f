"""The two questions kubectl asks in protobuf, whatever the server speaks: TokenRequest and SelfSubjectAccessReview.

Read only, and only the fields answered here; field numbers are those of the ``generated.proto`` files of k8s.io/api.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.kubeapi.status import bad_request

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_ATTRIBUTES = {1: "namespace", 2: "verb", 3: "group", 4: "version", 5: "resource", 6: "subresource", 7: "name"}


def token_request(body: bytes) -> dict[str, Any]:
    """As its JSON would read. Raises a 400 `Failure`."""
    spec = _fields(_spec(body))
    seconds = [value for number, value in spec if number == 4]
    return {"spec": {"expirationSeconds": seconds[-1]} if seconds else {}}


def access_review(body: bytes) -> dict[str, Any]:
    """As its JSON would read. Raises a 400 `Failure`."""
    spec: dict[str, Any] = {}
    for number, value in _fields(_spec(body)):
        if number == 1:
            spec["resourceAttributes"] = _strings(value, _ATTRIBUTES)
        elif number == 2:
            spec["nonResourceAttributes"] = _strings(value, {1: "path", 2: "verb"})
    head = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}}
    return {**head, "spec": spec}


def _spec(body: bytes) -> bytes:
    """The spec (field 2) of the object (field 2) in the envelope; empty when it has none."""
    if not body.startswith(_MAGIC):
        raise bad_request("the object provided is unrecognized: it is not in the API's protobuf envelope")
    return _part(_part(body[len(_MAGIC) :]))


def _part(data: bytes) -> bytes:
    return next((value for number, value in _fields(data) if number == 2 and isinstance(value, bytes)), b"")


def _strings(data: bytes, names: dict[int, str]) -> dict[str, str]:
    return {names[number]: value.decode() for number, value in _fields(data) if number in names}


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, int or bytes) of one message."""
    position = 0
    try:
        while position < len(data):
            tag, position = _varint(data, position)
            if tag & 7 == 0:
                value, position = _varint(data, position)
                yield tag >> 3, value
            elif tag & 7 == 2:
                size, position = _varint(data, position)
                yield tag >> 3, data[position : position + size]
                position += size
            else:
                raise bad_request(f"the object provided is unrecognized: wire type {tag & 7}")
    except IndexError as error:
        raise bad_request("the object provided is unrecognized: it ends early") from error


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
