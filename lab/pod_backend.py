"""The plain TCP backend of one pod: tells its name and who the PROXY header said the client is, then echoes.

``python -m lab.pod_backend NAME ADDRESS LOG``. Every connection leaves one line in LOG: ``v2 10.90.0.3 40312``,
``local`` for a health check, or ``bad`` and why. SIGUSR1 has it take no new connection while open ones go on, as a
server does that was told to end; SIGUSR2 has it listen again.

One loop over epoll and plain sockets: pods are started by the dozen and answer hundreds of connections a second on a
machine they share with all that is tested.
"""

from __future__ import annotations

import select
import signal
import socket
import sys
import time
from pathlib import Path

from lab.proxy_protocol import BadHeader, length, parse

PORT = 9000
# seconds in which a header has to come
_PATIENCE = 5.0
_BACKLOG = 1024


class Client:
    """One connection; ``header`` is None once it is read."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.header: bytes | None = b""
        self.since = time.monotonic()


class Backend:
    """One listener and its connections."""

    def __init__(self, name: str, address: str, log: Path) -> None:
        self._name = name
        self._log = log.open("a", buffering=1)
        self._epoll = select.epoll()
        self._clients: dict[int, Client] = {}
        self._address = address
        self._listen()

    def run(self) -> None:
        """For ever."""
        signal.signal(signal.SIGUSR1, self._refuse)
        signal.signal(signal.SIGUSR2, self._listen)
        while True:
            for descriptor, _ in self._epoll.poll(1.0):
                if descriptor == self._listener.fileno():
                    self._accept()
                # a listener that was closed a moment ago is nobody
                elif client := self._clients.get(descriptor):
                    self._receive(client)
            self._give_up_on_the_silent()

    def _listen(self, *_: object) -> None:
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        self._listener = socket.create_server((self._address, PORT), family=family, backlog=_BACKLOG)
        self._listener.setblocking(False)
        self._epoll.register(self._listener.fileno(), select.EPOLLIN)

    def _refuse(self, *_: object) -> None:
        # closing takes it out of the epoll, too
        self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # gone again
            return
        connection.setblocking(False)
        self._clients[connection.fileno()] = Client(connection)
        self._epoll.register(connection.fileno(), select.EPOLLIN)

    def _receive(self, client: Client) -> None:
        try:
            received = client.socket.recv(65536)
            if client.header is not None:
                received = self._header(client, client.header + received, ended=not received)
            elif not received:
                self._close(client)
            if received:
                client.socket.sendall(received)
        except BadHeader as error:
            self._write(f"bad {error!r}")
            self._close(client)
        except BlockingIOError:
            return
        except OSError as error:
            if client.header is not None:
                self._write(f"bad {error!r}")
            self._close(client)

    def _header(self, client: Client, received: bytes, *, ended: bool) -> bytes:
        """What stands after the header; nothing while it is not all there. Raises `BadHeader`."""
        size = length(received) if received else None
        if size is None or len(received) < size:
            client.header = received
            if ended:
                raise BadHeader(f"ended after {len(received)} bytes")
            return b""
        header = parse(received[:size])
        client.header = None
        self._write(f"{header.kind} {header.address} {header.port}")
        if header.kind == "local":
            self._close(client)
            return b""
        client.socket.sendall(f"{self._name} {header.address} {header.port} {header.kind}\n".encode())
        return received[size:]

    def _give_up_on_the_silent(self) -> None:
        before = time.monotonic() - _PATIENCE
        for client in [one for one in self._clients.values() if one.header is not None and one.since < before]:
            self._write(f"bad no header within {_PATIENCE:g} s")
            self._close(client)

    def _close(self, client: Client) -> None:
        del self._clients[client.socket.fileno()]
        self._epoll.unregister(client.socket.fileno())
        client.socket.close()

    def _write(self, line: str) -> None:
        self._log.write(f"{line}\n")


if __name__ == "__main__":
    Backend(sys.argv[1], sys.argv[2], Path(sys.argv[3])).run()
