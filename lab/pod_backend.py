"""The plain TCP backend of one pod: tells its name and who the PROXY header said the client is, then echoes lines.

``python -m lab.pod_backend NAME ADDRESS LOG``. Every connection leaves one line in LOG: ``v2 10.90.0.3 40312``,
``local`` for a health check, or ``bad`` and why.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from pathlib import Path

from lab.proxy_protocol import BadHeader, Header, length, parse

PORT = 9000
_PATIENCE = 5.0


async def read_header(reader: asyncio.StreamReader) -> Header:
    """From the start of a connection. Raises `BadHeader`."""
    received = b""
    while (size := length(received) if received else None) is None or len(received) < size:
        # byte by byte up to the length, then exactly the rest: what follows belongs to the client
        chunk = await reader.read(1 if size is None else size - len(received))
        if not chunk:
            raise BadHeader(f"ended after {len(received)} bytes")
        received += chunk
    return parse(received)


class Backend:
    """One listener."""

    def __init__(self, name: str, log: Path) -> None:
        self._name = name
        self._log = log.open("a", buffering=1)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            header = await asyncio.wait_for(read_header(reader), _PATIENCE)
        except (BadHeader, asyncio.TimeoutError, OSError) as error:
            self._log.write(f"bad {error!r}\n")
        else:
            self._log.write(f"{header.kind} {header.address} {header.port}\n")
            with contextlib.suppress(OSError):
                await self._answer(header, reader, writer)
        writer.close()

    async def _answer(self, header: Header, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if header.kind == "local":
            return
        writer.write(f"{self._name} {header.address} {header.port} {header.kind}\n".encode())
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()


async def main(name: str, address: str, log: Path) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = await asyncio.start_server(Backend(name, log).serve, address, PORT, family=family, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
