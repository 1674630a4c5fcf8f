"""The cluster of the lab: an API server and what tests need to write to it.

The embedded one (`lab.kubeapi`), or a real kube-apiserver with etcd where the environment variable
``KUBEBUILDER_ASSETS`` names the folder of their binaries, the convention of controller-runtime's envtest.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from lab import tls
from lab.cluster_objects import Endpoint, endpoints, slices_by_family
from lab.kubeapi.client import ApiClient, ApiFailure
from lab.kubeapi.faults import ON_OPEN_WATCHES
from lab.kubeapi.folder import Folder
from lab.kubeapi.resources import object_path
from lab.processes import RUN, end, netns, spawn, wait_for

PORT = 6443
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
        wait_for(self._answers, 60, f"the API server at {self.url} (see {self.directory}/*.log)")
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
        binaries = self.assets
        assert binaries is not None
        tls.make_signing_key(folder.path)
        (folder.path / "tokens.csv").write_text(f'{folder.admin_token},admin,admin,"system:masters"\n')
        client, peer = (f"http://127.0.0.1:{self.port + offset}" for offset in (1000, 1001))
        etcd = {
            "data-dir": folder.path / "etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "unsafe-no-fsync": "true",
        }
        self._spawn("etcd", binaries / "etcd", etcd)
        self._spawn("apiserver", binaries / "kube-apiserver", self._apiserver_flags(folder, etcd=client))

    def _apiserver_flags(self, folder: Folder, *, etcd: str) -> dict[str, Any]:
        flags = {
            "etcd-servers": etcd,
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
        }
        # it refuses to tell other members of the cluster a loopback address
        return flags if self.address == "127.0.0.1" else {**flags, "advertise-address": self.address}

    def _spawn(self, name: str, binary: Path, flags: dict[str, Any]) -> None:
        command = [str(binary), *(f"--{flag}={value}" for flag, value in flags.items())]
        spawn(name, netns(self._namespace, command), run=self.directory)

    def _answers(self) -> bool:
        """Ready, and with the namespace that a real one makes a moment later."""
        with contextlib.suppress(OSError, ApiFailure):
            self.client.get("/api/v1/namespaces/kube-system")
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
