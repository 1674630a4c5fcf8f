"""HTTP/1.1 on asyncio streams: read a request, write a response, whole or in chunks. Knows nothing of Kubernetes."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl, unquote, urlsplit

from lab.kubeapi.service import Answer, Request

MAX_HEAD = 64 * 1024
MAX_BODY = 16 * 1024 * 1024
_PHRASES = {200: "OK", 201: "Created", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


class BadRequest(Exception):
    """Bytes that are no request."""


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """The next request of a connection, None at its end. Raises `BadRequest`."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError as error:
        raise BadRequest("the request head is too long") from error
    line, *rest = head.decode("latin-1").split("\r\n")
    try:
        method, url, _ = line.split(" ")
        headers = dict(_header(one) for one in rest if one)
    except ValueError as error:
        raise BadRequest(f"malformed request head: {line!r}") from error
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    parts = urlsplit(url)
    query = dict(reversed(parse_qsl(parts.query, keep_blank_values=True)))
    return Request(method, unquote(parts.path), query, headers, await _body(reader, headers))


def _header(line: str) -> tuple[str, str]:
    name, value = line.split(":", 1)
    return name.strip().lower(), value.strip()


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunks(reader)
    length = int(headers.get("content-length") or 0)
    if length > MAX_BODY:
        raise BadRequest("the request body is too long")
    return await reader.readexactly(length) if length else b""


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts, total = [], 0
    while size := int((await reader.readline()).split(b";")[0], 16):
        total += size
        if total > MAX_BODY:
            raise BadRequest("the request body is too long")
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(parts)


async def write_answer(writer: asyncio.StreamWriter, answer: Answer) -> None:
    """A whole response; the connection stays open."""
    lines = [*_head(answer.code, answer.headers), f"Content-Length: {len(answer.body)}"]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body)
    await writer.drain()


async def start_chunks(writer: asyncio.StreamWriter) -> None:
    """The head of a response that comes in chunks."""
    writer.write("\r\n".join([*_head(200, {}), "Transfer-Encoding: chunked", "", ""]).encode("latin-1"))
    await writer.drain()


async def write_chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    """One chunk; empty ``data`` ends the response."""
    writer.write(b"%x\r\n" % len(data) + data + b"\r\n")
    await writer.drain()


def _head(code: int, headers: dict[str, str]) -> list[str]:
    given = [f"{name}: {value}" for name, value in headers.items()]
    fixed = ["Cache-Control: no-cache, private"]
    if "Content-Type" not in headers:
        fixed.append("Content-Type: application/json")
    return [f"HTTP/1.1 {code} {_PHRASES.get(code, 'Status')}", *fixed, *given]
