"""Pods: a real nginx with TLS behind PROXY protocol, and a plain TCP backend, at an address of the pod net.

A pod leaves as in a cluster: it is told to end, accepts for some seconds more, and is gone. `Pod.kill` is the other
case, with no warning at all.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections import deque
from pathlib import Path

from lab import fabric, tls
from lab.processes import RUN, LabError, end, netns, recorded, run, spawn, wait_for

HOST_NAME = "app.lab"
# ports without PROXY protocol, for clients that come without an edge
DIRECT = {"https": 8444, "http": 8001}
# pods are other machines: that this one is busy must not make them slow
_PRIORITY = ["nice", "-n", "-10"]
# seconds a pod may take to listen where dozens start at once
_PATIENCE = 60
_NGINX = """\
daemon off;
worker_processes 1;
pid {directory}/nginx.nginx-pid;
error_log {directory}/error.log notice;
events {{ worker_connections 2048; }}
http {{
    log_format told '$proxy_protocol_addr $proxy_protocol_port $server_port $status';
    access_log {directory}/access.log told;
    client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
    uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
    server {{
        listen {address}:8443 ssl proxy_protocol;
        listen {address}:8000 proxy_protocol;
        listen {address}:{direct[https]} ssl;
        listen {address}:{direct[http]};
        ssl_certificate {certificate.certificate};
        ssl_certificate_key {certificate.key};
        ssl_session_cache off;
        location / {{ default_type text/plain; return 200 "{name} $proxy_protocol_addr $proxy_protocol_port\\n"; }}
    }}
}}
"""


class Pod:
    """One pod; ``node`` is only a name. ``ended_at`` is by ``time.monotonic()``, None while it is there."""

    def __init__(self, name: str, address: str, certificate: tls.Certificate, *, node: str = "node-1") -> None:
        self.ended_at: float | None = None
        self.name = name
        self.address = address
        self.node = node
        self._certificate = certificate
        self.directory = RUN / "pods" / name

    def start(self) -> None:
        """Returns when both nginx and the backend accept."""
        self.ended_at = None
        self.directory.mkdir(parents=True, exist_ok=True)
        namespace, length = fabric.namespace("pods"), "64" if ":" in self.address else "24"
        nodad = ["nodad"] if ":" in self.address else []
        run(["ip", "-n", namespace, "addr", "replace", f"{self.address}/{length}", "dev", "eth0", *nodad])
        configuration = self.directory / "nginx.conf"
        bracketed = f"[{self.address}]" if ":" in self.address else self.address
        configuration.write_text(
            _NGINX.format(
                directory=self.directory,
                address=bracketed,
                certificate=self._certificate,
                name=self.name,
                direct=DIRECT,
            )
        )
        nginx = [*_PRIORITY, "nginx", "-c", str(configuration), "-e", str(self.directory / "error.log")]
        spawn("nginx", netns(namespace, nginx), run=self.directory)
        backend = [*_PRIORITY, sys.executable, "-m", "lab.pod_backend", self.name, self.address, str(self.backend_log)]
        checkout = str(Path(__file__).resolve().parent.parent)
        spawn(
            "backend",
            netns(namespace, backend),
            run=self.directory,
            environment={"PYTHONPATH": checkout},
        )
        wait_for(self._accepts, _PATIENCE, f"pod {self.name} (see {self.directory})", every=0.02)

    @property
    def access_log(self) -> Path:
        """One line per request: client address and port as told by the PROXY header, own port, status."""
        return self.directory / "access.log"

    @property
    def backend_log(self) -> Path:
        """One line per connection to the TCP backend, see `lab.pod_backend`."""
        return self.directory / "backend.log"

    def refuse(self) -> None:
        """Take no new connection at the TCP backend, as a server that was told to end; open ones go on."""
        self._tell_backend(signal.SIGUSR1)

    def accept(self) -> None:
        """The end of `refuse`; returns when it listens."""
        self._tell_backend(signal.SIGUSR2)
        wait_for(self._accepts, _PATIENCE, f"pod {self.name} to accept again (see {self.directory})", every=0.02)

    def _tell_backend(self, number: signal.Signals) -> None:
        pid = recorded(self.directory / "backend.pid")
        if pid is None:
            raise LabError(f"pod {self.name}: its TCP backend is gone (see {self.directory}/backend.log)")
        os.kill(pid, number)

    def stop(self) -> None:
        """Stop accepting, let open requests end."""
        self.ended_at = time.monotonic()
        end(self.directory / "nginx.pid", patience=3, first=signal.SIGQUIT)
        end(self.directory / "backend.pid", patience=1)
        self._drop_address()

    def kill(self) -> None:
        """No warning: processes killed, address gone."""
        self.ended_at = time.monotonic()
        self._drop_address()
        for name in ("nginx", "backend"):
            end(self.directory / f"{name}.pid", patience=0.1, first=signal.SIGKILL)

    def _drop_address(self) -> None:
        length = "64" if ":" in self.address else "24"
        run(
            ["ip", "-n", fabric.namespace("pods"), "addr", "del", f"{self.address}/{length}", "dev", "eth0"],
            check=False,
        )

    def _accepts(self) -> bool:
        listening = run(["ip", "netns", "exec", fabric.namespace("pods"), "ss", "-Hltn"]).stdout
        bracketed = f"[{self.address}]" if ":" in self.address else self.address
        return all(f"{bracketed}:{port} " in listening for port in (8443, 8000, 9000))


class Pods:
    """Makes pods, each with a name of its own. The address is the one that nobody has had for longest.

    Several threads may ask at once.
    """

    def __init__(self) -> None:
        self._certificate = tls.make(RUN / "pods-tls", [HOST_NAME])
        # in a lab that was kept, the pods of the former session have used theirs
        self._number = max([10, *(int(path.name.removeprefix("app-")) for path in (RUN / "pods").glob("app-*"))])
        self._addresses = deque(range(11, 251))
        self._addresses.rotate(10 - self._number)
        self._lock = threading.Lock()
        self.all: list[Pod] = []

    @property
    def authority(self) -> Path:
        """The certificate a client has to trust."""
        return self._certificate.authority

    def add(self, *, version: int = 4) -> Pod:
        """Start one more."""
        pod = self.make(version=version)
        pod.start()
        return pod

    def make(self, *, version: int = 4) -> Pod:
        """One more, with name and address, not yet started."""
        with self._lock:
            self._number += 1
            address = fabric.pod_address(self._free(), version)
            pod = Pod(f"app-{self._number}", address, self._certificate, node=f"node-{self._number % 3 + 1}")
            self.all.append(pod)
        return pod

    def _free(self) -> int:
        taken = {pod.address for pod in self.all if pod.ended_at is None}
        for _ in range(len(self._addresses)):
            self._addresses.rotate(-1)
            number = self._addresses[-1]
            if taken.isdisjoint(fabric.pod_address(number, version) for version in (4, 6)):
                return number
        raise LabError("no pod address is left in this lab: stop pods that are not needed any more")


def kill_all() -> None:
    """Every pod of a former session; their folders stay, and with them the knowledge of their addresses."""
    for directory in sorted((RUN / "pods").glob("*")):
        for name in ("nginx", "backend"):
            end(directory / f"{name}.pid", patience=0.1, first=signal.SIGKILL)


def stop_all() -> None:
    """Every pod of a former lab, too."""
    kill_all()
    shutil.rmtree(RUN / "pods", ignore_errors=True)
