"""The API in a thread of this process, for tests: started in a few milliseconds, broken with a method call.

    with EmbeddedApi() as api:
        api.client.create("/api/v1/namespaces/default/configmaps", {...})
        api.fault("status", code=500, path="/apis/discovery.k8s.io")
        api.clear_faults()

Objects, certificates and port survive `stop` and `start`, the history does not: as with a restarted kube-apiserver.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from lab.kubeapi.client import ApiClient
from lab.kubeapi.faults import Fault
from lab.kubeapi.folder import Folder
from lab.kubeapi.gateway import Gateway
from lab.kubeapi.server import Server
from lab.kubeapi.store import HISTORY
from lab.kubeapi.watching import BOOKMARK_SECONDS

_T = TypeVar("_T")
_PATIENCE = 60.0


class EmbeddedApi:
    """Every method may be called from any thread."""

    def __init__(
        self,
        *,
        addresses: tuple[str, ...] = ("127.0.0.1",),
        clock: Callable[[], float] = time.time,
        history: int = HISTORY,
        bookmark_seconds: float = BOOKMARK_SECONDS,
    ) -> None:
        self._temporary = Path(tempfile.mkdtemp(prefix="kubeapi-"))
        self._addresses, self._port = addresses, 0
        self.folder = Folder(self._temporary, addresses)
        self._gateway = Gateway(
            admin_token=self.folder.admin_token,
            key=self.folder.key,
            clock=clock,
            history=history,
            bookmark_seconds=bookmark_seconds,
        )
        self._gateway.seed()
        self._server = Server(self._gateway)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> EmbeddedApi:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"https://{self._addresses[0]}:{self._port}"

    @property
    def ca_file(self) -> Path:
        return self.folder.ca_file

    @property
    def admin_token(self) -> str:
        return self.folder.admin_token

    @property
    def admin_kubeconfig(self) -> Path:
        return self.folder.admin_kubeconfig

    @cached_property
    def client(self) -> ApiClient:
        """A client with the admin's token."""
        return ApiClient(self.url, ca_file=self.ca_file, token=self.admin_token)

    def kubeconfig_for(self, service_account: str, namespace: str) -> Path:
        """A kubeconfig with a fresh token of that (existing) service account."""
        token = self.client.token(service_account, namespace)
        path = self._temporary / f"{namespace}-{service_account}.kubeconfig"
        return self.folder.write_kubeconfig(path, url=self.url, token=token, user=service_account)

    def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kubeapi", daemon=True)
        self._thread.start()
        starting = self._server.start(folder=self.folder.path, addresses=self._addresses, port=self._port)
        self._port = asyncio.run_coroutine_threadsafe(starting, self._loop).result(_PATIENCE)
        self.folder.write_kubeconfig(self.admin_kubeconfig, url=self.url, token=self.admin_token, user="admin")

    def stop(self) -> None:
        """Close every connection; the objects stay."""
        if self._loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(_PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()
        self._loop = self._thread = None
        self._gateway.store.compact()

    def restart(self) -> None:
        """Down and up again, as an upgraded control plane does."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop and leave nothing behind."""
        self.client.close()
        self.stop()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _call(self, function: Callable[[], _T]) -> _T:
        async def wrapped() -> _T:
            return function()

        if self._loop is None:
            return function()
        return asyncio.run_coroutine_threadsafe(wrapped(), self._loop).result(_PATIENCE)

    def fault(self, kind: str, **options: Any) -> None:
        """Switch a fault on; the options are those of `lab.kubeapi.faults.Fault`."""
        self._call(lambda: self._server.add_fault(Fault(kind, **options)))

    def clear_faults(self) -> None:
        self._call(self._server.clear_faults)

    def compact(self) -> int:
        """Forget the history: watches from before get 410. Returns the version."""
        return self._call(self._gateway.store.compact)

    def end_watches(self, path: str = "") -> int:
        """End open watches as their timeout would; how many."""
        return self._call(lambda: self._server.end_watches(path))

    def force(self, item: dict[str, Any]) -> None:
        """Store an object without validation."""
        self._call(lambda: self._gateway.service.force(item))

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The last requests: ``{verb, path, query, user, code}``."""
        return self._call(lambda: [dict(entry) for entry in self._server.requests])

    def forget_requests(self) -> None:
        self._call(self._server.requests.clear)
