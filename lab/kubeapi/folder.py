"""What one API server keeps on disk: certificates, the admin's token and kubeconfig, keys; its objects when stopped."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from typing import Any

import yaml

from lab import tls

# what a kube-apiserver is called by those who reach it
_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
)


class Folder:
    """A directory readable by its owner alone."""

    def __init__(self, path: Path, addresses: tuple[str, ...]) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        tls.make(path, [*_NAMES, *sorted({*addresses, "127.0.0.1", "::1"})])

    @property
    def ca_file(self) -> Path:
        return self.path / "ca.crt"

    @property
    def admin_kubeconfig(self) -> Path:
        return self.path / "admin.kubeconfig"

    @property
    def admin_token(self) -> str:
        """Made once, kept."""
        return self._secret("admin.token")

    @property
    def key(self) -> bytes:
        """What the embedded API signs tokens with."""
        return self._secret("token.key").encode()

    def _secret(self, name: str) -> str:
        path = self.path / name
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(32))
        return path.read_text()

    def save(self, dumped: dict[str, Any]) -> None:
        """Keep the objects for the next start."""
        (self.path / "store.json").write_text(json.dumps(dumped))

    def saved(self) -> dict[str, Any] | None:
        """What `save` kept."""
        path = self.path / "store.json"
        return json.loads(path.read_text()) if path.exists() else None

    def write_kubeconfig(self, path: Path, *, url: str, token: str, user: str) -> Path:
        """A self-contained kubeconfig with one context, named like its user."""
        path.touch(mode=0o600)
        path.write_text(kubeconfig(url=url, ca=self.ca_file.read_bytes(), token=token, user=user))
        return path


def kubeconfig(*, url: str, ca: bytes, token: str, user: str) -> str:
    """The text of a kubeconfig."""
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(ca).decode()}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": user, "context": {"cluster": "lab", "user": user, "namespace": "kube-system"}}],
            "current-context": user,
        },
        sort_keys=False,
    )
