"""The cluster of the lab: an API server and what tests need to write to it.

The embedded one (`lab.kubeapi`), or a real kube-apiserver with etcd where the environment variable
``KUBEBUILDER_ASSETS`` names the folder of their binaries, the convention of controller-runtime's envtest.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import signal
import socket
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

from lab import tls
from lab.cluster_objects import Endpoint, endpoints, slices_by_family
from lab.kubeapi.client import ApiClient, ApiFailure
from lab.kubeapi.faults import ON_OPEN_WATCHES
from lab.kubeapi.folder import Folder
from lab.kubeapi.namespaces import inside
from lab.kubeapi.resources import object_path
from lab.processes import RUN, end, netns, recorded, spawn, wait_for

PORT = 6443
# of this environment, so that every machine has the same
KUBECTL = str(Path(sys.executable).with_name("kubectl"))
# seconds to start: a real one with etcd takes some on a busy machine
_PATIENCE = 120.0
# what a real one is ready with: its roles, its namespaces, and addresses for services
_READY = ("/readyz", "/api/v1/namespaces/kube-system", "/api/v1/namespaces/default/services/kubernetes")
# of no host at all; it refuses to tell others a loopback address, and looks for a default route when it is told none
_NOWHERE = "192.0.2.1"
# revisions of etcd before the first object
_AGE = 3
# whom faults are for: the administrator's writes go on
ENGINE = "system:serviceaccount:kube-system:haproxy-edge"


class Cluster:
    """One API server at ``address``, in a network namespace or, without one, on this machine's loopback."""

    def __init__(
        self, directory: Path, *, address: str = "127.0.0.1", namespace: str | None = None, port: int = PORT
    ) -> None:
        self.directory = directory
        self.address = address
        self.port = port
        self._namespace = namespace
        self._client: ApiClient | None = None
        assets = os.environ.get("KUBEBUILDER_ASSETS")
        self.assets = Path(assets) if assets else None

    @property
    def is_embedded(self) -> bool:
        """Faults can be switched only there."""
        return self.assets is None

    @property
    def url(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{host}:{self.port}"

    @property
    def folder(self) -> Folder:
        """Certificates, tokens and kubeconfigs."""
        return Folder(self.directory, (self.address,))

    @property
    def client(self) -> ApiClient:
        """As administrator."""
        if self._client is None:
            folder = self.folder
            self._client = ApiClient(
                self.url, ca_file=folder.ca_file, token=folder.admin_token, namespace=self._namespace, timeout=10
            )
        return self._client

    def start(self) -> None:
        """Returns when it answers."""
        folder = self.folder
        if self.is_embedded:
            self._start_embedded()
        else:
            self._start_real(folder)
        wait_for(self._is_ready, _PATIENCE, f"the API server at {self.url} (see {self.directory}/*.log)")
        folder.write_kubeconfig(folder.admin_kubeconfig, url=self.url, token=folder.admin_token, user="admin")

    def stop(self) -> None:
        """In good order; the objects are kept in its folder."""
        for name in ("apiserver", "etcd"):
            end(self.directory / f"{name}.pid", patience=3)

    def kill(self) -> None:
        """SIGKILL to the API server; the embedded one loses its objects, a real one keeps them in etcd."""
        end(self.directory / "apiserver.pid", first=signal.SIGKILL)

    def put(self, item: dict[str, Any]) -> dict[str, Any]:
        """Create the object or replace the one of its name."""
        return self.client.apply(item)

    def delete(self, item: dict[str, Any]) -> None:
        """Gone afterwards, whether or not it was there."""
        try:
            self.client.delete(object_path(item))
        except ApiFailure as failure:
            if failure.reason != "NotFound":
                raise

    def apply_file(self, path: Path) -> None:
        """Every document of a YAML file."""
        self.client.apply_file(path)

    def serve(self, service: str, listed: list[Endpoint]) -> None:
        """Have exactly these endpoints behind a service: its slices and its Endpoints object.

        Slices that will be fuller are written first, as the slice controller does: a pod appears before one goes.
        """
        self.put(endpoints(service, [item for item in listed if item.ready]))
        for item in sorted(slices_by_family(service, listed), key=lambda item: -len(item["endpoints"])):
            self.put(item)

    def kubeconfig_of(self, service_account: str, namespace: str, target: Path, *, seconds: int = 86400) -> Path:
        """A kubeconfig with a bounded token of a service account."""
        token = self.client.token(service_account, namespace, seconds=seconds)
        return self.folder.write_kubeconfig(target, url=self.url, token=token, user=service_account)

    def fault(self, kind: str, **options: Any) -> None:
        """Switch a fault on for the engine's account, its open watches included; the embedded API only.

        The options are those of `lab.kubeapi.faults.Fault`.
        """
        self.client.create("/_faults", {"kind": kind, "user": ENGINE, **options})
        if kind not in ON_OPEN_WATCHES:
            self.client.create("/_faults/end-watches", {})

    def clear_faults(self) -> None:
        """Switch all faults off; the embedded API only."""
        self.client.delete("/_faults")

    def compact(self) -> None:
        """Forget the history, so that older watches are told 410; the embedded API only."""
        self.client.create("/_faults/compact", {})

    def _start_embedded(self) -> None:
        command = [sys.executable, "-m", "lab.kubeapi", "--address", self.address, "--port", str(self.port)]
        command += ["--directory", str(self.directory)]
        checkout = str(Path(__file__).resolve().parent.parent)
        spawn("apiserver", netns(self._namespace, command), run=self.directory, environment={"PYTHONPATH": checkout})

    def _start_real(self, folder: Folder) -> None:
        assert self.assets is not None
        tls.make_signing_key(folder.path)
        (folder.path / "tokens.csv").write_text(f'{folder.admin_token},admin,admin,"system:masters"\n')
        # a killed API server has left it running
        if recorded(self.directory / "etcd.pid") is None:
            self._spawn("etcd", self.assets / "etcd", self._etcd_flags(folder))
            wait_for(self._etcd_is_old, _PATIENCE, f"etcd of {self.url} (see {self.directory}/etcd.log)")
        self._spawn("apiserver", self.assets / "kube-apiserver", self._apiserver_flags(folder))

    def _etcd_flags(self, folder: Folder) -> dict[str, Any]:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd_port, self._etcd_port + 1))
        return {
            "data-dir": folder.path / "etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "unsafe-no-fsync": "true",
        }

    @property
    def _etcd_port(self) -> int:
        return self.port + 1000

    def _etcd_is_old(self) -> bool:
        """By some revisions: an API server whose first list is of the very first one never calls it too old."""
        try:
            return all(self._told_etcd() for _ in range(_AGE))
        except (OSError, http.client.HTTPException):
            return False

    def _told_etcd(self) -> bool:
        """Whether a key of nobody is written, or never will be: one without this interface stays young."""
        put = json.dumps({"key": base64.b64encode(b"age").decode(), "value": ""})
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._etcd_port, timeout=5)) as etcd:
            with inside(self._namespace):
                etcd.connect()
            etcd.request("POST", "/v3/kv/put", put)
            return etcd.getresponse().status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND)

    def _apiserver_flags(self, folder: Folder) -> dict[str, Any]:
        return {
            "etcd-servers": f"http://127.0.0.1:{self._etcd_port}",
            "bind-address": self.address,
            "secure-port": self.port,
            "tls-cert-file": folder.path / "server.crt",
            "tls-private-key-file": folder.path / "server.key",
            "token-auth-file": folder.path / "tokens.csv",
            "authorization-mode": "RBAC",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-signing-key-file": folder.path / "sa.key",
            "service-account-key-file": folder.path / "sa.pub",
            "service-cluster-ip-range": "10.96.0.0/24",
            "disable-admission-plugins": "ServiceAccount",
            "cert-dir": folder.path / "certs",
            "advertise-address": _NOWHERE if self.address == "127.0.0.1" else self.address,
        }

    def _spawn(self, name: str, binary: Path, flags: dict[str, Any]) -> None:
        command = [str(binary), *(f"--{flag}={value}" for flag, value in flags.items())]
        spawn(name, netns(self._namespace, command), run=self.directory)

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError, ApiFailure):
            for path in _READY[:1] if self.is_embedded else _READY:
                self.client.get(path)
            return True
        return False


def lab_cluster() -> Cluster:
    """The one of a running lab."""
    from lab import fabric

    return Cluster(RUN / "cluster", address=fabric.addresses("api")[0], namespace=fabric.namespace("api"))


def free_port() -> int:
    """A port nobody uses at the moment, for a cluster on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
