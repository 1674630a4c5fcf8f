"""The client process of `lab.traffic`: makes connections as its one JSON argument says, one JSON line for each.

``seconds: 0`` means one connection to each place. It ends by itself, or early at SIGTERM.

One loop over epoll and plain sockets: thousands of connections a second have to cost so little that it is never the
client that is slow. A machine that stood still for a moment makes no failures: see `_STILL`.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import select
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

# seconds: for one connection and its answer; between two lines of a stream; until a stream that was cut comes again
_PATIENCE = 5.0
_STREAM_PAUSE = 0.1
_COME_AGAIN = 0.05
# connections that are late by more than this many seconds are given up, or a hiccup would end in a flood
_CATCH_UP = 3.0
# connections under way at once, of all places; more only wait for each other
_MOST = 300
# clients are other machines: that this one is busy must not make them slow
_PRIORITY = -10
# a pause of this loop that is longer was the machine's: nobody else's deadline goes on meanwhile
_STILL = 0.25
_HOST_NAME = "app.lab"
_REQUEST = f"GET / HTTP/1.1\r\nHost: {_HOST_NAME}\r\nConnection: close\r\n\r\n".encode()
_LINE = b"still there\n"
_READ, _WRITE = select.EPOLLIN | select.EPOLLRDHUP, select.EPOLLOUT


class Broken(Exception):
    """A connection that came to nothing; the message says why."""


class Connection:
    """One connection, from its opening to the line that says who answers."""

    def __init__(self, place: dict[str, Any], context: ssl.SSLContext | None) -> None:
        self.place: str = place["name"]
        self.start = time.monotonic()
        self.deadline = self.start + _PATIENCE
        self.pod = self.client = ""
        self.received = b""
        self.waits_for = _READ
        self._request = _REQUEST if place["tls"] else b""
        self._greeting = not place["tls"]
        family = socket.AF_INET6 if ":" in place["address"] else socket.AF_INET
        self.socket: socket.socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.socket.connect_ex((place["address"], place["port"]))
        if place["tls"]:
            assert context is not None
            self._context: ssl.SSLContext | None = context
            self.waits_for = _WRITE
        else:
            self._context = None

    def proceed(self) -> bool:
        """Go as far as it goes; whether the answer is there. Raises `Broken`."""
        try:
            if self._context is not None:
                self._secure(self._context)
            if self._request:
                self.socket.sendall(self._request)
                self._request = b""
            self.waits_for = _READ
            return self._read()
        except ssl.SSLWantReadError:
            self.waits_for = _READ
        except ssl.SSLWantWriteError:
            self.waits_for = _WRITE
        except BlockingIOError:
            self.waits_for = _READ
        except OSError as error:
            raise Broken(repr(error)) from error
        return False

    def _secure(self, context: ssl.SSLContext) -> None:
        if not isinstance(self.socket, ssl.SSLSocket):
            failure = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failure:
                raise OSError(failure, os.strerror(failure))
            self.socket = context.wrap_socket(
                self.socket, server_hostname=_HOST_NAME, do_handshake_on_connect=False, suppress_ragged_eofs=False
            )
        self.socket.do_handshake()
        self._context = None

    def _read(self) -> bool:
        while not self._complete():
            more = self.socket.recv(65536)
            if not more:
                raise Broken(f"ended after {self.received[-80:]!r}")
            self.received += more
        return True

    def _complete(self) -> bool:
        body = self.received if self._greeting else self.received.partition(b"\r\n\r\n")[2]
        if b"\n" not in body:
            return False
        words = body.decode(errors="replace").split()
        if len(words) < 2:
            raise Broken(f"answered {body[:80]!r}")
        self.pod, self.client = words[:2]
        return True


class Stream(Connection):
    """A connection that stays: a line now and then, each echoed."""

    def __init__(self, place: dict[str, Any]) -> None:
        super().__init__({**place, "name": f"stream {place['name']}"}, None)

    def say(self) -> None:
        """The next line; the one before has to be back by now, or come in its time."""
        self.deadline = time.monotonic() + _PATIENCE
        try:
            self.socket.sendall(_LINE)
        except OSError as error:
            raise Broken(repr(error)) from error

    def hear(self) -> bool:
        """Whether the echo is there. Raises `Broken`."""
        try:
            more = self.socket.recv(65536)
        except BlockingIOError:
            return False
        except OSError as error:
            raise Broken(repr(error)) from error
        if not more:
            raise Broken("ended")
        return more.endswith(b"\n")


class Load:
    """All connections of one process."""

    def __init__(self, order: dict[str, Any]) -> None:
        authority = order["authority"]
        self._context = ssl.create_default_context(cafile=authority) if authority else None
        self._places = order["places"]
        self._order = order
        self._epoll = select.epoll()
        self._open: dict[int, Connection] = {}
        self._lines: list[str] = []
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._look_at = 0.0
        self._stopped = False

    def once(self) -> None:
        """One connection to each place."""
        for place in self._places:
            self._connect(place)
        self._until(lambda: not self._open)

    def run(self) -> None:
        """At the given rate for the given time; open-loop: a slow answer does not slow the next connection down."""
        signal.signal(signal.SIGTERM, self._stop)
        until = time.monotonic() + self._order["seconds"]
        for index, place in enumerate(self._places):
            # spread over the interval: a place is asked evenly, and the places take turns
            first = time.monotonic() + index / len(self._places) / self._order["rate"]
            self._at(first, partial(self._again, place, first))
            if not place["tls"]:
                for _ in range(self._order["streams"]):
                    self._begin_stream(place)
        self._until(lambda: self._stopped or time.monotonic() >= until)
        self._stopped = True
        self._due.clear()
        for stream in [each for each in self._open.values() if isinstance(each, Stream)]:
            self._close(stream, "")
        self._until(lambda: not self._open)

    def _stop(self, *_: object) -> None:
        self._stopped = True

    def _at(self, moment: float, call: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._due, (moment, self._number, call))

    def _again(self, place: dict[str, Any], due: float) -> None:
        if len(self._open) < _MOST:
            self._connect(place)
        following = max(due + 1 / self._order["rate"], time.monotonic() - _CATCH_UP)
        self._at(following, partial(self._again, place, following))

    def _connect(self, place: dict[str, Any]) -> None:
        self._watch(Connection(place, self._context))

    def _begin_stream(self, place: dict[str, Any]) -> None:
        self._watch(Stream(place))

    def _watch(self, connection: Connection) -> None:
        descriptor = connection.socket.fileno()
        self._open[descriptor] = connection
        self._epoll.register(descriptor, connection.waits_for)

    def _until(self, over: Callable[[], bool]) -> None:
        before = time.monotonic()
        while not over():
            now = time.monotonic()
            self._expire(now, stood_still=now - before if now - before > _STILL else 0.0)
            before = now
            while self._due and self._due[0][0] <= now:
                heapq.heappop(self._due)[2]()
            pause = self._due[0][0] - time.monotonic() if self._due else 0.1
            for descriptor, _ in self._epoll.poll(min(max(pause, 0.0), 0.1)):
                self._proceed(descriptor)
            self._flush()
        self._flush()

    def _proceed(self, descriptor: int) -> None:
        connection = self._open[descriptor]
        try:
            if isinstance(connection, Stream) and connection.pod:
                if connection.hear():
                    self._at(time.monotonic() + _STREAM_PAUSE, partial(self._say, connection))
                return
            waited = connection.waits_for
            if connection.proceed():
                self._answered(connection)
            elif connection.waits_for != waited:
                self._epoll.modify(descriptor, connection.waits_for)
        except Broken as error:
            self._close(connection, str(error))

    def _answered(self, connection: Connection) -> None:
        if isinstance(connection, Stream):
            self._say(connection)
        else:
            self._close(connection, "")

    def _say(self, stream: Stream) -> None:
        if self._open.get(stream.socket.fileno()) is stream:
            try:
                stream.say()
            except Broken as error:
                self._close(stream, str(error))

    def _expire(self, now: float, *, stood_still: float) -> None:
        if stood_still:
            for connection in self._open.values():
                connection.deadline += stood_still
        elif now >= self._look_at:
            self._look_at = now + _STILL
            for connection in [each for each in self._open.values() if each.deadline < now]:
                self._close(connection, f"nothing came for {_PATIENCE:g} s")

    def _close(self, connection: Connection, error: str) -> None:
        descriptor = connection.socket.fileno()
        del self._open[descriptor]
        self._epoll.unregister(descriptor)
        connection.socket.close()
        end = time.monotonic()
        self._lines.append(
            json.dumps([connection.place, connection.start, end, connection.pod, connection.client, error])
        )
        if isinstance(connection, Stream) and error and not self._stopped:
            place = next(each for each in self._places if f"stream {each['name']}" == connection.place)
            self._at(end + _COME_AGAIN, partial(self._begin_stream, place))

    def _flush(self) -> None:
        if self._lines:
            print("\n".join(self._lines), flush=True)
            self._lines.clear()


def main(order: dict[str, Any]) -> None:
    load = Load(order)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
    if order["seconds"]:
        load.run()
    else:
        load.once()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
