"""The cluster of the lab: an API server and what tests need to write to it.

The embedded one (`lab.apiserver`), or a real kube-apiserver with etcd where the environment variable
``KUBEBUILDER_ASSETS`` names the folder of their binaries, the convention of controller-runtime's envtest.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import yaml

from lab import tls
from lab.cluster_objects import Endpoint, endpoints, slices_by_family
from lab.processes import RUN, LabError, end, netns, run, spawn, wait_for

PORT = 6443
_COLLECTIONS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "Endpoints": "/api/v1/namespaces/{namespace}/endpoints",
    "Service": "/api/v1/namespaces/{namespace}/services",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
}


class Cluster:
    """One API server at ``address``, in a network namespace or, without one, on this machine's loopback."""

    def __init__(
        self, directory: Path, *, address: str = "127.0.0.1", namespace: str | None = None, port: int = PORT
    ) -> None:
        self.directory = directory
        self.address = address
        self.port = port
        self._namespace = namespace
        self._connection: http.client.HTTPSConnection | None = None
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
    def admin_kubeconfig(self) -> Path:
        return self.directory / "admin.kubeconfig"

    def start(self) -> None:
        """Returns when it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.is_embedded:
            self._start_embedded()
        else:
            self._start_real()
        wait_for(self._answers, 60, f"the API server at {self.url} (see {self.directory}/*.log)")
        token = (self.directory / "admin.token").read_text()
        self.admin_kubeconfig.write_text(self._kubeconfig(token))
        if not self.is_embedded:
            self._await_namespaces()

    def stop(self) -> None:
        for name in ("apiserver", "etcd"):
            end(self.directory / f"{name}.pid", patience=3)
        self._connection = None

    def kill(self) -> None:
        """SIGKILL to the API server; the embedded one loses its objects, a real one keeps them in etcd."""
        end(self.directory / "apiserver.pid", first=signal.SIGKILL)
        self._connection = None

    def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json", check: bool = True
    ) -> dict[str, Any]:
        """As administrator. Raises `LabError` on a refusal unless ``check`` is off."""
        headers = {"Authorization": f"Bearer {(self.directory / 'admin.token').read_text()}"}
        text = json.dumps(body) if body is not None else None
        if text is not None:
            headers["Content-Type"] = content_type
        for attempt in (1, 2):
            connection = self._connection or self._connect()
            try:
                connection.request(method, path, body=text, headers=headers)
                response = connection.getresponse()
                answer = json.loads(response.read() or b"{}")
                break
            except (OSError, http.client.HTTPException):
                # an idle connection may have been closed from the other side
                self._connection = None
                if attempt == 2:
                    raise
        if check and response.status >= 300:
            raise LabError(f"{method} {path}: HTTP {response.status}: {answer.get('message')}")
        return dict(answer)

    def put(self, item: dict[str, Any]) -> dict[str, Any]:
        """Create the object or replace the one of its name."""
        collection = self._collection(item)
        created = self.request("POST", collection, item, check=False)
        if created.get("reason") == "AlreadyExists":
            fresh = {**item, "metadata": {**item["metadata"]}}
            return self.request("PUT", f"{collection}/{item['metadata']['name']}", fresh)
        if created.get("kind") == "Status":
            raise LabError(f"POST {collection}: {created.get('message')}")
        return created

    def delete(self, item: dict[str, Any]) -> None:
        """Gone afterwards, whether or not it was there."""
        self.request("DELETE", f"{self._collection(item)}/{item['metadata']['name']}", check=False)

    def apply_file(self, path: Path) -> None:
        """Every document of a YAML file."""
        for item in yaml.safe_load_all(path.read_text()):
            if item:
                self.put(item)

    def serve(self, service: str, listed: list[Endpoint]) -> None:
        """Have exactly these endpoints behind a service: its slices and its Endpoints object.

        Slices that will be fuller are written first, as the slice controller does: a pod appears before one goes.
        """
        self.put(endpoints(service, [item for item in listed if item.ready]))
        for item in sorted(slices_by_family(service, listed), key=lambda item: -len(item["endpoints"])):
            self.put(item)

    def kubeconfig_of(self, service_account: str, namespace: str, target: Path, *, seconds: int = 86400) -> Path:
        """A kubeconfig with a bounded token of a service account."""
        path = f"{_COLLECTIONS['ServiceAccount'].format(namespace=namespace)}/{service_account}/token"
        asked = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        token = self.request("POST", path, asked)["status"]["token"]
        target.touch(mode=0o600)
        target.write_text(self._kubeconfig(token))
        return target

    def fault(self, kind: str | None, **settings: Any) -> None:
        """Switch a fault on for everybody but the administrator, or with None off; the embedded API only."""
        if kind is None:
            self.request("DELETE", "/_fault")
        else:
            self.request("PUT", "/_fault", {"kind": kind, **settings})

    def compact(self) -> None:
        """Forget the history, so that older watches are told 410; the embedded API only."""
        self.request("POST", "/_compact")

    def _start_embedded(self) -> None:
        command = [sys.executable, "-m", "lab.apiserver", "--address", self.address, "--port", str(self.port)]
        command += ["--directory", str(self.directory)]
        checkout = str(Path(__file__).resolve().parent.parent)
        spawn("apiserver", netns(self._namespace, command), run=self.directory, environment={"PYTHONPATH": checkout})

    def _start_real(self) -> None:
        directory, binaries = self.directory, self.assets
        assert binaries is not None
        if not (directory / "server.key").exists():
            tls.make(directory, [self.address, "127.0.0.1", "localhost", "kubernetes"])
            run(["openssl", "genrsa", "-out", str(directory / "accounts.key"), "2048"])
            (directory / "admin.token").write_text(secrets.token_urlsafe(32))
            token = (directory / "admin.token").read_text()
            (directory / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
        client, peer = self.port + 1000, self.port + 1001
        etcd = [str(binaries / "etcd"), "--data-dir", str(directory / "etcd"), "--unsafe-no-fsync"]
        etcd += [
            f"--listen-client-urls=http://127.0.0.1:{client}",
            f"--advertise-client-urls=http://127.0.0.1:{client}",
        ]
        etcd += [
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        ]
        etcd += [f"--initial-cluster=default=http://127.0.0.1:{peer}"]
        spawn("etcd", netns(self._namespace, etcd), run=directory)
        server = [
            str(binaries / "kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{client}",
            f"--bind-address={self.address}",
            f"--secure-port={self.port}",
            f"--tls-cert-file={directory}/server.crt",
            f"--tls-private-key-file={directory}/server.key",
            f"--token-auth-file={directory}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={directory}/accounts.key",
            f"--service-account-key-file={directory}/accounts.key",
            "--service-cluster-ip-range=10.96.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            f"--cert-dir={directory}/certs",
            "--allow-privileged",
        ]
        if self.address not in ("127.0.0.1", "::1"):
            server.append(f"--advertise-address={self.address}")
        spawn("apiserver", netns(self._namespace, server), run=directory)

    def _await_namespaces(self) -> None:
        """A real API server makes them a moment after it is ready."""
        wait_for(
            lambda: self.request("GET", "/api/v1/namespaces/kube-system", check=False).get("kind") != "Status",
            30,
            "namespace kube-system",
        )

    def _answers(self) -> bool:
        if not (self.directory / "ca.crt").exists() or not (self.directory / "admin.token").exists():
            return False
        try:
            connection = self._connect()
            token = (self.directory / "admin.token").read_text()
            connection.request("GET", "/readyz", headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            self._connection = None
            return False
        return response.status == 200

    def _connect(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.directory / "ca.crt"))
        connection = _NamespacedConnection(self.address, self.port, context=context, timeout=10)
        connection.network_namespace = self._namespace
        self._connection = connection
        return connection

    def _collection(self, item: dict[str, Any]) -> str:
        return _COLLECTIONS[item["kind"]].format(namespace=item["metadata"].get("namespace", ""))

    def _kubeconfig(self, token: str) -> str:
        named = {"name": "lab"}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "lab",
                "clusters": [
                    {**named, "cluster": {"server": self.url, "certificate-authority": str(self.directory / "ca.crt")}}
                ],
                "users": [{**named, "user": {"token": token}}],
                "contexts": [{**named, "context": {"cluster": "lab", "user": "lab"}}],
            }
        )


class _NamespacedConnection(http.client.HTTPSConnection):
    """A connection made from inside a network namespace; it stays usable after leaving it."""

    network_namespace: str | None = None

    def connect(self) -> None:
        if self.network_namespace is None:
            return super().connect()
        with (
            Path("/proc/thread-self/ns/net").open() as home,
            Path(f"/run/netns/{self.network_namespace}").open() as away,
        ):
            _setns(away.fileno())
            try:
                return super().connect()
            finally:
                _setns(home.fileno())


def _setns(descriptor: int) -> None:
    """setns(2); in Python's os only from 3.12."""
    import ctypes

    clone_newnet = 0x40000000
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, clone_newnet):
        raise OSError(ctypes.get_errno(), "setns")


def lab_cluster() -> Cluster:
    """The one of a running lab."""
    from lab import fabric

    return Cluster(RUN / "cluster", address=fabric.addresses("api")[0], namespace=fabric.namespace("api"))


def free_port() -> int:
    """A port nobody uses at the moment, for a cluster on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
