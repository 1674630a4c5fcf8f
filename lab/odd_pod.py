"""A pod that makes of the PROXY header what it should not, for tests of whoever has to notice.

``python -m lab.odd_pod ADDRESS``. On 8443 and 8000 it takes the header for a request; on 9000 it understands the header
and believes the connection's own address all the same, as Traefik does without the edge in its ``trustedIPs``.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from lab import fabric
from lab.processes import RUN, end, netns, run, spawn, wait_for
from lab.proxy_protocol import BadHeader, Header, length, parse

NAME = "odd"
NUMBER = 251


async def _takes_it_for_data(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1024)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    writer.close()


async def _ignores_it(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(BadHeader, OSError, asyncio.IncompleteReadError):
        header = await _header(reader)
        if header.kind != "local":
            address, port = writer.get_extra_info("peername")[:2]
            writer.write(f"{NAME} {address} {port}\n".encode())
            await reader.read(1024)
    writer.close()


async def _header(reader: asyncio.StreamReader) -> Header:
    start = await reader.readexactly(16)
    return parse(start + await reader.readexactly((length(start) or 16) - 16))


async def _main(address: str) -> None:
    talks = {8443: _takes_it_for_data, 8000: _takes_it_for_data, 9000: _ignores_it}
    servers = [await asyncio.start_server(talk, address, port) for port, talk in talks.items()]
    await asyncio.gather(*(server.serve_forever() for server in servers))


@contextlib.contextmanager
def odd_pod() -> Iterator[str]:
    """One that runs; its address."""
    address, namespace = fabric.pod_address(NUMBER), fabric.namespace("pods")
    run(["ip", "-n", namespace, "addr", "replace", f"{address}/24", "dev", "eth0"])
    directory = RUN / "pods" / NAME
    command = [sys.executable, "-m", "lab.odd_pod", address]
    checkout = str(Path(__file__).resolve().parent.parent)
    try:
        spawn("backend", netns(namespace, command), run=directory, environment={"PYTHONPATH": checkout})
        wait_for(lambda: _listens(namespace, address), 60, f"the odd pod (see {directory})")
        yield address
    finally:
        end(directory / "backend.pid", patience=1)
        run(["ip", "-n", namespace, "addr", "del", f"{address}/24", "dev", "eth0"], check=False)


def _listens(namespace: str, address: str) -> bool:
    listening = run(["ip", "netns", "exec", namespace, "ss", "-Hltn"]).stdout
    return all(f"{address}:{port} " in listening for port in (8443, 8000, 9000))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
