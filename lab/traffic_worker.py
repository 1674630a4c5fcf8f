"""The client process of `lab.traffic`: makes connections as its one JSON argument says, one JSON line for each.

``seconds: 0`` means one connection to each place. It ends by itself, or early at SIGTERM.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import ssl
import sys
import time
from typing import Any

_PATIENCE = 5.0
_HOST_NAME = "app.lab"


class Client:
    """Connects, asks who answers, and writes down what came."""

    def __init__(self, authority: str | None) -> None:
        self._context = ssl.create_default_context(cafile=authority) if authority else None

    async def ask(self, place: dict[str, Any]) -> None:
        start, pod, client, error = time.monotonic(), "", "", ""
        try:
            answer = await asyncio.wait_for(self._answer(place), _PATIENCE)
            pod, client = answer.split()[:2]
        except (OSError, asyncio.TimeoutError, ValueError, EOFError) as failure:
            error = repr(failure) or "?"
        self._write(place["name"], start, pod, client, error)

    async def stream(self, place: dict[str, Any], until: float) -> None:
        """One line a tenth of a second, echoed, until the end; a record only when it was cut."""
        start, pod, error = time.monotonic(), "", ""
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(place["address"], place["port"]), _PATIENCE)
            pod = (await asyncio.wait_for(reader.readuntil(b"\n"), _PATIENCE)).decode().split()[0]
            while time.monotonic() < until:
                writer.write(b"still there\n")
                await asyncio.wait_for(reader.readuntil(b"\n"), _PATIENCE)
                await asyncio.sleep(0.1)
            writer.close()
        except (OSError, asyncio.TimeoutError, EOFError, IndexError) as failure:
            error = f"stream cut: {failure!r}"
        except asyncio.CancelledError:
            return
        if error:
            self._write(f"stream {place['name']}", start, pod, "", error)

    async def _answer(self, place: dict[str, Any]) -> str:
        secure = {"ssl": self._context, "server_hostname": _HOST_NAME} if place["tls"] else {}
        reader, writer = await asyncio.open_connection(place["address"], place["port"], **secure)
        try:
            if place["tls"]:
                writer.write(f"GET / HTTP/1.1\r\nHost: {_HOST_NAME}\r\nConnection: close\r\n\r\n".encode())
                await reader.readuntil(b"\r\n\r\n")
            return (await reader.readuntil(b"\n")).decode()
        finally:
            writer.close()

    @staticmethod
    def _write(place: str, start: float, pod: str, client: str, error: str) -> None:
        print(json.dumps([place, start, time.monotonic(), pod, client, error]), flush=True)


async def main(order: dict[str, Any]) -> None:
    client, places = Client(order["authority"]), order["places"]
    if not order["seconds"]:
        await asyncio.gather(*(client.ask(place) for place in places))
        return
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    until = time.monotonic() + order["seconds"]
    plain = [place for place in places if not place["tls"]]
    streams = [asyncio.create_task(client.stream(place, until)) for place in plain for _ in range(order["streams"])]
    loads = [asyncio.create_task(_load(client, place, order["rate"], until, stop)) for place in places]
    await asyncio.gather(*loads)
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)


async def _load(client: Client, place: dict[str, Any], rate: float, until: float, stop: asyncio.Event) -> None:
    """Open-loop: a slow answer does not slow the next connection down."""
    under_way: set[asyncio.Task[None]] = set()
    due = time.monotonic()
    while not stop.is_set() and time.monotonic() < until:
        task = asyncio.create_task(client.ask(place))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        due += 1 / rate
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), max(0.0, due - time.monotonic()))
    await asyncio.gather(*under_way)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
