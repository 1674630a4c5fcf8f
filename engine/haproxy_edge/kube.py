"""The connection to a Kubernetes API: who we are, one list, one watch. The only module that imports ``kubernetes``.

The client library does configuration, authentication and TLS; JSON is parsed here, because its deserialiser takes six
times as long. ``kubernetes`` is imported inside functions: it weighs 36 MB, and Salt imports engines in the master's
main process. It must never retry: that is the reflector's work.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

_IN_CLUSTER_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_BODY_IN_MESSAGES = 300


class ApiError(Exception):
    """A call that gave no usable answer.

    ``condition`` is a short stable word for logs and counters, ``retry_after`` seconds the server asked for.
    """

    def __init__(self, condition: str, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.condition = condition
        self.retry_after = retry_after


class Gone(ApiError):
    """410: the resourceVersion is older than what the server still has."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds: to connect, and of silence while reading."""

    connect: float
    read: float


class Api:
    """List and watch raw JSON objects. One instance may be used by several threads.

    ``load`` makes the client; it is called again when ``file``, the kubeconfig, was replaced, so that a renewed token
    is used before the old one ends. A file that cannot be used leaves the client that there is.
    """

    def __init__(self, load: Callable[[], Any], timeouts: Timeouts, file: Path | None = None) -> None:
        self._load, self._timeouts, self._file = load, timeouts, file
        self._stamp = _stamp(file)
        self._client = load()

    @property
    def host(self) -> str:
        """The URL of the API server."""
        return str(self._client.configuration.host)

    @property
    def authority(self) -> bytes | None:
        """The PEM certificates that the server's is checked with; None: those of the system."""
        file = self._client.configuration.ssl_ca_cert
        return Path(file).read_bytes() if file else None

    @property
    def verifies(self) -> bool:
        """Whether the server's certificate is checked at all."""
        return bool(self._client.configuration.verify_ssl)

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One JSON object. Raises `ApiError`."""
        return self._whole(self._request(path, query or {}), path)

    def create(self, path: str, item: Mapping[str, Any]) -> dict[str, Any]:
        """POST an object; the object that the API made of it. Raises `ApiError`."""
        return self._whole(self._request(path, {}, item=item), path)

    def _whole(self, response: Any, path: str) -> dict[str, Any]:
        try:
            body = response.read()
        except Exception as error:
            raise _connection_error(self.host, error) from error
        finally:
            response.release_conn()
        return _object(body, path)

    def watch(self, path: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Events ``{"type", "object"}`` until the server ends the watch. Raises `ApiError`."""
        response = self._request(path, {**query, "watch": "true"})
        try:
            yield from _events(response, path)
        except ApiError:
            raise
        except Exception as error:
            raise _connection_error(self.host, error) from error
        finally:
            # not release_conn: an unfinished watch must not go back to the pool
            response.close()

    def _request(self, path: str, query: Mapping[str, Any], *, item: Mapping[str, Any] | None = None) -> Any:
        import urllib3

        client = self._current()
        headers: dict[str, str] = {"Accept": "application/json"}
        if item is not None:
            headers["Content-Type"] = "application/json"
        try:
            # asks the client each time: it re-reads a rotated in-cluster token and refreshes exec credentials
            for setting in client.configuration.auth_settings().values():
                if setting["in"] == "header" and setting["value"]:
                    headers[setting["key"]] = setting["value"]
            url = f"{self.host}{path}" + (f"?{urlencode(query)}" if query else "")
            response = client.rest_client.pool_manager.request(
                "GET" if item is None else "POST",
                url,
                body=None if item is None else json.dumps(item).encode(),
                headers=headers,
                preload_content=False,
                retries=False,
                timeout=urllib3.Timeout(connect=self._timeouts.connect, read=self._timeouts.read),
            )
        except Exception as error:
            raise _connection_error(self.host, error) from error
        if response.status not in (200, 201):
            raise _status_error(response, path)
        return response

    def _current(self) -> Any:
        stamp = _stamp(self._file)
        if stamp is not None and stamp != self._stamp:
            self._stamp = stamp
            with contextlib.suppress(ApiError):
                self._client = self._load()
        return self._client


def load() -> None:
    """Import the client whole, before there are threads.

    Of two threads that import parts of one package at the same time, one may find it half made and fail.
    """
    import kubernetes.client
    import kubernetes.config  # noqa: F401


def connect(*, kubeconfig: str | None, context: str | None, timeouts: Timeouts) -> Api:
    """Authenticate: the given kubeconfig, else the pod's service account, else the default kubeconfig.

    Raises `ApiError` with the file's name when there is nothing usable.
    """
    file = Path(kubeconfig) if kubeconfig else None
    return Api(lambda: _client(kubeconfig=kubeconfig, context=context), timeouts, file)


def _client(*, kubeconfig: str | None, context: str | None) -> Any:
    from kubernetes import client, config

    configuration = client.Configuration()
    where = kubeconfig or "the default kubeconfig (KUBECONFIG or ~/.kube/config)"
    try:
        if kubeconfig or context or not _IN_CLUSTER_TOKEN.exists():
            config.load_kube_config(config_file=kubeconfig, context=context, client_configuration=configuration)
        else:
            where = f"the pod's own account ({_IN_CLUSTER_TOKEN.parent})"
            config.load_incluster_config(client_configuration=configuration)
    except Exception as error:
        raise ApiError("kubeconfig", f"kubeconfig: {where}: {_unopened(kubeconfig) or error}") from error
    configuration.retries = False
    return client.ApiClient(configuration)


def _unopened(kubeconfig: str | None) -> str:
    """Why a named file cannot be opened; empty when it can. The library calls it invalid then, and says no more."""
    try:
        for file in kubeconfig.split(os.pathsep) if kubeconfig else ():
            Path(file).expanduser().open("rb").close()
    except OSError as error:
        return str(error.strerror)
    return ""


def _stamp(file: Path | None) -> tuple[int, int] | None:
    """What differs after a file was replaced; None where there is none to look at."""
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns) if found else None


def serves_endpointslices(api: Api) -> bool:
    """Whether ``discovery.k8s.io/v1`` is there. An error is not a no: it raises `ApiError`."""
    groups = api.get("/apis").get("groups")
    if not isinstance(groups, list):
        raise ApiError("wrong-kind", f"{api.host}/apis: no list of groups")
    versions = [version.get("groupVersion") for group in groups for version in group.get("versions") or []]
    return "discovery.k8s.io/v1" in versions


def _events(response: Any, path: str) -> Iterator[dict[str, Any]]:
    buffered = b""
    for chunk in response.stream(amt=None, decode_content=True):
        *lines, buffered = (buffered + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield _object(line, path)
    if buffered.strip():
        raise ApiError("truncated", f"{path}: the watch ended in the middle of an event")


def _object(body: bytes, path: str) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError as error:
        raise ApiError("truncated", f"{path}: not JSON ({error}); {len(body)} bytes") from error
    if not isinstance(parsed, dict):
        raise ApiError("wrong-kind", f"{path}: {type(parsed).__name__} where an object was expected")
    return parsed


def _status_error(response: Any, path: str) -> ApiError:
    try:
        body = response.read()[:_BODY_IN_MESSAGES].decode(errors="replace")
    except Exception as error:  # the status alone is enough
        body = repr(error)
    finally:
        response.close()
    kind = Gone if response.status == 410 else ApiError
    return kind(
        f"http-{response.status}",
        f"{path}: HTTP {response.status}: {' '.join(body.split())}",
        retry_after=_retry_after(response.headers.get("Retry-After")),
    )


def _retry_after(value: str | None) -> float:
    return float(value) if value and value.isdigit() else 0.0


def _connection_error(host: str, error: Exception) -> ApiError:
    import urllib3.exceptions as reasons

    condition = "unreachable"
    if isinstance(error, (reasons.ReadTimeoutError, TimeoutError)):
        condition = "timeout"
    elif isinstance(error, reasons.ProtocolError):
        condition = "dropped"
    return ApiError(condition, f"{host}: {type(error).__name__}: {error}")
