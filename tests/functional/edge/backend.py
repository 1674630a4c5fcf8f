"""What stands behind and before a real HAProxy in the tests: pods, clients, and waiting for what takes a moment."""

import contextlib
import socket
import threading
import time

from tests.unit.edge.material import server, snapshot

# seconds; only a failure waits for all of it
PATIENCE = 60.0


class Backend:
    """A pod on loopback: tells its name, then echoes; keeps what PROXY header it was sent."""

    def __init__(self, name):
        self.name = name
        self.headers = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), connection:
            header = connection.recv(28)
            self.headers.append(header)
            connection.sendall(self.name.encode() + b"\n")
            while data := connection.recv(100):
                connection.sendall(data)

    def as_server(self, **more):
        return server("127.0.0.1", self.port, pod=self.name, **more)

    def close(self):
        """Refuse connections from now on; accept() must not keep the socket open."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    @property
    def server_name(self):
        return f"{self.name}:127.0.0.1:{self.port}"


def connect(rig):
    return socket.create_connection(("127.0.0.1", rig.port), timeout=PATIENCE)


def name_answered(connection):
    return connection.recv(100).decode().partition("\n")[0]


def occupy(port):
    """A listener at that port of an HAProxy that has just ended: a worker may outlive its master by a moment."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def goes_on(connection):
    """Whether what is sent still comes back."""
    connection.sendall(b"still")
    return connection.recv(100) == b"still"


def of(*pods):
    return snapshot(*(pod.as_server() for pod in pods))


def wait_for(condition):
    """A session's end is seen by HAProxy a moment later than by its client; on a busy machine, long after."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "did not happen"
        time.sleep(0.02)
