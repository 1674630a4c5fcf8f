"""The API the functional tests run against: the embedded one, or with ``KUBEBUILDER_ASSETS`` a real kube-apiserver."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.kubeapi.client import ApiClient, ApiFailure
from lab.kubeapi.embedded import EmbeddedApi
from lab.kubeapi.folder import kubeconfig

_PATIENCE = 60.0


@dataclass(frozen=True)
class ApiUnderTest:
    """Where it is, and the administrator's client."""

    url: str
    ca_file: Path
    admin_token: str
    admin: ApiClient

    def client(self, token: str | None) -> ApiClient:
        """As somebody else; None is anonymous."""
        return ApiClient(self.url, ca_file=self.ca_file, token=token)

    def namespace(self) -> str:
        """A fresh one; the cluster is thrown away, so nobody deletes it."""
        name = f"t-{uuid.uuid4().hex[:12]}"
        self.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def kubeconfig(self, target: Path) -> Path:
        """The administrator's kubeconfig."""
        target.touch(mode=0o600)
        ca = self.ca_file.read_bytes()
        target.write_text(kubeconfig(url=self.url, ca=ca, token=self.admin_token, user="admin"))
        return target


@contextlib.contextmanager
def api_under_test() -> Iterator[ApiUnderTest]:
    """Started, and gone afterwards."""
    if "KUBEBUILDER_ASSETS" in os.environ:
        yield from _real()
        return
    with EmbeddedApi() as api:
        yield ApiUnderTest(api.url, api.ca_file, api.admin_token, api.client)


def _real() -> Iterator[ApiUnderTest]:
    from lab.cluster import Cluster, free_port

    with tempfile.TemporaryDirectory(prefix="kube-apiserver-") as directory:
        cluster = Cluster(Path(directory), port=free_port())
        try:
            cluster.start()
            yield ApiUnderTest(cluster.url, cluster.folder.ca_file, cluster.folder.admin_token, cluster.client)
        finally:
            cluster.stop()


def eventually(condition: Callable[[], bool], what: str) -> None:
    """A real API server learns of a new role or token a moment after it has stored it; until then it refuses."""
    deadline = time.monotonic() + _PATIENCE
    while not _holds(condition):
        assert time.monotonic() < deadline, f"waited {_PATIENCE:g} s in vain for {what}"
        time.sleep(0.05)


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except ApiFailure:
        return False
