"""HTTPS: connections, open watches, and the breaking of either. One event loop, one thread, nothing to do when idle."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.kubeapi import status, wire
from lab.kubeapi.access import Identity
from lab.kubeapi.control import PREFIX, Control
from lab.kubeapi.faults import ON_OPEN_WATCHES, Fault, Faults
from lab.kubeapi.gateway import Call, Gateway, describe
from lab.kubeapi.service import Answer, Request, answer, failed
from lab.kubeapi.status import Failure
from lab.kubeapi.store import encode
from lab.kubeapi.watching import Watch

_HANDSHAKE_SECONDS = 10
_LOGGED_REQUESTS = 5_000
_BROKEN_PIPE = (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, TimeoutError)


class Dropped(Exception):
    """Close the connection without another byte."""


class OpenWatch:
    """A watch on its connection, for the fault switches and for counting."""

    def __init__(self, watch: Watch, *, path: str, user: str, transport: asyncio.BaseTransport) -> None:
        self.watch, self.path, self.user, self._transport = watch, path, user, transport

    def hit(self, fault: Fault) -> None:
        """Suffer a fault that came after the watch began."""
        if fault.kind == "drop":
            assert isinstance(self._transport, asyncio.WriteTransport)
            self._transport.abort()
        elif fault.kind == "stall":
            self.watch.mute()
        else:
            self.watch.fail(status.of_code(fault.code, fault.message))


class Server:
    """Serves a `Gateway`. All methods belong to the event loop's thread."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.faults = Faults()
        self.requests: deque[dict[str, Any]] = deque(maxlen=_LOGGED_REQUESTS)
        self.watches: set[OpenWatch] = set()
        self._control = Control(self)
        self._listening: asyncio.Server | None = None
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def start(self, *, folder: Path, addresses: Sequence[str], port: int) -> int:
        """Listen; returns the port, chosen by the system when 0 was asked for."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        self._listening = await asyncio.start_server(
            self._connected,
            list(addresses),
            port,
            ssl=context,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS,
            limit=wire.MAX_HEAD,
        )
        return int(self._listening.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close every connection as a killed server does."""
        if self._listening:
            self._listening.close()
        tasks = [task for task in self._connections.values() if task]
        for writer in list(self._connections):
            writer.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[writer] = asyncio.current_task()
        try:
            while request := await wire.read_request(reader, writer):
                await self._serve(request, reader, writer)
                if request.headers.get("connection", "").lower() == "close":
                    break
        except wire.BadRequest as error:
            with contextlib.suppress(*_BROKEN_PIPE):
                await wire.write_answer(writer, failed(status.bad_request(str(error))))
        except Dropped:
            writer.transport.abort()
        except (*_BROKEN_PIPE, asyncio.CancelledError):
            pass  # only stop() cancels, and nobody awaits this task
        finally:
            self._connections.pop(writer, None)
            writer.close()

    async def _serve(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = describe(request)
        entry: dict[str, Any] = {"verb": call.verb, "path": request.path, "query": request.query, "user": "", "code": 0}
        if not request.path.startswith(PREFIX):
            self.requests.append(entry)
        try:
            identity = self.gateway.identify(request)
            entry["user"] = identity.name
            reply = await self._reply(request, call, identity, reader)
        except Failure as failure:
            reply = failed(failure)
        entry["code"] = 200 if isinstance(reply, Watch) else reply.code
        if isinstance(reply, Watch):
            await self._run_watch(reply, request.path, entry["user"], reader, writer)
        else:
            await wire.write_answer(writer, reply)

    async def _reply(
        self, request: Request, call: Call, identity: Identity, reader: asyncio.StreamReader
    ) -> Answer | Watch:
        if request.path.startswith(PREFIX):
            return self._control.handle(request, identity)
        fault = self.faults.take(call.verb, request.path, identity.name)
        if fault:
            await self._break_before(fault, call, reader)
        reply = self.gateway.respond(request, call, identity)
        return _break_after(fault, reply) if fault else reply

    async def _break_before(self, fault: Fault, call: Call, reader: asyncio.StreamReader) -> None:
        if fault.kind == "drop":
            raise Dropped
        if fault.kind == "stall":
            await reader.read(1)
            raise Dropped
        if fault.kind == "status" or (fault.kind == "error_event" and call.verb != "watch"):
            raise status.of_code(fault.code, fault.message, retry_after=fault.retry_after)
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)

    async def _run_watch(
        self, watch: Watch, path: str, user: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        entry = OpenWatch(watch, path=path, user=user, transport=writer.transport)
        gone: asyncio.Future[bytes] = asyncio.ensure_future(reader.read(1))
        stop = watch.start()
        self.watches.add(entry)
        try:
            await wire.start_chunks(writer)
            await watch.run(lambda data: wire.write_chunk(writer, data), gone)
            if gone.done():
                raise Dropped
            await wire.write_chunk(writer, b"")
        finally:
            stop()
            self.watches.discard(entry)
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError, *_BROKEN_PIPE):
                await gone

    def add_fault(self, fault: Fault) -> None:
        """Switch on; what hits open watches hits them now."""
        self.faults.active.append(fault)
        if fault.kind not in ON_OPEN_WATCHES:
            return
        for entry in tuple(self.watches):
            if not entry.watch.muted and fault.hits("watch", entry.path, entry.user):
                entry.hit(fault)
                if fault.times is not None:
                    fault.times -= 1

    def clear_faults(self) -> None:
        """Switch all off. A connection that was stalled stays mute, as a half-open one does."""
        self.faults.active.clear()

    def end_watches(self, path: str = "") -> int:
        """End the open watches under ``path`` as their timeout would; how many."""
        ended = [entry for entry in self.watches if entry.path.startswith(path)]
        for entry in ended:
            entry.watch.finish()
        return len(ended)


def _break_after(fault: Fault, reply: Answer | Watch) -> Answer | Watch:
    if isinstance(reply, Watch):
        return _broken_watch(fault, reply)
    if fault.kind == "truncate":
        return Answer(reply.code, reply.body[: len(reply.body) // 2], reply.headers)
    if fault.kind == "wrong_kind":
        metadata = {"resourceVersion": "1"}
        return answer(200, {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": []})
    return reply


def _broken_watch(fault: Fault, watch: Watch) -> Answer | Watch:
    if fault.kind == "error_event":
        watch.fail(status.of_code(fault.code, fault.message))
    elif fault.kind == "truncate":
        return Answer(200, b'{"type":"ADDED","object":{"kind":"Endp')
    elif fault.kind == "wrong_kind":
        pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "no-such", "resourceVersion": "1"}}
        return Answer(200, encode({"type": "ADDED", "object": pod}) + b"\n")
    return watch
