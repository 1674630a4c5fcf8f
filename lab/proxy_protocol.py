"""Read a PROXY protocol header, strictly. Pure.

Source: "The PROXY protocol, versions 1 & 2", sections 2.1 and 2.2.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_FAMILIES = {0x11: (socket.AF_INET, 4), 0x21: (socket.AF_INET6, 16)}


class BadHeader(ValueError):
    """Not a header, or not one the specification allows."""


@dataclass(frozen=True)
class Header:
    """``kind`` is ``v1``, ``v2``, ``local`` or ``unknown``; address and port are the client's, empty when not told."""

    kind: str
    address: str = ""
    port: int = 0


def length(start: bytes) -> int | None:
    """How long the header is that starts so; None while that cannot be told yet. Raises `BadHeader`."""
    if start.startswith(SIGNATURE):
        return 16 + struct.unpack_from("!H", start, 14)[0] if len(start) >= 16 else None
    if start.startswith(b"PROXY "):
        end = start.find(b"\r\n")
        if end < 0 and len(start) > 107:
            raise BadHeader("a version 1 line of more than 107 bytes")
        return end + 2 if end >= 0 else None
    if SIGNATURE.startswith(start) or b"PROXY ".startswith(start):
        return None
    raise BadHeader(f"neither version 1 nor 2: {start[:16]!r}")


def parse(header: bytes) -> Header:
    """The whole header, exactly. Raises `BadHeader`."""
    if length(header) != len(header):
        raise BadHeader("truncated")
    return _version2(header) if header.startswith(SIGNATURE) else _version1(header)


def _version2(header: bytes) -> Header:
    version_command, family = header[12], header[13]
    if version_command == 0x20:
        return Header("local")
    if version_command != 0x21 or family not in _FAMILIES:
        raise BadHeader(f"version and command {version_command:#x}, family {family:#x}")
    kind, size = _FAMILIES[family]
    if len(header) < 16 + 2 * size + 4:
        raise BadHeader("too short for its addresses")
    port = struct.unpack_from("!H", header, 16 + 2 * size)[0]
    return Header("v2", socket.inet_ntop(kind, header[16 : 16 + size]), port)


def _version1(header: bytes) -> Header:
    words = header[:-2].decode("ascii", errors="strict").split(" ")
    if words[1:2] == ["UNKNOWN"]:
        return Header("unknown")
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise BadHeader(f"{header!r}")
    return Header("v1", words[2], int(words[4]))
