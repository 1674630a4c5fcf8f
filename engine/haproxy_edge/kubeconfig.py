"""A kubeconfig for a master outside of the cluster: the engine's account, and a token that ends.

Run again, by hand or by a timer, it renews the file. The new one is tried first: a file that works must never be
replaced by one that does not, and nobody may ever read half of one.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haproxy_edge.kube import Api, ApiError, Timeouts, connect

# seconds: nothing here watches
TIMEOUTS = Timeouts(connect=5, read=30)
_NAME = "haproxy-edge"


class Refused(Exception):
    """No new kubeconfig; the one that was there is untouched."""


@dataclass(frozen=True)
class Wish:
    """What is asked for. ``account`` is namespace/name, ``seconds`` the token's life, ``server`` None the admin's."""

    account: str
    seconds: int
    namespaces: tuple[str, ...] = ()
    server: str | None = None
    owner: str | None = None

    @property
    def followed(self) -> tuple[str, ...]:
        """The namespaces whose endpoints the account has to be able to list."""
        return self.namespaces or (self.account.split("/")[0],)


def renew(target: Path, wish: Wish, admin: Api) -> str:
    """Mint, try, replace; when the token ends, as the API says it. Raises `Refused`."""
    if not admin.verifies:
        raise Refused(f"{admin.host}: the admin's kubeconfig does not check its certificate; nothing was asked of it")
    token, ends = _mint(wish, admin)
    text = _document(wish.server or admin.host, admin, token)
    with _beside(target, wish.owner) as candidate:
        candidate.write_text(text)
        _try(candidate, wish.followed)
        _flush(candidate)
        candidate.replace(target)
    _flush(target.parent)
    return ends


def _mint(wish: Wish, admin: Api) -> tuple[str, str]:
    namespace, name = wish.account.split("/")
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": wish.seconds},
    }
    try:
        made = admin.create(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", request)
    except ApiError as error:
        raise Refused(f"{admin.host}: no token for {wish.account}: {error}; was deploy/rbac.yaml applied?") from error
    return str(made["status"]["token"]), str(made["status"]["expirationTimestamp"])


def _document(server: str, admin: Api, token: str) -> str:
    """JSON, which every reader of a kubeconfig takes: it is YAML."""
    cluster: dict[str, Any] = {"server": server}
    if authority := admin.authority:
        cluster["certificate-authority-data"] = base64.b64encode(authority).decode()
    found = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": _NAME, "cluster": cluster}],
        "users": [{"name": _NAME, "user": {"token": token}}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME}}],
        "current-context": _NAME,
    }
    return json.dumps(found, indent=2) + "\n"


def _try(candidate: Path, namespaces: Sequence[str]) -> None:
    for namespace in namespaces:
        path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        try:
            connect(kubeconfig=str(candidate), context=None, timeouts=TIMEOUTS).get(path, {"limit": 1})
        except ApiError as error:
            raise Refused(f"the new token cannot list the endpoints of {namespace}: {error}") from error


@contextlib.contextmanager
def _beside(target: Path, owner: str | None) -> Iterator[Path]:
    """A file in the same folder, so that a rename replaces the target; its owner's alone from its first byte on."""
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise Refused(f"{target}: {error.strerror}") from error
    os.close(handle)
    candidate = Path(name)
    try:
        _give(candidate, target, owner)
        yield candidate
    finally:
        candidate.unlink(missing_ok=True)


def _give(candidate: Path, target: Path, owner: str | None) -> None:
    """To the named owner, else to whom the target belongs already."""
    try:
        if owner:
            shutil.chown(candidate, *owner.split(":", 1))
        elif target.exists():
            before = target.stat()
            os.chown(candidate, before.st_uid, before.st_gid)
    except (LookupError, OSError) as error:
        raise Refused(f"{target}: cannot belong to {owner or 'its owner'}: {error}") from error


def _flush(path: Path) -> None:
    """A power cut must not leave a name without its content."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
