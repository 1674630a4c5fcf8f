"""Bytes to and from any API server on loopback, until told otherwise: faults a real kube-apiserver has no switch for.

It knows nothing of TLS. `stall` makes every connection half-open: accepted, then not one byte in either direction.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

_PATIENCE = 60.0
_CHUNK = 65_536


class TcpFaultProxy:
    """Listens on 127.0.0.1 as long as the ``with`` block lasts; ``port`` is its own."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-fault-proxy", daemon=True)
        self._flowing = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._listening: asyncio.Server | None = None

    def __enter__(self) -> TcpFaultProxy:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(_PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(_PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    def stall(self) -> None:
        """No byte passes any more, in open and in new connections."""
        self._call(self._flowing.clear)

    def flow(self) -> None:
        """All pass again."""
        self._call(self._flowing.set)

    def drop(self) -> None:
        """Reset every open connection; new ones are served."""
        self._call(self._abort)

    def _call(self, function: Callable[[], None]) -> None:
        async def wrapped() -> None:
            function()

        asyncio.run_coroutine_threadsafe(wrapped(), self._loop).result(_PATIENCE)

    async def _start(self) -> None:
        self._flowing.set()
        self._listening = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = int(self._listening.sockets[0].getsockname()[1])

    async def _stop(self) -> None:
        assert self._listening is not None
        self._listening.close()
        self._abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _abort(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there, away = await asyncio.open_connection(*self._target)
            self._writers.add(away)
            tasks = {asyncio.ensure_future(self._copy(reader, away)), asyncio.ensure_future(self._copy(there, writer))}
            self._tasks |= tasks
            await asyncio.wait(tasks)
            self._tasks -= tasks
            self._writers.discard(away)
        self._writers.discard(writer)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(_CHUNK):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
